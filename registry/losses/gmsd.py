"""GMSD: how unevenly gradients differ."""

from torch import Tensor

from denoisebench import loss

from ..metrics._gmsd import gradient_similarity

VARIANCE = 1e-8  # the root of a variance has no finite gradient at 0


@loss("gmsd", weight=10)
def gmsd(output: Tensor, target: Tensor) -> Tensor:
    """Mean gradient magnitude similarity deviation (Xue et al., 2014, arXiv:1308.3052).

    0 at equality. (B, 1, H, W) in [-1, 1], mapped to [0, 1]; values beyond are mapped alike. The
    deviation over each slice is taken as sqrt(variance + 1e-8) - 1e-4, at most 1e-4 below the
    metric `gmsd`. It knows no grey level, and an error that is the same everywhere costs nothing:
    for use beside a pixel loss.

    The weight beside an adversarial term is that of `ssim`, whose size it has.
    """
    similar = gradient_similarity((output + 1) / 2, (target + 1) / 2)
    variance = similar.var(dim=(1, 2, 3), correction=0)
    return ((variance + VARIANCE).sqrt() - VARIANCE**0.5).mean()
