"""A Gaussian blur: the least that a denoiser can do."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from denoisebench import UsageError, baseline


@baseline(
    "gaussian",
    package="scipy",
    licence="BSD-3-Clause (SciPy)",
    tune={"width": [0.8, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5]},
)
def gaussian(
    noisy: NDArray[np.float64], sigma: float, *, width: float = 1.5
) -> NDArray[np.float64]:
    """Convolve with a Gaussian; the noise's sigma is not looked at.

    (H, W) grey levels → (H, W) grey levels, not clipped; borders are reflected.

    Knobs:
        width: standard deviation of the Gaussian, in pixels.
    """
    if not width > 0:
        raise UsageError(f"gaussian needs a width above 0 pixels, got {width}")
    return np.asarray(gaussian_filter(noisy, width, mode="reflect"))
