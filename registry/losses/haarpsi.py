"""HaarPSI: dissimilarity of Haar wavelet coefficients."""

from torch import Tensor

from denoisebench import loss

from ..metrics._haarpsi import haar_similarity


@loss("haarpsi", weight=10)
def haarpsi(output: Tensor, target: Tensor) -> Tensor:
    """1 - mean HaarPSI of the batch (Reisenhofer et al., 2018, doi:10.1016/j.image.2017.11.001).

    0 at equality, where both are black too. (B, 1, H, W) in [-1, 1], mapped to grey levels 0–255;
    values beyond are mapped alike: the formula takes magnitudes, whereas piq asserts the range.
    Of the mean level it sees the border only: for use beside a pixel loss.

    The weight beside an adversarial term is that of `ssim`, whose size it has.
    """
    similar = haar_similarity((output + 1) * 127.5, (target + 1) * 127.5)
    return (1 - similar).clamp(min=0).mean()  # float32 gives up to 1e-6 above 1 at equality
