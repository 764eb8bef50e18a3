"""Wavelet shrinkage with BayesShrink's thresholds, averaged over shifts."""

import numpy as np
import pywt
from numpy.typing import NDArray
from skimage.restoration import cycle_spin, denoise_wavelet

from denoisebench import UsageError, baseline


@baseline(
    "wavelet",
    package="scikit-image",
    licence="BSD-3-Clause (scikit-image)",
    tune={"wavelet": ["haar", "db2", "sym4", "sym8"], "levels": [3, 4, 5, 6]},
)
def wavelet(
    noisy: NDArray[np.float64],
    sigma: float,
    *,
    wavelet: str = "sym4",
    levels: int = 4,
    shifts: int = 3,
) -> NDArray[np.float64]:
    """Soft-threshold wavelet coefficients band by band (Chang, 2000, doi:10.1109/83.862633).

    (H, W) grey levels and their noise's standard deviation → (H, W) grey levels, not clipped.
    The mean over shifted slices (Coifman & Donoho, 1995) takes off the marks of the grid.

    Knobs:
        wavelet: an orthogonal wavelet of PyWavelets: "haar", "db2", "sym8", …
        levels: of the decomposition; fewer where the slice is small.
        shifts: in each direction up to this many pixels; 0 for none.
    """
    families = pywt.wavelist(kind="discrete")
    if wavelet not in families or not pywt.Wavelet(wavelet).orthogonal:
        raise UsageError(
            f"no orthogonal wavelet named {wavelet!r}; one of: haar, db2, sym4, coif1, …"
        )
    if levels < 1 or shifts < 0:
        raise UsageError(f"wavelet needs levels ≥ 1 and shifts ≥ 0, got {levels=}, {shifts=}")
    # A filter longer than the coarsest band would see the border only.
    deepest = max(1, pywt.dwtn_max_level(noisy.shape, wavelet))
    settings = {
        "sigma": sigma,
        "wavelet": wavelet,
        "method": "BayesShrink",
        "mode": "soft",
        "wavelet_levels": min(levels, deepest),
        "rescale_sigma": True,
    }
    smooth = cycle_spin(noisy, denoise_wavelet, max_shifts=shifts, workers=1, func_kw=settings)
    return np.asarray(smooth)
