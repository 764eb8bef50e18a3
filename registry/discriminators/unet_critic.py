"""DU-GAN's critic: U-Nets that judge the slice and each pixel, in the image and in its gradient."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, pad

from denoisebench import UsageError, discriminator

from ._patch import bounded, check, initialise, paired, refuse_below

MOST = 6


class Block(nn.Module):
    """Two 3 × 3 convolutions beside a 1 × 1 shortcut."""

    def __init__(self, below: int, filters: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(below, filters, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(filters, filters, 3, padding=1),
            nn.LeakyReLU(0.2),
        )
        self.shortcut = nn.Conv2d(below, filters, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Add both ways."""
        return self.body(features) + self.shortcut(features)


class UNetCritic(nn.Module):
    """A U-Net whose middle judges the slice and whose end judges each pixel."""

    def __init__(self, channels: int, *, width: int, levels: int) -> None:
        super().__init__()
        filters = [width * min(2**level, 8) for level in range(levels)]
        self.encoder = nn.ModuleList(map(Block, [channels, *filters], filters))
        self.middle = Block(filters[-1], filters[-1])
        above = [filters[-1], *reversed(filters)]
        self.decoder = nn.ModuleList(
            Block(above[number] + skipped, skipped)
            for number, skipped in enumerate(reversed(filters))
        )
        self.whole = nn.Linear(filters[-1], 1)
        self.each = nn.Conv2d(width, 1, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Judge (B, C, H, W): a logit (B, 1, 1) a slice, and (B, 1, H · W), one a pixel."""
        skips = []
        for block in self.encoder:
            skips.append(block(features))
            features = avg_pool2d(skips[-1], 2)
        features = self.middle(features)
        whole = self.whole(features.mean(dim=(2, 3)))
        for block in self.decoder:
            skip = skips.pop()
            larger = interpolate(features, size=skip.shape[-2:], mode="nearest")
            features = block(torch.cat([larger, skip], dim=1))
        return whole[:, :, None], self.each(features).flatten(2)


class DualDomain(nn.Module):
    """One U-Net for the image, one for the size of its gradient."""

    def __init__(self, *, width: int, levels: int, condition: bool) -> None:
        super().__init__()
        check("unet_critic", width=width)
        if not 1 <= levels <= MOST:
            raise UsageError(f"unet_critic takes 1 to {MOST} levels, got {levels}")
        self.condition, self.smallest = condition, 2**levels
        self.image = UNetCritic(1 + condition, width=width, levels=levels)
        self.gradient = UNetCritic(1 + condition, width=width, levels=levels)
        self.apply(initialise)

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """Judge (B, 1, H, W), beside the noisy slice of the same shape unless condition=False."""
        refuse_below(self.smallest, image, "unet_critic")
        given = paired(image, condition, "unet_critic", wanted=self.condition)
        heads = [*self.image(given), *self.gradient(sobel(given))]
        pixels = heads[1].shape[2]
        return torch.cat([head.expand(-1, -1, pixels) for head in heads], dim=1)


def sobel(image: Tensor) -> Tensor:
    """Return the size of the Sobel gradient of (B, C, H, W), per pixel, as kornia's `sobel`.

    By sums: autocast would run a convolution in bfloat16, whose step near 1 is half a grey level.
    """
    framed = pad(image, (1, 1, 1, 1), mode="replicate")
    rows = (framed[..., :-2] + 2 * framed[..., 1:-1] + framed[..., 2:]) / 8
    columns = (framed[..., :-2, :] + 2 * framed[..., 1:-1, :] + framed[..., 2:, :]) / 8
    down = rows[..., 2:, :] - rows[..., :-2, :]
    right = columns[..., 2:] - columns[..., :-2]
    return (down.square() + right.square() + 1e-6).sqrt()  # finite slope where all is flat


@discriminator("unet_critic", parameters=10_404_804)
def unet_critic(*, width: int = 32, levels: int = 4, condition: bool = True) -> nn.Module:
    """DU-GAN's dual-domain U-Net critic (Huang et al., 2021, arXiv:2108.10772).

    (image, noisy), each (B, 1, H, W) in [-1, 1] → logits (B, 4, H · W): slice and pixels of the
    image, slice and pixels of its Sobel gradient.

    The paper adds the losses of the four heads, each a mean of its own. Losses here take one mean
    over all logits, so a slice's one logit is repeated for each pixel: every head then has the same
    share, and the mean is a quarter of the paper's sum. All layers have spectral norm.

    The paper judges the image alone (condition=False), has U-Nets of width=64 and levels=6 that
    learn from 64 × 64 crops, calls the noisy slice fake too, and adds CutMix; the last two belong
    to a training loop and are not here.

    Knobs:
        width: channels at full size; they double with each level up to eight times as many.
        levels: halvings of the size, 1 to 6; the sides of a crop are at least 2^levels.
        condition: judge the image beside the noisy slice it came from, or by itself.
    """
    return bounded(DualDomain(width=width, levels=levels, condition=condition))
