"""my_plugin: the mean absolute error. Say here what yours measures, and whose it is."""

import torch
from torch import Tensor

from denoisebench import metric


# A change of the numbers raises `version`: boards never mix versions. `better` is "higher" or
# "lower"; the unit stands at the head of the column.
@metric("my_plugin", unit="grey levels", better="lower", version=1)
@torch.no_grad()
def my_plugin(output: Tensor, target: Tensor, *, border: int = 0) -> Tensor:
    """Mean absolute error per slice; 0 for equal slices.

    (output, target), each (B, 1, H, W) grey levels, not clipped → (B,) float64.

    Knobs:
        border: pixels left out on each side.
    """
    height, width = output.shape[-2:]
    inside = (..., slice(border, height - border), slice(border, width - border))
    error = output[inside].double() - target[inside].double()
    return error.abs().mean(dim=(1, 2, 3))
