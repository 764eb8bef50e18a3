"""Total variation: an output rougher than it should be."""

from typing import Literal

from kornia.losses import total_variation
from torch import Tensor

from denoisebench import loss


@loss("tv", weight=10)
def tv(
    output: Tensor, target: Tensor, *, beyond: Literal["target", "nothing"] = "target"
) -> Tensor:
    """Mean total variation beyond the target's; 0 at equality.

    Of each slice the mean absolute difference of neighbours down plus across, less the target's, or
    0 where it has no more than the target. The literature's regulariser (after Rudin et al., 1992,
    doi:10.1016/0167-2789(92)90242-F) looks at the output alone, is least for a constant slice, and
    so pulls detail out of a right output; this one has the same gradient while the output is
    rougher than the target, and none after. It does not say where the variation is: for use beside
    a pixel loss.

    The weight beside an adversarial term is a tenth of `l1`'s: it regularises.

    Knobs:
        beyond: what costs nothing: the variation of the "target", or "nothing" for the literature's
            total variation of the output.
    """
    variation = total_variation(output, reduction="mean")
    if beyond == "target":
        variation = (variation - total_variation(target, reduction="mean")).relu()
    return variation.mean()
