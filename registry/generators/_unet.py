"""The encoder and decoder of pix2pix, for `unet6` and `unet7`."""

from math import gcd

import torch
from torch import Tensor, nn

from denoisebench import UsageError

NORMS = ("instance", "batch", "group", "none")
UPSAMPLES = ("transpose", "resize")
STEMS = ("none", "full")
DEEPEST = 8  # channels stop growing at 8 × width


def normalise(norm: str, channels: int) -> nn.Module:
    """Return the norm layer of that name; all but "none" have a scale and a shift a channel."""
    if norm == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "group":
        # 16 channels a group (Wu & He, 2018, arXiv:1803.08494, table 3); fewer in narrow networks
        return nn.GroupNorm(channels // gcd(channels, 16), channels)
    if norm == "none":
        return nn.Identity()
    raise UsageError(f"no norm named {norm!r}; one of: {', '.join(NORMS)}")


def upsampling(upsample: str, below: int, above: int, *, bias: bool) -> nn.Module:
    """Return what doubles the sides of a map.

    "transpose" is a transposed 4 × 4 convolution with stride 2. "resize" repeats each value and
    convolves 3 × 3: every output pixel is a sum of equally many, so that no checkerboard can come
    of it (Odena et al., 2016, doi:10.23915/distill.00003).
    """
    if upsample == "transpose":
        return nn.ConvTranspose2d(below, above, 4, 2, padding=1, bias=bias)
    if upsample == "resize":
        return nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(below, above, 3, padding=1, bias=bias),
        )
    raise UsageError(f"no upsample named {upsample!r}; one of: {', '.join(UPSAMPLES)}")


class UNet(nn.Module):
    """A U-Net of `depth` strided convolutions (Isola et al., 2017, arXiv:1611.07004, appendix 6.1).

    Encoder block: LeakyReLU 0.2, 4 × 4 convolution with stride 2, norm; the first has no activation
    before it, the first and the last have no norm. Decoder block: ReLU, transposed 4 × 4
    convolution with stride 2, norm, dropout between levels of the full 8 × width channels. Only the
    last convolution has a bias, as in pix2pix with BatchNorm; with norm "none" every one has.

    Stem "full" adds a level above: a 3 × 3 convolution to `width` maps of the input's size, which
    the first encoder block takes and the last 3 × 3 convolution sees beside the decoder's, so that
    fine detail need not pass a stride.
    """

    def __init__(
        self,
        name: str,
        depth: int,
        *,
        width: int,
        norm: str,
        dropout: float,
        residual: bool,
        upsample: str,
        stem: str,
    ) -> None:
        super().__init__()
        if stem not in STEMS:
            raise UsageError(f"no stem named {stem!r}; one of: {', '.join(STEMS)}")
        self.name, self.depth, self.residual = name, depth, residual
        self.full = stem == "full"
        channels = [width * min(2**level, DEEPEST) for level in range(depth)]
        bias = norm == "none"
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for level, filters in enumerate(channels):
            outermost, innermost = level == 0, level == depth - 1
            # the outermost level without a stem begins and ends at the slice itself
            bare = outermost and not self.full
            below = 1 if bare else channels[max(level - 1, 0)]
            # the decoder block of the innermost level sees no skip
            above = filters if innermost else 2 * filters
            self.encoder.append(
                nn.Sequential(
                    nn.Identity() if bare else nn.LeakyReLU(0.2),
                    nn.Conv2d(below, filters, 4, stride=2, padding=1, bias=bias),
                    nn.Identity() if outermost or innermost else normalise(norm, filters),
                )
            )
            dropped = below == filters and not outermost and not innermost
            self.decoder.append(
                nn.Sequential(
                    nn.ReLU(),
                    upsampling(upsample, above, below, bias=bias or bare),
                    nn.Identity() if bare else normalise(norm, below),
                    nn.Dropout(dropout if dropped else 0.0),
                )
            )
        if self.full:
            self.stem = nn.Conv2d(1, width, 3, padding=1)
            self.last = nn.Sequential(nn.ReLU(), nn.Conv2d(2 * width, 1, 3, padding=1))
        self.apply(initialise)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (B, 1, H, W), sides divisible by 2 ** depth, grey levels in [-1, 1]."""
        multiple = 2**self.depth
        height, width = noisy.shape[-2:]
        if height % multiple or width % multiple:
            raise UsageError(
                f"{self.name} needs sides divisible by {multiple}, got {height} × {width}; "
                f"use --patch {multiple}, or let evaluation pad"
            )
        features = self.stem(noisy) if self.full else noisy
        skips = [features] if self.full else []
        for block in self.encoder:
            features = block(features)
            skips.append(features)
        features = skips.pop()
        for block in reversed(self.decoder):
            features = block(features)
            if skips:
                features = torch.cat([skips.pop(), features], dim=1)
        if self.full:
            features = self.last(features)
        return noisy - features if self.residual else features.tanh()


def initialise(module: nn.Module) -> None:
    """Draw as pix2pix does: convolutions from N(0, 0.02²), norm scales from N(1, 0.02²)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.InstanceNorm2d | nn.BatchNorm2d | nn.GroupNorm):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
