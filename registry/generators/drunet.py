"""DRUNet: a U-Net of residual blocks without a single bias, and a map of the noise level."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from denoisebench import UsageError, generator

from ._checks import check_counts, check_sides

SCALES = 4
MULTIPLE = 2 ** (SCALES - 1)


def convolution(below: int, above: int) -> nn.Conv2d:
    """Return a 3 × 3 convolution without bias."""
    return nn.Conv2d(below, above, 3, padding=1, bias=False)


class Residual(nn.Module):
    """x + conv(relu(conv(x))), without bias or norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = convolution(channels, channels), convolution(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Add what the two convolutions make of (B, channels, H, W)."""
        return features + self.second(self.first(features).relu())


class BiasFreeUNet(nn.Module):
    """Four scales of residual blocks, strided and transposed 2 × 2 convolutions, skips added."""

    def __init__(self, *, width: int, blocks: int, sigma: float | None, residual: bool) -> None:
        super().__init__()
        check_counts("drunet", width=width, blocks=blocks)
        if sigma is not None and not 0 < sigma < float("inf"):
            raise UsageError(f"drunet's sigma is grey levels above 0, or None, got {sigma}")
        self.sigma, self.residual = sigma, residual
        channels = [width * 2**scale for scale in range(SCALES)]

        def stack(channels: int) -> list[nn.Module]:
            return [Residual(channels) for _ in range(blocks)]

        self.head = convolution(1 if sigma is None else 2, width)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for fine, coarse in pairwise(channels):
            down = nn.Conv2d(fine, coarse, 2, stride=2, bias=False)
            up = nn.ConvTranspose2d(coarse, fine, 2, stride=2, bias=False)
            self.encoder.append(nn.Sequential(*stack(fine), down))
            self.decoder.append(nn.Sequential(up, *stack(fine)))
        self.bottom = nn.Sequential(*stack(channels[-1]))
        self.tail = convolution(width, 1)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (B, 1, H, W), sides divisible by 8, grey levels in [-1, 1]."""
        check_sides("drunet", noisy, MULTIPLE)
        # without biases it matters where zero is: black, as in the paper
        image = given = (noisy + 1) / 2
        if self.sigma is not None:
            given = torch.cat([image, torch.full_like(image, self.sigma / 255)], dim=1)
        maps = [self.head(given)]
        for block in self.encoder:
            maps.append(block(maps[-1]))
        features = self.bottom(maps[-1])
        for block in reversed(self.decoder):
            features = block(features + maps.pop())
        output = self.tail(features + maps.pop())
        if self.residual:
            output = image - output
        return 2 * output - 1


@generator("drunet", multiple=8, parameters=32_638_656)
def drunet(
    *, width: int = 64, blocks: int = 4, sigma: float | None = 50.0, residual: bool = False
) -> nn.Module:
    """DRUNet for grey images (Zhang et al., 2021, arXiv:2008.13751, fig. 1).

    (B, 1, H, W) in [-1, 1] → the same shape; sides divisible by 8. As in the paper the network sees
    [0, 1] beside a map of the noise level, and its output is the slice, not the noise.

    Training here is at one noise level, so the map is constant and tells nothing about the slice.
    It stays by default because it is the one constant that a network without biases has:
    everything else in it scales with the slice. Any `sigma` above 0 can be learnt with; that of the
    task keeps the meaning of the paper. `sigma=None` is the network without the map, blind like
    those of Mohan et al. (2020, arXiv:1906.05478).

    The authors train at a rate of 1e-4 (cszn/KAIR, options/train_drunet.json): at 1e-3 the network
    that predicts the slice leaves its course, while one that predicts the noise learns. Differs
    from them: weights start as PyTorch draws them, not orthogonal with gain 0.2.

    Knobs:
        width: channels of the finest of four scales; each coarser one has twice as many.
        blocks: residual blocks in a row at each scale, on the way down and on the way up.
        sigma: what the noise map says, in grey levels; None leaves the map out.
        residual: predict the noise and subtract it; otherwise predict the slice.
    """
    return BiasFreeUNet(width=width, blocks=blocks, sigma=sigma, residual=residual)
