"""Where in a slice the audit looks: the body, and even soft tissue in which a lesion may stand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import isotropic_opening

from denoisebench.task import Task
from denoisebench.task.noise import normal_deviates

SKIN_HU = -300.0  # between air and fat
SOFT_HU = (-30.0, 150.0)  # mean of the surroundings, as the metric hu_bias has it
GRAIN = 1.5  # width in pixels of the Gaussian that takes the slice's own noise away
EVEN_HU = 10.0  # standard deviation of what is left of the surroundings

Mask = NDArray[np.bool_]
Place = tuple[int, int]
"""Row and column."""


def body(hu: NDArray[np.int16]) -> Mask:
    """Find the body in a clean slice: the largest piece above -300 HU, table off, holes filled."""
    pieces, count = ndimage.label(_opened(hu > SKIN_HU))
    if count == 0:
        return np.ones(hu.shape, dtype=np.bool_)
    largest = 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    return np.asarray(ndimage.binary_fill_holes(pieces == largest), dtype=np.bool_)


def _opened(mask: Mask) -> Mask:
    radius = max(1, min(mask.shape) // 128)
    return np.asarray(isotropic_opening(mask, radius))  # type: ignore[no-untyped-call]


def even_tissue(hu: NDArray[np.int16], task: Task, room: int, contrast_hu: float) -> Mask:
    """Find where a disc may be put into a clean slice.

    Args:
        hu: (H, W) of the clean slice.
        task: whose window must hold the disc.
        room: pixels to each side that must be even soft tissue.
        contrast_hu: the strongest disc, of either sign.
    Returns:
        (H, W), True at the centres of squares of even soft tissue inside the slice.
    """
    side, values = 2 * room + 1, ndimage.gaussian_filter(hu.astype(np.float64), GRAIN)
    mean = ndimage.uniform_filter(values, side)
    variance = ndimage.uniform_filter(values**2, side) - mean**2
    low, high = task.window_hu
    inside = np.zeros(hu.shape, dtype=np.bool_)
    inside[room : hu.shape[0] - room, room : hu.shape[1] - room] = True
    soft = (mean > SOFT_HU[0]) & (mean < SOFT_HU[1])
    shown = ndimage.minimum_filter(values, side) - contrast_hu >= low
    shown &= ndimage.maximum_filter(values, side) + contrast_hu <= high
    return np.asarray(inside & soft & shown & (variance < EVEN_HU**2))


def choose(mask: Mask, digest: str, count: int, apart: float, seed: int = 0) -> list[Place]:
    """Draw places of a mask at random, none nearer to another than `apart` pixels.

    Args:
        mask: see `even_tissue`.
        digest: of the slice; the same slice and seed give the same places everywhere.
        count: at most so many.
    """
    candidates = np.argwhere(mask)
    drawn: list[Place] = []
    if not len(candidates):
        return drawn
    order = np.argsort(normal_deviates(digest, "audit sites", seed, (len(candidates),)))
    left = candidates[order]
    while len(left) and len(drawn) < count:
        drawn.append((int(left[0][0]), int(left[0][1])))
        left = left[np.hypot(*(left - left[0]).T) >= apart]
    return drawn


def disc(shape: tuple[int, ...], place: Place, radius: float) -> NDArray[np.float64]:
    """Draw a disc whose edge falls from 1 to 0 over one pixel.

    Args:
        shape: (H, W).
        place: of the centre.
        radius: in pixels, where the edge is at one half.
    """
    row, column = np.ogrid[: shape[0], : shape[1]]
    distance = np.hypot(row - place[0], column - place[1])
    return np.asarray(np.clip(radius + 0.5 - distance, 0, 1))


def peaks(
    score: NDArray[np.float64], mask: Mask, above: float, apart: int
) -> Sequence[tuple[Place, float]]:
    """Find local maxima of a score inside a mask, the highest first.

    Args:
        score, mask: (H, W).
        above: the lowest that counts.
        apart: half the side of the square in which a maximum is the highest, in pixels.
    """
    inside = np.where(mask, score, -np.inf)
    top = (ndimage.maximum_filter(inside, 2 * apart + 1) == inside) & (inside >= above)
    found = [((int(r), int(c)), float(score[r, c])) for r, c in np.argwhere(top)]
    return sorted(found, key=lambda item: (-item[1], item[0]))
