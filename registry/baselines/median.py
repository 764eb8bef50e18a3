"""A median filter: keeps edges that a blur would soften."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from denoisebench import UsageError, baseline


@baseline(
    "median",
    package="scipy",
    licence="BSD-3-Clause (SciPy)",
    tune={"size": [3, 5, 7, 9, 11]},
)
def median(noisy: NDArray[np.float64], sigma: float, *, size: int = 5) -> NDArray[np.float64]:
    """Take the median of a square around each pixel (Tukey, 1977); sigma is not looked at.

    (H, W) grey levels → (H, W) grey levels, not clipped; borders are reflected.

    Knobs:
        size: side of the square, in pixels, odd.
    """
    if size < 1 or size % 2 == 0:
        raise UsageError(f"median needs an odd size of at least 1, got {size}; use median(size=5)")
    return np.asarray(median_filter(noisy, size, mode="reflect"))
