"""Bias of HU per tissue, with its sign."""

import numpy as np
from numpy.typing import NDArray

TISSUES_HU = {
    "air": (-np.inf, -500.0),
    "fat": (-190.0, -30.0),
    "soft": (-30.0, 150.0),
    "bone": (150.0, np.inf),
}
"""From, below; as the metric hu_bias has them, with lung and air as one: a window cuts both off."""
FEWEST = 50  # pixels: the mean of fewer is noise more than bias


def bias(error_hu: NDArray[np.float64], hu: NDArray[np.int16], tissue: str) -> float | None:
    """Mean error in a tissue.

    Args:
        error_hu: (H, W) mean output less clean slice, both in the task's window.
        hu: (H, W) of the clean slice, not cut off by the window.
        tissue: of TISSUES_HU.
    Returns:
        HU, above 0 where the output is too bright; None where there is too little of the tissue.
    """
    low, high = TISSUES_HU[tissue]
    mask = (hu >= low) & (hu < high)
    return float(error_hu[mask].mean()) if mask.sum() >= FEWEST else None
