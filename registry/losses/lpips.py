"""LPIPS: learned perceptual distance, to train by."""

from typing import Literal

from torch import Tensor

from denoisebench import UsageError, loss

from ..metrics._features import ALEXNET, VGG16
from ..metrics._lpips import distance

SMALLEST = {"vgg": 16, "alex": 31}


@loss("lpips", weight=10, weights="lpips-vgg")
def lpips(output: Tensor, target: Tensor, *, network: Literal["vgg", "alex"] = "vgg") -> Tensor:
    """Mean LPIPS v0.1 of the batch (Zhang et al., 2018, arXiv:1801.03924); 0 at equality.

    (B, 1, H, W) in [-1, 1], the networks' own range, repeated to three channels; values beyond are
    taken as they are, so that they keep a gradient, where the metric clips. Networks and heads are
    frozen, and computed in float32 also under autocast.

    The weight beside an adversarial term is that of `ssim`, whose size it has.

    Raises:
        Unavailable: the network's weights are not in the cache folder.

    Knobs:
        network: "vgg", which the authors advise to optimise by, or "alex", which the metric
            `lpips` scores with and which a training by it would learn to please.
    """
    height, width = output.shape[-2:]
    if min(height, width) < SMALLEST[network]:
        raise UsageError(
            f"lpips({network!r}) needs sides of at least {SMALLEST[network]}, got "
            f"{height} × {width}; use a larger --patch"
        )
    layers = VGG16 if network == "vgg" else ALEXNET
    return distance(output, target, f"lpips-{network}", layers).mean().float()
