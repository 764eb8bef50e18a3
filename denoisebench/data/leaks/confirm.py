"""Whether two slices are copies: three quarters of the body differ by little.

Little beside a step, which is what neighbouring cells of 64 × 64 differ by: so smooth scans and
noisy ones are held to one measure.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from denoisebench.data.leaks.means import UNIT, means, turned
from denoisebench.data.scan import digest_of

FINE = 64  # cells; no slice of CT is smaller
BODY_HU = -900
BODY_SHARE = 0.01  # of the cells; slices with less are copies only where all pixels are equal
COPY_STEPS = 0.25  # half of what slices 1.5 mm apart would differ by
COPY_HU = 1.5  # what copies may differ by where steps are smaller still, as in water
CROP = 2  # pixels by which a side may be shorter


@dataclass(frozen=True, eq=False)
class Sight:
    """A slice as it is compared.

    Attributes:
        shape: of the slice.
        grid: (64, 64) in 1/16 HU.
        step: between neighbours in the body, the median, HU.
        digest: of all pixels where too few show a body, else "".
    """

    shape: tuple[int, ...]
    grid: NDArray[np.int16]
    step: float
    digest: str

    @classmethod
    def of(cls, hu: NDArray[np.int16]) -> "Sight":
        """Look at a slice, (H, W) HU, at least 64 a side."""
        grid = means(hu, FINE)
        body = grid > BODY_HU * UNIT
        steps = np.abs(np.diff(grid, axis=1))[body[:, 1:] & body[:, :-1]]
        step = float(np.median(steps)) / UNIT if steps.size else 0.0
        empty = body.mean() < BODY_SHARE
        return cls(hu.shape, grid, step, digest_of(hu) if empty else "")


def difference(first: Sight, second: Sight, turn: int) -> float | None:
    """Return by how many HU copies differ, None for slices that are no copies.

    Args:
        first, second: of one size, or one a resampled copy.
        turn: the orientation of the second.
    """
    grid = turned(second.grid, turn)
    body = np.maximum(first.grid, grid) > BODY_HU * UNIT
    if body.mean() < BODY_SHARE:
        return 0.0 if (first.shape, first.digest) == (second.shape, second.digest) else None
    apart = float(np.quantile(np.abs(first.grid - grid)[body], 0.75)) / UNIT
    return apart if apart <= max(COPY_HU, COPY_STEPS * min(first.step, second.step)) else None


def nearly_one_size(first: Sight, second: Sight, turn: int) -> bool:
    """Tell whether one may be cropped from the other."""
    shape = second.shape[::-1] if turn % 2 else second.shape
    spare = [abs(one - other) for one, other in zip(first.shape, shape, strict=True)]
    return 0 < max(spare) <= CROP


def difference_of_crops(
    first: NDArray[np.int16], second: NDArray[np.int16], turn: int
) -> float | None:
    """Return what `difference` does once both are cut to one size, wherever they fit best."""
    second = turned(second, turn)
    rows, columns = map(min, first.shape, second.shape)
    found = [
        difference(Sight.of(one), Sight.of(other), 0)
        for one in _windows(first, rows, columns)
        for other in _windows(second, rows, columns)
    ]
    return min((hu for hu in found if hu is not None), default=None)


def _windows(image: NDArray[np.int16], rows: int, columns: int) -> NDArray[np.int16]:
    return sliding_window_view(image, (rows, columns)).reshape(-1, rows, columns)
