"""BM3D: the strongest denoiser before networks, from its authors' wheel."""

import numpy as np
from numpy.typing import NDArray

from denoisebench import UsageError, baseline

PROFILES = ("np", "high", "refilter", "vn", "vn_old", "deb")


@baseline("bm3d", package="bm3d", licence="non-commercial (Tampere University)")
def bm3d(noisy: NDArray[np.float64], sigma: float, *, profile: str = "np") -> NDArray[np.float64]:
    """Denoise by block matching and 3-D filtering (Dabov 2007, doi:10.1109/TIP.2007.901238).

    (H, W) grey levels and their noise's standard deviation → (H, W) grey levels, not clipped.
    About ten seconds for 512² on one core. The wheel's licence is non-commercial.

    Knobs:
        profile: the wheel's settings: "np" (normal), "high", "refilter", "vn", "vn_old" or "deb".
    """
    from bm3d import bm3d as denoise

    if profile not in PROFILES:
        raise UsageError(f"no BM3D profile named {profile!r}; one of: {', '.join(PROFILES)}")
    return np.asarray(denoise(noisy, sigma_psd=float(sigma), profile=profile), dtype=np.float64)
