"""Structural dissimilarity over several scales: 1 - MS-SSIM."""

from torch import Tensor

from denoisebench import loss

from ..metrics._ms_ssim import similarity

LEAST = 1e-6  # a product with a 0 among its factors has no gradient


@loss("ms_ssim", weight=10)
def ms_ssim(output: Tensor, target: Tensor) -> Tensor:
    """1 - mean MS-SSIM of the batch (Wang et al., 2003, doi:10.1109/ACSSC.2003.1292216).

    0 at equality. (B, 1, H, W) in [-1, 1], mapped to [0, 1]; values beyond are mapped alike. The
    five scales need patches of 176: on smaller ones, as in training, the scales that fit are taken
    (3 for 64, 4 for 96 and 128) and their weights scaled to add to 1. A scale whose mean is
    negative, as of an output that is the target's negative, counts as 1e-6 and gives no gradient,
    but leaves the other scales theirs.

    The weight beside an adversarial term is that of `ssim`.
    """
    return (1 - similarity((output + 1) / 2, (target + 1) / 2, 1.0, LEAST)).mean()
