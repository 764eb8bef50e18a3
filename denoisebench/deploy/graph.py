"""What stands around a generator when a slice is denoised, in torch alone, to be part of a graph.

Reflection to the generator's multiple and, if wanted, the way from HU and back. The same is done in
numpy by `training.inference.reflect` and `deploy.window.Window`; tests hold them to each other.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import conv2d

from denoisebench.deploy.window import EDGE, FAR, SHOWN, UNEXPLAINED, WIDTH
from denoisebench.task import Task
from denoisebench.task.noise import normal_deviates
from denoisebench.task.task import PEAK, from_network, to_network

TRUNCATED = 4.0  # deviations, at which scipy ends a Gaussian
NOISE_SIDE = 128  # pixels; noise beyond the window repeats after that


class AnySize(Module):
    """A generator that reflects what it is given to its multiple, and cuts the answer back."""

    def __init__(self, generator: Module, multiple: int) -> None:
        super().__init__()
        self.generator, self.multiple = generator, multiple

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (B, 1, H, W) in [-1, 1]."""
        height, width = noisy.shape[-2:]
        image = noisy
        if self.multiple > 1:
            for axis in (-2, -1):
                image = reflected(image, axis, self.multiple)
        output: Tensor = self.generator(image)
        return output[..., :height, :width]


class InHU(Module):
    """A denoiser of [-1, 1] for slices in HU; see `deploy.window`, whose policy this is.

    What differs: the noise that stands for what lies beyond the window is the same in each slice,
    and nothing is known of padding.
    """

    noise: Tensor

    def __init__(self, denoiser: Callable[[Tensor], Tensor], task: Task) -> None:
        super().__init__()
        self.denoiser, self.task = denoiser, task
        noise = normal_deviates("0" * 64, "beyond the window", 0, (NOISE_SIDE, NOISE_SIDE))
        self.register_buffer("noise", torch.from_numpy(noise).float() * task.sigma)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (B, 1, H, W) HU."""
        low, scale = self.task.window_hu[0], self.task.grey_per_hu
        grey = (noisy - low) * scale
        answer = from_network(self.denoiser(to_network(self.shown(grey)))).to(grey.dtype)
        own = self.kept(grey, answer)
        denoised = answer / scale + low
        return torch.where(own == 1, noisy, own * noisy + (1 - own) * denoised)

    def shown(self, grey: Tensor) -> Tensor:
        """Return what the denoiser is shown of (B, 1, H, W) grey levels."""
        rows, columns = (torch.arange(side) % NOISE_SIDE for side in grey.shape[-2:])
        noise = self.noise[rows][:, columns].to(grey.dtype)
        beyond = SHOWN * self.task.sigma
        grey = torch.where(grey < -beyond, noise, grey)
        grey = torch.where(grey > PEAK + beyond, PEAK + noise, grey)
        return grey.clamp(0.0, PEAK) if self.task.noise.eight_bit else grey

    def kept(self, grey: Tensor, answer: Tensor) -> Tensor:
        """Return the share of itself that each pixel keeps, 0 to 1.

        Args:
            grey: (B, 1, H, W), before.
            answer: (B, 1, H, W), the denoiser's.
        """
        own = torch.zeros_like(grey)
        for sign, end in ((-1.0, 0.0), (1.0, PEAK)):
            outside, told = (sign * (image - end) / self.task.sigma for image in (grey, answer))
            says_end = 1 - _rise(-told, EDGE)
            unexplained = _rise(_z(outside - told.clamp(max=0), says_end), UNEXPLAINED)
            own = torch.maximum(own, torch.maximum(says_end * unexplained, _rise(outside, FAR)))
        return own


def reflected(image: Tensor, axis: int, multiple: int) -> Tensor:
    """Reflect an axis at its end until its length is a multiple; see `training.inference.reflect`.

    The same pixels, but by their places, which a graph can reckon for a length not known yet.
    """
    length = image.shape[axis]
    # A tensor: torch exports no remainder by a size. A side of one pixel is repeated.
    period = (2 * torch.arange(length)[-1]).clamp(min=1)
    places = torch.arange((length + multiple - 1) // multiple * multiple) % period
    return image.index_select(axis, torch.minimum(places, period - places))


def _z(excess: Tensor, share: Tensor) -> Tensor:
    total = _blurred(excess * share, WIDTH)
    variance = _blurred(share**2, WIDTH / 2**0.5).clamp(min=0) / (4 * torch.pi)
    deviation = variance.sqrt() / WIDTH
    return torch.where(deviation > 1e-6, total / deviation.clamp(min=1e-6), 0.0)


def _blurred(image: Tensor, width: float) -> Tensor:
    """Convolve with a Gaussian, 0 beyond the border."""
    reach = int(TRUNCATED * width + 0.5)
    row = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=image.dtype) / width) ** 2)
    row = row / row.sum()
    image = conv2d(image, row[None, None, None], padding=(0, reach))
    return conv2d(image, row[None, None, :, None], padding=(reach, 0))


def _rise(value: Tensor, between: tuple[float, float]) -> Tensor:
    low, high = between
    place = ((value - low) / (high - low)).clamp(0, 1)
    return place * place * (3 - 2 * place)
