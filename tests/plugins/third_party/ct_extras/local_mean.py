"""The mean of a square around each pixel."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from denoisebench import baseline


@baseline("local_mean", tune={"size": [3, 5, 7]})
def local_mean(noisy: NDArray[np.float64], sigma: float, *, size: int = 5) -> NDArray[np.float64]:
    """Average a square.

    Knobs:
        size: side of the square, in pixels.
    """
    return uniform_filter(noisy, size)
