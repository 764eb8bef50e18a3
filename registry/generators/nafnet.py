"""NAFNet: a U-Net whose only nonlinearity is a product of two halves of the channels."""

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from denoisebench import UsageError, generator

from ._checks import check_counts, check_sides

LEVELS = 4  # the card's multiple is 2 ** LEVELS


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (B, C, H, W), each pixel by itself."""

    def forward(self, features: Tensor) -> Tensor:
        """Normalise, then scale and shift each channel."""
        last = features.permute(0, 2, 3, 1)
        normed = layer_norm(last, self.normalized_shape, self.weight, self.bias, self.eps)
        return normed.permute(0, 3, 1, 2)


def gate(features: Tensor) -> Tensor:
    """Multiply the first half of the channels by the second."""
    first, second = features.chunk(2, dim=1)
    return first * second


class Block(nn.Module):
    """Gated depthwise convolution with channel attention, then a gated 1 × 1 pair (fig. 3c)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        double = 2 * channels
        self.norm, self.norm_again = (ChannelNorm(channels, eps=1e-6) for _ in range(2))
        self.spread = nn.Sequential(
            nn.Conv2d(channels, double, 1), nn.Conv2d(double, double, 3, padding=1, groups=double)
        )
        self.attend = nn.Conv2d(channels, channels, 1)
        self.merge = nn.Conv2d(channels, channels, 1)
        self.widen = nn.Conv2d(channels, double, 1)
        self.narrow = nn.Conv2d(channels, channels, 1)
        # a block starts as the identity, so that depth costs no stability
        self.scale = nn.Parameter(torch.zeros(channels, 1, 1))
        self.scale_again = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Add twice to (B, channels, H, W)."""
        gated = gate(self.spread(self.norm(features)))
        attention = self.attend(gated.mean(dim=(2, 3), keepdim=True))
        features = features + self.scale * self.merge(gated * attention)
        gated = gate(self.widen(self.norm_again(features)))
        return features + self.scale_again * self.narrow(gated)


class ActivationFreeUNet(nn.Module):
    """Blocks at each scale, strided convolutions down, pixel shuffles up, skips added."""

    def __init__(
        self, *, width: int, encoder: tuple[int, ...], middle: int, decoder: tuple[int, ...]
    ) -> None:
        super().__init__()
        check_counts("nafnet", width=width)
        check_counts("nafnet", least=0, encoder=encoder, middle=middle, decoder=decoder)
        if len(encoder) != len(decoder) or not 1 <= len(encoder) <= LEVELS:
            raise UsageError(
                f"nafnet needs as many numbers of blocks in encoder as in decoder, at most "
                f"{LEVELS}, got {encoder} and {decoder}"
            )

        def stack(channels: int, blocks: int) -> nn.Sequential:
            return nn.Sequential(*(Block(channels) for _ in range(blocks)))

        scales = [width * 2**level for level in range(len(encoder) + 1)]
        finer, coarser = scales[:-1], scales[1:]
        self.multiple = 2 ** len(encoder)
        self.head = nn.Conv2d(1, width, 3, padding=1)
        self.encoder = nn.ModuleList(map(stack, finer, encoder))
        self.down = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2)
            for fine, coarse in zip(finer, coarser, strict=True)
        )
        self.middle = stack(scales[-1], middle)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(coarse, 2 * coarse, 1, bias=False), nn.PixelShuffle(2))
            for coarse in reversed(coarser)
        )
        self.decoder = nn.ModuleList(map(stack, reversed(finer), decoder))
        self.tail = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (B, 1, H, W), sides divisible by 2 ** levels, grey levels in [-1, 1]."""
        check_sides("nafnet", noisy, self.multiple)
        features, skips = self.head(noisy), []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            features = blocks(features)
            skips.append(features)
            features = down(features)
        features = self.middle(features)
        for up, blocks in zip(self.up, self.decoder, strict=True):
            features = blocks(up(features) + skips.pop())
        return noisy + self.tail(features)


@generator("nafnet", multiple=16, parameters=29_158_561)
def nafnet(
    *,
    width: int = 32,
    encoder: tuple[int, ...] = (2, 2, 4, 8),
    middle: int = 12,
    decoder: tuple[int, ...] = (2, 2, 2, 2),
) -> nn.Module:
    """NAFNet for one channel (Chen et al., 2022, arXiv:2204.04676, fig. 3c).

    (B, 1, H, W) in [-1, 1] → the same shape; sides divisible by 16. As in the paper the network
    predicts what to add to its input: the noise, negated.

    The default is the authors' network of width 32 for the denoising benchmark SIDD (29.16 million
    parameters with three channels); their deblurring network of 17.1 million is
    `nafnet(encoder=(1, 1, 1, 28), middle=1, decoder=(1, 1, 1, 1))`. The channel attention averages
    over all that it is given: crops in training, whole slices when scored, without the local
    averages of Chu et al. (2022, arXiv:2112.04491).

    Knobs:
        width: channels of the finest scale; each coarser one has twice as many.
        encoder: blocks at each scale on the way down, finest first; at most four scales.
        middle: blocks at the coarsest scale.
        decoder: blocks at each scale on the way up, finest last.
    """
    return ActivationFreeUNet(width=width, encoder=encoder, middle=middle, decoder=decoder)
