"""LPIPS with AlexNet's features: how different two slices look."""

import torch
from torch import Tensor

from denoisebench import metric

from ._features import ALEXNET
from ._lpips import clipped, distance


@metric("lpips", unit="", better="lower", version=1, weights="lpips-alex")
@torch.no_grad()
def lpips(output: Tensor, target: Tensor) -> Tensor:
    """Learned perceptual distance per slice, v0.1 (Zhang et al., 2018, arXiv:1801.03924).

    Grey levels are clipped to 0–255, mapped to [-1, 1], the network's range, and repeated to three
    channels; 0 for equal slices.

    (output, target), each (B, 1, H, W) grey levels; sides of at least 31 → (B,) float64.

    Raises:
        Unavailable: the weights "lpips-alex" are not in the cache folder.

    Differs from: the package lpips given values in [0, 1], as its `normalize=True` expects them
    (equal where given values in [-1, 1]); piq and torchmetrics, which clip nothing.
    """
    return distance(clipped(output), clipped(target), "lpips-alex", ALEXNET)
