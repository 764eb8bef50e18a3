"""The distance between deep features that LPIPS is, for metrics and losses."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from denoisebench import load_weights

from ._features import Layer, features

# ImageNet's mean and deviation of RGB in [0, 1], restated for [-1, 1]: 2 · 0.485 - 1 = -0.030, …
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


def distance(
    output: Tensor, target: Tensor, weights: str, layers: Sequence[Layer], eps: float = 1e-10
) -> Tensor:
    """Return LPIPS v0.1 of (B, 1, H, W) in [-1, 1] as (B,) float64.

    Zhang et al. (2018, arXiv:1801.03924, eq. 1): at each compared layer, features scaled to unit
    length over channels, squared difference, weighted sum over channels, mean over positions.
    """
    tensors = load_weights(weights, output.device)
    both = torch.cat([output, target]).float()
    total = torch.zeros(len(output), dtype=torch.float64, device=output.device)
    for head, layer in enumerate(features(both, tensors, layers, SHIFT, SCALE)):
        with torch.autocast(output.device.type, enabled=False):
            length = torch.linalg.vector_norm(layer, dim=1, keepdim=True)
            first, second = (layer / (length + eps)).chunk(2)
            apart = conv2d((first - second).square(), tensors[f"heads.{head}.weight"])
            total = total + apart.mean(dim=(1, 2, 3), dtype=torch.float64)
    return total


def clipped(grey: Tensor) -> Tensor:
    """Clip grey levels to 0–255 and map them to [-1, 1]; float32."""
    return grey.float().clamp(0, 255) / 127.5 - 1
