"""my_plugin: two strided convolutions. Say here what your critic looks at, and whose it is."""

import torch
from torch import Tensor, nn

from denoisebench import UsageError, discriminator


class Patches(nn.Module):
    """Judges overlapping patches: a map of logits."""

    def __init__(self, width: int, condition: bool) -> None:
        super().__init__()
        self.condition = condition
        self.layers = nn.Sequential(
            nn.Conv2d(1 + condition, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 4, padding=1),
        )

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """Judge (B, 1, H, W) beside the noisy slice it came from → logits, no sigmoid."""
        if self.condition and condition is None:
            raise UsageError("my_plugin judges pairs; my_plugin(condition=False) judges images")
        shown = [condition, image] if self.condition and condition is not None else [image]
        logits: Tensor = self.layers(torch.cat(shown, dim=1))
        return logits


# `parameters` is the exact count with default knobs; a contract counts them.
@discriminator("my_plugin", parameters=34_913)
def my_plugin(*, width: int = 32, condition: bool = True) -> nn.Module:
    """Judge patches of 22 × 22.

    Knobs:
        width: channels of the first layer.
        condition: judge the image beside the noisy slice it came from, or by itself.
    """
    return Patches(width, condition)
