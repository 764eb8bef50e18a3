"""A residual network at full resolution that subtracts the noise of a CT slice."""

from torch import Tensor, nn

from denoisebench import UsageError, generator

from ._checks import check_counts

GROUPS = 8


class Bottleneck(nn.Module):
    """x + what a 3 × 3, a grouped 3 × 3 and a 1 × 1 convolution make of it, BatchNorm between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, groups=GROUPS),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Add to (B, channels, H, W)."""
        return features + self.layers(features)


class NoiseSubtraction(nn.Module):
    """A 9 × 9 convolution, residual blocks, a 3 × 3 convolution: the noise to subtract."""

    def __init__(self, *, width: int, blocks: int) -> None:
        super().__init__()
        check_counts("ct_resnet", width=width, blocks=blocks)
        if width % GROUPS:
            raise UsageError(f"ct_resnet's width is divisible by {GROUPS}, got {width}")
        self.head = nn.Conv2d(1, width, 9, padding=4)
        self.blocks = nn.Sequential(*(Bottleneck(width) for _ in range(blocks)))
        self.tail = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (B, 1, H, W) of any size, grey levels in [-1, 1]."""
        return noisy - self.tail(self.blocks(self.head(noisy)))


@generator("ct_resnet", parameters=1_843_329)
def ct_resnet(*, width: int = 128, blocks: int = 10) -> nn.Module:
    """ResNet of Missert et al. (2018) as ldct-benchmark has it (Eulig et al., arXiv:2401.04661).

    (B, 1, H, W) in [-1, 1] → the same shape, any sides; the output is noisy - predicted noise.

    Sizes and order of the layers are those of ldct-benchmark (ldctbench/methods/resnet), whose
    default network has 1,843,329 parameters; the proceedings give no code.

    Knobs:
        width: channels between the first and the last convolution; divisible by 8.
        blocks: residual blocks of three convolutions each.
    """
    return NoiseSubtraction(width=width, blocks=blocks)
