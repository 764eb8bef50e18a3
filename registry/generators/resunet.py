"""A residual U-Net without norm behind a pixel-unshuffle: small, fast on a CPU, and sharp."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from denoisebench import UsageError, generator

UNSHUFFLES = (1, 2, 4)
BRANCH_START = 0.1  # share of the usual scale that a residual branch starts with


def convolution(below: int, above: int, *, scale: float = 1.0) -> nn.Conv2d:
    """Return a 3 × 3 convolution drawn after He et al. (2015), times `scale`."""
    layer = nn.Conv2d(below, above, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    with torch.no_grad():
        layer.weight.mul_(scale)
    nn.init.zeros_(layer.bias)
    return layer


class Residual(nn.Module):
    """x + conv(relu(conv(x))), close to x at the start, so that depth costs no stability."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = convolution(channels, channels, scale=BRANCH_START)

    def forward(self, features: Tensor) -> Tensor:
        """Add what the two convolutions make of (B, channels, H, W)."""
        return features + self.second(self.first(features).relu())


class ResidualUNet(nn.Module):
    """Three scales of residual blocks; skips are added; the output is noisy - predicted noise."""

    def __init__(self, *, width: int, blocks: int, unshuffle: int) -> None:
        super().__init__()
        if unshuffle not in UNSHUFFLES:
            raise UsageError(f"resunet's unshuffle is 1, 2 or 4, got {unshuffle}")
        self.unshuffle, self.multiple = unshuffle, 4 * unshuffle
        fine, middle, coarse = width, 2 * width, 4 * width

        def stack(channels: int) -> nn.Sequential:
            return nn.Sequential(*(Residual(channels) for _ in range(blocks)))

        self.head = convolution(unshuffle**2, fine)
        self.encoder = nn.ModuleList([stack(fine), stack(middle)])
        self.down = nn.ModuleList(
            [nn.Conv2d(fine, middle, 2, stride=2), nn.Conv2d(middle, coarse, 2, stride=2)]
        )
        self.bottom = stack(coarse)
        self.up = nn.ModuleList(
            [
                nn.ConvTranspose2d(middle, fine, 2, stride=2),
                nn.ConvTranspose2d(coarse, middle, 2, stride=2),
            ]
        )
        self.decoder = nn.ModuleList([stack(fine), stack(middle)])
        self.tail = convolution(fine, unshuffle**2, scale=0.0)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (B, 1, H, W), sides divisible by 4 × unshuffle, grey levels in [-1, 1]."""
        height, width = noisy.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise UsageError(
                f"resunet needs sides divisible by {self.multiple}, got {height} × {width}; "
                "let evaluation pad"
            )
        head = self.head(pixel_unshuffle(noisy, self.unshuffle))
        fine = self.encoder[0](head)
        middle = self.encoder[1](self.down[0](fine))
        coarse = self.bottom(self.down[1](middle))
        middle = self.decoder[1](self.up[1](coarse) + middle)
        fine = self.decoder[0](self.up[0](middle) + fine)
        return noisy - pixel_shuffle(self.tail(fine + head), self.unshuffle)


@generator("resunet", multiple=16, parameters=1_044_292)
def resunet(*, width: int = 32, blocks: int = 2, unshuffle: int = 2) -> nn.Module:
    """Residual U-Net without norm, after DRUNet (Zhang et al., 2021, arXiv:2008.13751, fig. 1).

    (B, 1, H, W) in [-1, 1] → the same shape; sides divisible by 16. Starts as the identity.

    Differs from DRUNet: a quarter of the pixels through the pixel-unshuffle (FFDNet, Zhang et al.,
    2018, arXiv:1710.04026), three scales instead of four, biases, the noise is predicted.

    Knobs:
        width: channels of the finest of three scales; each coarser one has twice as many.
        blocks: residual blocks in a row at each scale, on the way down and on the way up.
        unshuffle: side of the pixel blocks folded into channels: 1, 2 or 4; 1 is full resolution.
    """
    return ResidualUNet(width=width, blocks=blocks, unshuffle=unshuffle)
