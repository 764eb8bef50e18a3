"""Huber: square for small differences, straight for large ones."""

from torch import Tensor
from torch.nn.functional import huber_loss

from denoisebench import UsageError, loss


@loss("huber", weight=1000)
def huber(output: Tensor, target: Tensor, *, delta: float = 0.1) -> Tensor:
    """Mean of Huber's function over the batch (1964, doi:10.1214/aoms/1177703732); 0 at equality.

    difference² / 2 up to delta, delta · (|difference| - delta / 2) beyond, in units of [-1, 1].
    Torch's delta of 1 would be half of `mse` for nearly all that a denoiser gets wrong; 0.1 is 13
    grey levels. Beside an adversarial term its straight part is as steep as 100·l1.

    Knobs:
        delta: where the curve turns from square to straight, in units of [-1, 1].
    """
    if delta <= 0:
        raise UsageError(f"huber needs a delta above 0, got {delta:g}; 0 is l1")
    return huber_loss(output, target, delta=delta)
