"""Twelve plug-ins, each with a fault that authors make; `check` must find them all."""

import torch
from torch import nn

from denoisebench import generator, loss, metric


class Residual(nn.Module):
    """Two convolutions that predict the noise: what the faults below are planted in."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, noisy):
        return noisy - self.last(self.first(noisy).relu())


class Cropped(Residual):
    def forward(self, noisy):
        return super().forward(noisy)[..., 1:-1, 1:-1]


@generator("wrong_shape", parameters=77)
def wrong_shape():
    """Crop what a convolution without padding would."""
    return Cropped()


class Dropping(Residual):
    def forward(self, noisy):
        return nn.functional.dropout(super().forward(noisy), 0.1)  # training=True by default


@generator("non_deterministic_eval", parameters=77)
def non_deterministic_eval():
    """Drop out in eval mode too."""
    return Dropping()


class Spare(Residual):
    def __init__(self):
        super().__init__()
        self.skip = nn.Conv2d(1, 1, 1)


@generator("dead_parameter", parameters=79)
def dead_parameter():
    """Build a layer that forward forgets."""
    return Spare()


class Clamping(Residual):
    def forward(self, noisy):
        return super().forward(noisy.clamp_(-1, 1))


@generator("in_place_edit", parameters=77)
def in_place_edit():
    """Clip the input where it lies."""
    return Clamping()


class WholeBatch(Residual):
    def forward(self, noisy):
        output = super().forward(noisy)
        return output - output.mean() + noisy.mean()


@generator("batch_dependent_output", parameters=77)
def batch_dependent_output():
    """Keep the mean of the batch, not of the slice."""
    return WholeBatch()


@generator("count_off", parameters=76)
def count_off():
    """Forget a bias when counting parameters."""
    return Residual()


class Unsaved(Residual):
    def __init__(self):
        super().__init__()
        self.scale = torch.rand(())  # neither parameter nor buffer

    def forward(self, noisy):
        return self.scale * super().forward(noisy)


@generator("state_dict_not_round_trip", parameters=77)
def state_dict_not_round_trip():
    """Keep a number that state_dict does not hold."""
    return Unsaved()


class Halving(Residual):
    def forward(self, noisy):
        return super().forward(nn.functional.interpolate(noisy[..., ::2, ::2], scale_factor=2))


@generator("odd_size", parameters=77)
def odd_size():
    """Halve the sides, and not say that they must be even."""
    return Halving()


@metric("range_error", unit="dB", better="higher", version=1)
def range_error(output, target):
    """PSNR whose peak is that of the slice at hand."""
    error = (output.double() - target.double()).square().mean(dim=(1, 2, 3)).clamp(min=1e-10)
    return 10 * torch.log10(target.double().amax(dim=(1, 2, 3)).clamp(min=1).square() / error)


@loss("sign_error")
def sign_error(output, target):
    """Likeness, which training would make small."""
    return 1 / (1 + (output - target).square().mean())


@loss("knob_undocumented")
def knob_undocumented(output, target, *, power: int = 2):
    """Mean of a power of the difference."""
    return (output - target).abs().pow(power).mean()


@loss("nan_at_equality")
def nan_at_equality(output, target):
    """Root mean square error, whose slope at 0 is 0 / 0."""
    return (output - target).square().mean().sqrt()
