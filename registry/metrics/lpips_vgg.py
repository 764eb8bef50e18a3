"""LPIPS with VGG16's features: slower than AlexNet's, and closer to texture."""

import torch
from torch import Tensor

from denoisebench import metric

from ._features import VGG16
from ._lpips import clipped, distance


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
    return distance(clipped(output), clipped(target), "lpips-vgg", VGG16)
