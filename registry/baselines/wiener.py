"""The local Wiener filter: shrinks each pixel to its neighbourhood's mean."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import wiener as filtered

from denoisebench import UsageError, baseline


@baseline(
    "wiener",
    package="scipy",
    licence="BSD-3-Clause (SciPy)",
    tune={"size": [3, 5, 7, 9, 11]},
)
def wiener(noisy: NDArray[np.float64], sigma: float, *, size: int = 5) -> NDArray[np.float64]:
    """Shrink by the share of local variance that is not noise (Lee, 1980).

    doi:10.1109/TPAMI.1980.4766994. (H, W) grey levels and their noise's standard deviation →
    (H, W) grey levels, not clipped; borders are reflected.

    Knobs:
        size: side of the square in which mean and variance are taken, in pixels, odd.
    """
    if size < 3 or size % 2 == 0:
        raise UsageError(f"wiener needs an odd size of at least 3, got {size}; use wiener(size=5)")
    rim = size // 2  # SciPy pads with zeros, which would darken the border
    with np.errstate(divide="ignore", invalid="ignore"):  # no variance: it takes the mean there
        smooth = filtered(np.pad(noisy, rim, mode="symmetric"), size, noise=sigma**2)
    return np.asarray(smooth[rim:-rim, rim:-rim]).copy()
