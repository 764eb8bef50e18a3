"""Means of blocks of a slice in clipped HU: what slices are compared by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 16  # of a thumbnail, cells
UNIT = 16  # steps per HU
FLOOR, CEILING = -950, 950  # HU; air, its noise and any padding become one value


def thumbnail(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    """Shrink a slice, (H, W) HU, to (16, 16) means of blocks in 1/16 HU, clipped to ± 950 HU."""
    return means(hu, SIDE)


def means(hu: NDArray[np.int16], side: int) -> NDArray[np.int16]:
    """Average blocks of equal area: (H, W) HU, no side below `side`, to (side, side) in 1/16 HU."""
    rows = _strips(np.clip(hu, FLOOR, CEILING), side)
    return np.rint(_strips(rows.T, side).T * UNIT).astype(np.int16)


def turned(image: NDArray[Any], turn: int) -> NDArray[Any]:
    """Return one of the eight orientations of an image; 0 is upright, odd ones swap its sides."""
    return np.rot90(image.T if turn >= 4 else image, turn)


def _strips(image: NDArray[Any], count: int) -> NDArray[np.float64]:
    """Average strips of rows; a row that an edge cuts counts for both sides by its parts.

    So turned slices have turned means, whatever their size.
    """
    edges = np.arange(1, count) * len(image) / count
    whole = edges.astype(np.intp)
    sums = np.stack([part.sum(axis=0, dtype=np.float64) for part in np.split(image, whole)])
    cut = (edges - whole)[:, None] * image[whole]
    sums[:-1] += cut
    sums[1:] -= cut
    return sums * (count / len(image))
