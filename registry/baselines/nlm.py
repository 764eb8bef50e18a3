"""Non-local means: averages pixels whose surroundings look alike."""

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_nl_means

from denoisebench import baseline


@baseline(
    "nlm",
    package="scikit-image",
    licence="BSD-3-Clause (scikit-image)",
    tune={"h": [0.3, 0.4, 0.5, 0.6, 0.7]},
)
def nlm(
    noisy: NDArray[np.float64], sigma: float, *, h: float = 0.5, patch: int = 7, reach: int = 11
) -> NDArray[np.float64]:
    """Denoise with non-local means (Buades et al., 2005, doi:10.1109/CVPR.2005.38).

    (H, W) grey levels and their noise's standard deviation → (H, W) grey levels, not clipped.
    scikit-image's fast mode (Froment, 2014, doi:10.5201/ipol.2014.120): patches weigh alike from
    centre to rim, and the noise's share is taken off the distance between patches.

    Knobs:
        h: cut-off of the patch distance, in units of sigma; larger is smoother.
        patch: side of the patches that are compared, in pixels.
        reach: how far a patch may lie from the pixel, in pixels.
    """
    return denoise_nl_means(
        noisy, patch_size=patch, patch_distance=reach, h=h * sigma, sigma=sigma, fast_mode=True
    )
