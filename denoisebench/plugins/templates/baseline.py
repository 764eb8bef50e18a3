"""my_plugin: shrinks each pixel to its neighbourhood's mean. Say here whose method yours is."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from denoisebench import UsageError, baseline


# `tune` lists values that are tried on validation slices when the user sets none.
@baseline("my_plugin", tune={"size": [3, 5, 7, 9]})
def my_plugin(noisy: NDArray[np.float64], sigma: float, *, size: int = 5) -> NDArray[np.float64]:
    """Keep the share of the local variance that is not noise.

    (H, W) grey levels, 0-255 and with noise beyond, and the noise's standard deviation in grey
    levels → (H, W) grey levels, not clipped. The input is not written to.

    Knobs:
        size: side of the neighbourhood, in pixels.
    """
    if size < 2:
        raise UsageError(f"my_plugin needs a size of at least 2 pixels, got {size}")
    mean = uniform_filter(noisy, size, mode="reflect")
    variance = uniform_filter((noisy - mean) ** 2, size, mode="reflect")
    share = np.maximum(variance - sigma**2, 0) / np.maximum(variance, 1e-12)
    smooth: NDArray[np.float64] = mean + share * (noisy - mean)
    return smooth
