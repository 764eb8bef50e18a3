"""The distance between deep features that LPIPS is, for `lpips` and `lpips_vgg`."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from denoisebench import load_weights

# ImageNet's mean and deviation of RGB in [0, 1], restated for [-1, 1]: 2 · 0.485 - 1 = -0.030, …
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)

Layer = tuple[int, int, int, bool]
"""Of a convolution: stride, padding, side of the max-pool before it (0: none), compared or not."""


def distance(
    output: Tensor, target: Tensor, weights: str, layers: Sequence[Layer], eps: float = 1e-10
) -> Tensor:
    """Return LPIPS v0.1 of (B, 1, H, W) grey levels as (B,) float64.

    Zhang et al. (2018, arXiv:1801.03924, eq. 1): at each compared layer, features scaled to unit
    length over channels, squared difference, weighted sum over channels, mean over positions.
    """
    tensors = load_weights(weights, output.device)
    with torch.autocast(output.device.type, enabled=False):
        both = torch.cat([prepared(output), prepared(target)])
        total = torch.zeros(len(output), dtype=torch.float64, device=output.device)
        head = 0
        for index, (stride, padding, pool, compared) in enumerate(layers):
            if pool:
                both = max_pool2d(both, pool, stride=2)
            kernel, bias = (tensors[f"features.{index}.{part}"] for part in ("weight", "bias"))
            both = conv2d(both, kernel, bias, stride=stride, padding=padding).relu()
            if compared:
                unit = both / (both.square().sum(dim=1, keepdim=True).sqrt() + eps)
                first, second = unit.chunk(2)
                apart = conv2d((first - second).square(), tensors[f"heads.{head}.weight"])
                total += apart.mean(dim=(1, 2, 3), dtype=torch.float64)
                head += 1
    return total


def prepared(grey: Tensor) -> Tensor:
    """Clip grey levels to 0–255, map them to [-1, 1], repeat to RGB, standardise; float32."""
    unit = grey.float().clamp(0, 255) / 127.5 - 1
    shift, scale = (unit.new_tensor(values).view(1, 3, 1, 1) for values in (SHIFT, SCALE))
    return (unit.expand(-1, 3, -1, -1) - shift) / scale
