"""Charbonnier: L1, smooth at zero (Charbonnier et al., 1994, doi:10.1109/ICIP.1994.413553)."""

from torch import Tensor

from denoisebench import UsageError, loss


@loss("charbonnier", weight=100)
def charbonnier(output: Tensor, target: Tensor, *, eps: float = 1e-3) -> Tensor:
    """Mean of sqrt(difference² + eps²) - eps over the batch, in units of [-1, 1]; 0 at equality.

    The weight beside an adversarial term is that of `l1`, which it equals but for small errors.

    Knobs:
        eps: where the curve turns from square to straight, in units of [-1, 1].
    """
    if eps <= 0:
        raise UsageError(f"charbonnier needs an eps above 0, got {eps:g}; 0 is l1")
    return ((output - target).square() + eps**2).sqrt().mean() - eps
