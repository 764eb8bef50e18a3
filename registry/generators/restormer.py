"""Restormer: a U-Net of transformer blocks whose attention runs between channels, not pixels."""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from denoisebench import UsageError, generator

from ._checks import check_counts, check_sides

SCALES = 4
MULTIPLE = 2 ** (SCALES - 1)


def convolution(below: int, above: int, side: int, *, groups: int = 1) -> nn.Conv2d:
    """Return a convolution without bias that keeps the size."""
    return nn.Conv2d(below, above, side, padding=side // 2, groups=groups, bias=False)


class ChannelNorm(nn.Module):
    """Divide each pixel by the standard deviation over its channels; a scale, nothing added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Normalise (B, channels, H, W); the mean stays, for nothing may be subtracted either."""
        variance = features.var(dim=1, keepdim=True, correction=0)
        return features * (variance + 1e-5).rsqrt() * self.weight


class ChannelAttention(nn.Module):
    """Multi-Dconv head transposed attention: each channel is a token, its pixels the features."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        triple = 3 * channels
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.given = nn.Sequential(
            convolution(channels, triple, 1), convolution(triple, triple, 3, groups=triple)
        )
        self.project = convolution(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Mix the channels of (B, channels, H, W) by how alike they are (sec. 3.1)."""
        heads = self.temperature.shape[0]
        query, key, value = (
            part.unflatten(1, (heads, -1)).flatten(3) for part in self.given(features).chunk(3, 1)
        )
        alike = normalize(query, dim=-1) @ normalize(key, dim=-1).transpose(-2, -1)
        mixed = (alike * self.temperature).softmax(dim=-1) @ value
        return self.project(mixed.reshape(features.shape))


class GatedFeedForward(nn.Module):
    """Gated-Dconv feed-forward network: half of the channels, through a GELU, gates the other."""

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.widen = nn.Sequential(
            convolution(channels, 2 * hidden, 1),
            convolution(2 * hidden, 2 * hidden, 3, groups=2 * hidden),
        )
        self.narrow = convolution(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Transform each pixel of (B, channels, H, W), its neighbours in view (sec. 3.2)."""
        first, second = self.widen(features).chunk(2, dim=1)
        return self.narrow(gelu(first) * second)


class Block(nn.Module):
    """Attention, then the feed-forward network, each behind a norm and added."""

    def __init__(self, channels: int, heads: int, expansion: float) -> None:
        super().__init__()
        self.norm, self.norm_again = ChannelNorm(channels), ChannelNorm(channels)
        self.attention = ChannelAttention(channels, heads)
        self.feed_forward = GatedFeedForward(channels, expansion)

    def forward(self, features: Tensor) -> Tensor:
        """Add twice to (B, channels, H, W)."""
        features = features + self.attention(self.norm(features))
        return features + self.feed_forward(self.norm_again(features))


class RestorationTransformer(nn.Module):
    """Four scales; maps of the way down are joined on the way up, and refined at full size."""

    def __init__(
        self,
        *,
        width: int,
        blocks: tuple[int, ...],
        refinement: int,
        heads: tuple[int, ...],
        expansion: float,
    ) -> None:
        super().__init__()
        check_counts("restormer", width=width, blocks=blocks, heads=heads)
        check_counts("restormer", least=0, refinement=refinement)
        if (len(blocks), len(heads)) != (SCALES, SCALES):
            raise UsageError(
                f"restormer needs {SCALES} blocks and {SCALES} heads, got {blocks} and {heads}"
            )
        channels = [width * 2**scale for scale in range(SCALES)]
        if width % 2 or any(c % h for c, h in zip(channels, heads, strict=True)):
            raise UsageError(
                f"restormer needs an even width, and channels {tuple(channels)} that divide by the "
                f"heads of their scale, got heads {heads}"
            )
        if not 1 <= expansion < float("inf"):
            raise UsageError(f"restormer's expansion is a number of at least 1, got {expansion}")

        def stack(channels: int, scale: int, count: int) -> nn.Sequential:
            return nn.Sequential(*(Block(channels, heads[scale], expansion) for _ in range(count)))

        self.head = convolution(1, width, 3)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        self.down, self.up, self.join = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for scale, fine in enumerate(channels[:-1]):
            coarse = 2 * fine
            # the finest scale keeps both halves of what it joins
            joined = coarse if scale == 0 else fine
            self.encoder.append(stack(fine, scale, blocks[scale]))
            self.down.append(nn.Sequential(convolution(fine, fine // 2, 3), nn.PixelUnshuffle(2)))
            self.up.append(nn.Sequential(convolution(coarse, 2 * coarse, 3), nn.PixelShuffle(2)))
            self.join.append(nn.Identity() if scale == 0 else convolution(coarse, fine, 1))
            self.decoder.append(stack(joined, scale, blocks[scale]))
        self.bottom = stack(channels[-1], SCALES - 1, blocks[-1])
        self.refinement = stack(2 * width, 0, refinement)
        self.tail = convolution(2 * width, 1, 3)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (B, 1, H, W), sides divisible by 8, grey levels in [-1, 1]."""
        check_sides("restormer", noisy, MULTIPLE)
        features, skips = self.head(noisy), []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            features = blocks(features)
            skips.append(features)
            features = down(features)
        features = self.bottom(features)
        for scale in reversed(range(SCALES - 1)):
            features = torch.cat([self.up[scale](features), skips.pop()], dim=1)
            features = self.decoder[scale](self.join[scale](features))
        return noisy + self.tail(self.refinement(features))


@generator("restormer", multiple=8, parameters=1_725_022)
def restormer(
    *,
    width: int = 16,
    blocks: tuple[int, int, int, int] = (2, 3, 3, 4),
    refinement: int = 2,
    heads: tuple[int, int, int, int] = (1, 2, 4, 8),
    expansion: float = 2.66,
) -> nn.Module:
    """Restormer, light by default (Zamir et al., 2022, arXiv:2111.09881, fig. 2).

    (B, 1, H, W) in [-1, 1] → the same shape; sides divisible by 8. As in the paper the network
    predicts what to add to its input: the noise, negated.

    A third of the paper's width and half of its depth, for slices on a CPU. The network of the
    paper, 26.1 million parameters, is `restormer(width=48, blocks=(4, 6, 6, 8), refinement=4)`. The
    layer norm adds and subtracts nothing, as in the authors' networks for denoising. Attention is
    taken over all that is given: crops in training, whole slices when scored (Chu et al., 2022,
    arXiv:2112.04491, on what that costs).

    Knobs:
        width: channels of the finest scale, even; each coarser one has twice as many.
        blocks: transformer blocks at each of four scales, finest first, down as well as up.
        refinement: blocks more at full size, before the last convolution.
        heads: heads of the attention at each scale; they divide the channels there.
        expansion: hidden channels of the feed-forward network, for each channel.
    """
    return RestorationTransformer(
        width=width, blocks=blocks, refinement=refinement, heads=heads, expansion=expansion
    )
