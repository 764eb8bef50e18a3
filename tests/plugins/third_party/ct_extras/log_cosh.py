"""Log-cosh: squared for small differences, absolute for large ones."""

import math

from torch import Tensor
from torch.nn.functional import softplus

from denoisebench import loss

from ._scale import LEVELS


@loss("log_cosh", weight=100)
def log_cosh(output: Tensor, target: Tensor, *, turn: float = 10.0) -> Tensor:
    """Mean of log cosh of the difference over the batch; 0 at equality.

    Knobs:
        turn: where the curve turns from square to straight, in grey levels.
    """
    ratio = (output - target) * LEVELS / turn
    # log cosh x = x + softplus(-2x) - log 2, which does not overflow; the last two are 0 at 0
    return (ratio + softplus(-2 * ratio) - math.log(2)).mean() * turn / LEVELS
