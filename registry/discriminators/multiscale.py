"""pix2pixHD's critic: a PatchGAN each for the image at full, half and quarter size."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from denoisebench import UsageError, discriminator

from ._patch import PatchGAN, refuse_below

MOST = 5


class Pyramid(nn.Module):
    """The same critic, with weights of its own, at each scale."""

    def __init__(self, *, scales: int, width: int, norm: str, condition: bool) -> None:
        super().__init__()
        if not 1 <= scales <= MOST:
            raise UsageError(f"multiscale takes 1 to {MOST} scales, got {scales}")
        self.critics = nn.ModuleList(
            PatchGAN("multiscale", width=width, norm=norm, condition=condition, padding=2)
            for _ in range(scales)
        )

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """Judge (B, 1, H, W), beside the noisy slice of the same shape unless condition=False."""
        refuse_below(2 ** len(self.critics), image, "multiscale")
        maps = []
        for critic in self.critics:
            if maps:
                image = halved(image)
                condition = None if condition is None else halved(condition)
            maps.append(critic(image, condition).flatten(2))
        finest = maps[0].shape[2]
        return torch.cat([interpolate(m, size=finest, mode="nearest-exact") for m in maps], dim=1)


def halved(image: Tensor) -> Tensor:
    """Average 3 × 3 pixels around every other one; pixels beyond the border do not count."""
    return avg_pool2d(image, 3, stride=2, padding=1, count_include_pad=False)


@discriminator("multiscale", parameters=8_293_827)
def multiscale(
    *, scales: int = 3, width: int = 64, norm: str = "instance", condition: bool = True
) -> nn.Module:
    """pix2pixHD's multi-scale critic (Wang et al., 2018, arXiv:1711.11585, section 3.2).

    (image, noisy), each (B, 1, H, W) in [-1, 1] → logits (B, scales, N), N those of full size.

    The paper adds the losses of three critics, each a mean over its own map. Losses here take one
    mean over all logits, in which a coarse map, with a sixteenth of the finest one's logits, would
    all but vanish. So each map is flattened and its logits are repeated evenly until there are N
    of them: every critic then has exactly the same share, and within a map the repeats differ by
    one at most. The mean is a third of the paper's sum. Its feature matching is not part of this.

    Knobs:
        scales: critics; each sees the image at half the size of the one before.
        width: channels of the first layer; the last has eight times as many.
        norm: "instance", "batch" or "none".
        condition: judge the image beside the noisy slice it came from, or by itself.
    """
    return Pyramid(scales=scales, width=width, norm=norm, condition=condition)
