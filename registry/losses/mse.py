"""MSE: the mean squared difference, which PSNR is a function of."""

from torch import Tensor

from denoisebench import loss


@loss("mse", weight=100)
def mse(output: Tensor, target: Tensor) -> Tensor:
    """Mean of (output - target)² over the batch, in units of [-1, 1]; 0 at equality.

    The weight beside an adversarial term is that of `l1`, so that the two can be exchanged.
    """
    return (output - target).square().mean()
