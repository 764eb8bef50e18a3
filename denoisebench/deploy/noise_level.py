"""How much noise stands in a slice's soft tissue."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, convolve, gaussian_filter

TISSUE_HU = (-200.0, 300.0)  # means of fat, organs and enhanced vessels
WIDTH = 3.0  # pixels; of the Gaussian whose mean tells tissue from air and bone
MARGIN = 4  # pixels from what is none
LEAST = 500  # pixels
NORMAL_MAD = 0.6745  # median of |x| for a standard normal x
# What no plane, no slope and no straight edge along rows or columns passes.
DETAIL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6


def noise_level(hu: NDArray[np.float64], padding: NDArray[np.bool_]) -> float | None:
    """Estimate the deviation of the noise from pixel to pixel, in HU.

    A slice's structure passes the filter at edges only, and the median ignores them. Noise that
    reconstruction made smooth counts less than its deviation: a denoiser of white noise does not
    know it either.

    Args:
        hu: (H, W).
        padding: (H, W), where nothing was measured.
    Returns:
        None where there is too little tissue.
    Source: Immerkær (1996), doi:10.1006/cviu.1996.0060, with the median for the mean.
    """
    low, high = TISSUE_HU
    bounded = np.where(padding, -1000.0, hu).clip(-3000, 3000)
    mean = gaussian_filter(bounded, WIDTH)
    tissue = binary_erosion((mean > low) & (mean < high), iterations=MARGIN)
    if np.count_nonzero(tissue) < LEAST:
        return None
    detail = convolve(bounded, DETAIL, mode="nearest")
    return float(np.median(np.abs(detail[tissue])) / NORMAL_MAD)
