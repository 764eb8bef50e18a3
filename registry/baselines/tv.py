"""Total variation: the flattest slice that explains the noisy one."""

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_tv_chambolle

from denoisebench import UsageError, baseline


@baseline(
    "tv",
    package="scikit-image",
    licence="BSD-3-Clause (scikit-image)",
    tune={"weight": [0.8, 1.0, 1.2, 1.4, 1.7, 2.0]},
)
def tv(
    noisy: NDArray[np.float64], sigma: float, *, weight: float = 1.2, steps: int = 200
) -> NDArray[np.float64]:
    """Minimise total variation near the noisy slice (Rudin, 1992; solver: Chambolle, 2004).

    doi:10.1016/0167-2789(92)90242-F, doi:10.1023/B:JMIV.0000011325.36760.1e. (H, W) grey levels
    and their noise's standard deviation → (H, W) grey levels, not clipped.

    Knobs:
        weight: of total variation against the squared difference, in units of sigma; larger is
            flatter.
        steps: of the solver, at most; it stops before where nothing changes any more.
    """
    if not weight > 0 or steps < 1:
        raise UsageError(f"tv needs weight above 0 and steps ≥ 1, got weight={weight}, {steps=}")
    smooth = denoise_tv_chambolle(noisy, weight=weight * sigma, eps=1e-4, max_num_iter=steps)
    return np.asarray(smooth)
