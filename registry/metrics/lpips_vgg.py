"""LPIPS with VGG16's features: slower than AlexNet's, and closer to texture."""

import torch
from torch import Tensor

from denoisebench import metric

from ._lpips import distance

# stride, padding, pooled before by, compared; five groups of 3 × 3 convolutions, the last compared
LAYERS = (
    (1, 1, 0, False), (1, 1, 0, True),
    (1, 1, 2, False), (1, 1, 0, True),
    (1, 1, 2, False), (1, 1, 0, False), (1, 1, 0, True),
    (1, 1, 2, False), (1, 1, 0, False), (1, 1, 0, True),
    (1, 1, 2, False), (1, 1, 0, False), (1, 1, 0, True),
)  # fmt: skip


@metric("lpips_vgg", unit="", better="lower", version=1, weights="lpips-vgg")
@torch.no_grad()
def lpips_vgg(output: Tensor, target: Tensor) -> Tensor:
    """Learned perceptual distance per slice on VGG16, v0.1 (Zhang et al., 2018, arXiv:1801.03924).

    Grey levels are clipped to 0–255, mapped to [-1, 1], the network's range, and repeated to three
    channels; 0 for equal slices.

    (output, target), each (B, 1, H, W) grey levels; sides of at least 16 → (B,) float64.

    Raises:
        Unavailable: the weights "lpips-vgg" are not in the cache folder.

    Differs from: `lpips` (AlexNet), whose values are on another scale.
    """
    return distance(output, target, "lpips-vgg", LAYERS)
