"""A U-Net on any feature extractor of timm: its encoder, our decoder up to full resolution."""

from difflib import get_close_matches
from math import ceil, lcm

import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from denoisebench import UsageError, generator

from ._checks import check_counts
from ._unet import normalise

# What makes an encoder of fixed size take slices of any; each is asked for only where it is needed.
FREEDOMS = ({}, {"strict_img_size": False}, {"dynamic_img_size": True, "dynamic_img_pad": True})
DEEPEST = 8  # channels of the decoder stop growing at 8 × width


class Level(nn.Module):
    """Resize to the skip, join it, two 3 × 3 convolutions; without a skip, double the sides."""

    def __init__(self, below: int, skipped: int, above: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (below + skipped, above):
            # the norm shifts, so a bias before it would be lost
            layers += [nn.Conv2d(channels, above, 3, padding=1, bias=False)]
            layers += [normalise("group", above), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor, skip: Tensor | None) -> Tensor:
        """Decode (B, below, H, W) to the sides of the skip."""
        if skip is None:
            return self.layers(interpolate(features, scale_factor=2, mode="nearest"))
        features = interpolate(features, size=skip.shape[-2:], mode="nearest")
        return self.layers(torch.cat([skip, features], dim=1))


class TimmUNet(nn.Module):
    """Encoder of timm, decoder of ours, a full-resolution stem; the output is noisy - noise."""

    def __init__(self, *, encoder: str, width: int) -> None:
        super().__init__()
        check_counts("unet_timm", width=width)
        self.encoder, self.channels_last = backbone(encoder)
        strides = self.encoder.feature_info.reduction()
        channels = self.encoder.feature_info.channels()
        self.multiple = lcm(*strides)
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU())
        self.levels, self.joins = nn.ModuleList(), []
        below, stride = channels[-1], strides[-1]
        skips = [(1, width), *zip(strides[:-1], channels[:-1], strict=True)]
        for target, skipped in reversed(skips):
            while stride > 2 * target:  # encoders jump: the first map may be a quarter of the size
                stride = ceil(stride / 2)
                above = width * min(stride, DEEPEST)
                self.levels.append(Level(below, 0, above))
                self.joins.append(False)
                below = above
            stride = target
            above = width * min(stride, DEEPEST)
            self.levels.append(Level(below, skipped, above))
            self.joins.append(True)
            below = above
        self.tail = nn.Conv2d(below, 1, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (B, 1, H, W) of any size, grey levels in [-1, 1]."""
        height, width = noisy.shape[-2:]
        lower, right = -height % self.multiple, -width % self.multiple
        padded = pad(noisy, (0, right, 0, lower), mode="replicate") if lower or right else noisy
        *skips, features = self.encoder(padded)
        skips = [self.stem(padded), *map(self.channels_first, skips)]
        features = self.channels_first(features)
        for level, joins in zip(self.levels, self.joins, strict=True):
            features = level(features, skips.pop() if joins else None)
        return noisy - self.tail(features)[..., :height, :width]

    def channels_first(self, features: Tensor) -> Tensor:
        """Return a map as (B, C, H, W)."""
        return features.permute(0, 3, 1, 2) if self.channels_last else features


def backbone(name: str) -> tuple[nn.Module, bool]:
    """Return timm's feature extractor of that name, and whether its maps have channels last.

    Raises:
        UsageError: timm has no such model, or it cannot give maps of a slice of any size.
    """
    if ":" in name or not timm.is_model(name):  # "hf-hub:…" would be downloaded
        near = get_close_matches(name, timm.list_models(), n=3) or ["resnet18", "convnext_atto"]
        raise UsageError(
            f"timm has no model named {name!r}; nearest: {', '.join(near)}. All: timm.list_models()"
        )
    reasons = []
    for freedom in FREEDOMS:
        try:
            encoder = timm.create_model(
                name, pretrained=False, features_only=True, in_chans=1, **freedom
            )
            return encoder, has_channels_last(encoder)
        except Exception as error:  # a thousand models fail in a thousand ways
            reasons.append(f"{type(error).__name__}: {error}".partition("\n")[0])
    raise UsageError(f"unet_timm cannot use timm's {name!r}: {reasons[0]:.120}; try resnet18")


@torch.no_grad()
def has_channels_last(encoder: nn.Module) -> bool:
    """Try an encoder on a slice that is wider than high; say if its maps are (B, H, W, C)."""
    strides, channels = encoder.feature_info.reduction(), encoder.feature_info.channels()
    multiple = lcm(*strides)
    height = multiple * ceil(64 / multiple)
    first = next(encoder.parameters())
    training = encoder.training
    maps = encoder.eval()(first.new_zeros(1, 1, height, 2 * height))
    encoder.train(training)
    last = [
        (1, height // stride, 2 * height // stride, count)
        for stride, count in zip(strides, channels, strict=True)
    ]
    if [tuple(each.shape) for each in maps] == last:
        return True
    if [each.shape[1] for each in maps] != channels:
        raise ValueError("its features are no maps with the channels that timm reports")
    return False


@generator("unet_timm", multiple=32, parameters=15_708_065)
def unet_timm(*, encoder: str = "resnet18", width: int = 32) -> nn.Module:
    """U-Net (Ronneberger et al., 2015, arXiv:1505.04597) on an encoder of timm, weights random.

    (B, 1, H, W) in [-1, 1] → the same shape; sides divisible by 32. Starts as the identity: the
    output is noisy - predicted noise, and the last convolution starts at zero.

    The encoder is any of timm's that can be asked for features (`timm.list_models()`), with one
    channel in; nothing is downloaded. The decoder resizes (Odena et al., 2016,
    doi:10.23915/distill.00003), joins each map of the encoder, and last a stem at the slice's own
    size, so that it does not matter at which stride the encoder begins. Where the encoder's
    strides do not divide 32 (14 × 14 patches, say), the slice is padded within. An encoder with
    BatchNorm trains on at least two values a channel: on sides of 32, a batch of two.

    Knobs:
        encoder: a name that timm knows.
        width: channels of the decoder at the slice's own size; deeper it has up to eight times as
            many.
    """
    return TimmUNet(encoder=encoder, width=width)
