"""The bilateral filter: a blur that stops where the grey level changes."""

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_bilateral

from denoisebench import UsageError, baseline


@baseline(
    "bilateral",
    package="scikit-image",
    licence="BSD-3-Clause (scikit-image)",
    tune={"width": [1.5, 2.0, 3.0], "tolerance": [1.5, 2.0, 3.0, 4.0]},
)
def bilateral(
    noisy: NDArray[np.float64], sigma: float, *, width: float = 2.0, tolerance: float = 3.0
) -> NDArray[np.float64]:
    """Weigh neighbours by distance and by likeness (Tomasi, 1998, doi:10.1109/ICCV.1998.710815).

    (H, W) grey levels and their noise's standard deviation → (H, W) grey levels, not clipped.

    Knobs:
        width: standard deviation of the spatial weight, in pixels.
        tolerance: standard deviation of the weight of grey levels, in units of sigma.
    """
    if not (width > 0 and tolerance > 0):
        raise UsageError(
            f"bilateral needs width and tolerance above 0, got width={width}, tolerance={tolerance}"
        )
    low = float(noisy.min())
    if noisy.max() == low:
        return noisy.copy()
    # scikit-image tabulates weights up to the largest value, which is the range from 0 only.
    smooth = denoise_bilateral(
        noisy - low, sigma_color=tolerance * sigma, sigma_spatial=width, mode="symmetric"
    )
    return np.asarray(smooth + low)
