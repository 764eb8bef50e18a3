"""Gradient: edges where the target has them, and none where it has none."""

from typing import Literal

from kornia.filters import spatial_gradient
from torch import Tensor

from denoisebench import loss


@loss("gradient", weight=100)
def gradient(
    output: Tensor, target: Tensor, *, operator: Literal["sobel", "diff"] = "sobel"
) -> Tensor:
    """Mean absolute difference of the two image derivatives; 0 at equality.

    After the gradient difference loss (Mathieu et al., 2016, arXiv:1511.05440), with the
    derivatives themselves in place of their magnitudes, so that an edge turned round costs too. It
    does not see the mean level: for use beside a pixel loss.

    The weight beside an adversarial term is that of `l1`, in whose units per pixel it is.

    Knobs:
        operator: of the derivatives; "sobel" averages over three pixels, "diff" over none.
    """
    return spatial_gradient(output - target, mode=operator).abs().mean()
