"""L1: the mean absolute difference."""

from torch import Tensor

from denoisebench import loss


@loss("l1", weight=100)
def l1(output: Tensor, target: Tensor) -> Tensor:
    """Mean of |output - target| over the batch, in units of [-1, 1]; 0 at equality.

    Beside an adversarial term its weight is pix2pix's λ (Isola et al., 2017, arXiv:1611.07004).
    """
    return (output - target).abs().mean()
