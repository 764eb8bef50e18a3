"""Pairs of slices whose thumbnails are near in one of the eight orientations: every such pair.

Cells that orientations exchange are summed: these 21 sums, scaled, are the same in every
orientation and never lie further apart than the thumbnails do. They are sorted along the direction
in which they differ most, so that each is compared with those near it on that line only.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.leaks.means import SIDE, UNIT, turned

EDGE = 2  # cells at each side that are not looked at: annotations stand there
CANDIDATE_HU = 25.0  # root mean square over cells
BLOCK = 2048  # rows compared at a time: 16 MiB of distances

Rows = NDArray[np.intp]


def near_some_way(thumbnails: NDArray[np.int16], groups: NDArray[np.integer]) -> Iterator[Rows]:
    """Yield (M, 2) rows of unlike groups that may be near: all that are, and a few others.

    Args:
        thumbnails: (N, 16, 16), 1/16 HU.
        groups: (N,).
    """
    parts = range(0, len(thumbnails), BLOCK)
    sums = _sums()
    features = np.concatenate([inner(thumbnails[part : part + BLOCK]) @ sums for part in parts])
    features -= features.mean(axis=0)
    axis = np.linalg.eigh(features.T @ features)[1][:, -1]
    order = np.argsort(features @ axis, kind="stable")
    features, groups = features[order], groups[order]
    along, squares = features @ axis, np.square(features).sum(axis=1)
    for start in parts:
        rows = slice(start, start + BLOCK)
        reach = along[rows].max() + CANDIDATE_HU + 0.01
        end = int(np.searchsorted(along, reach, side="right"))
        for other in range(start, end, BLOCK):
            columns = slice(other, min(other + BLOCK, end))
            # |a - b|² = |a|² + |b|² - 2ab; float32 rounds it by less than 1, as |a|² is below 1e6
            apart = features[rows] @ (-2 * features[columns].T)
            apart += squares[rows, None]
            apart += squares[columns]
            first, second = np.nonzero(apart <= CANDIDATE_HU**2 + 1)
            first, second = first + start, second + other
            sought = (first < second) & (groups[first] != groups[second])
            pairs = np.column_stack([order[first[sought]], order[second[sought]]])
            yield from (pairs[part : part + BLOCK] for part in range(0, len(pairs), BLOCK))


def near(thumbnails: NDArray[np.int16], pairs: Rows) -> Rows:
    """Return (M, 3): the pairs that are near, and in which orientation of the second."""
    first, second = inner(thumbnails[pairs[:, 0]]), inner(thumbnails[pairs[:, 1]])
    found = [np.empty((0, 3), np.intp)]
    for turn, cells in enumerate(ORIENTATIONS):
        apart = np.square(first - second[:, cells]).mean(axis=1)
        those = pairs[apart <= CANDIDATE_HU**2]
        found.append(np.column_stack([those, np.full(len(those), turn)]))
    return np.concatenate(found)


def inner(thumbnails: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return (N, 144) HU: the cells that are looked at."""
    cells = slice(EDGE, SIDE - EDGE)
    seen = thumbnails[:, cells, cells].reshape(len(thumbnails), (SIDE - 2 * EDGE) ** 2)
    hu: NDArray[np.float32] = np.multiply(seen, 1 / UNIT, dtype=np.float32)
    return hu


def orientations(side: int) -> Rows:
    """Return (8, side²): which cell of an image stands where in each orientation."""
    cells = np.arange(side * side).reshape(side, side)
    return np.stack([turned(cells, turn).ravel() for turn in range(8)])


ORIENTATIONS = orientations(SIDE - 2 * EDGE)


def _sums() -> NDArray[np.float32]:
    """Return (144, 21): what makes the sums that no orientation changes."""
    _, orbit, members = np.unique(ORIENTATIONS.min(axis=0), return_inverse=True, return_counts=True)
    sums = np.eye(len(members))[orbit] / np.sqrt(members * len(orbit))
    small: NDArray[np.float32] = sums.astype(np.float32)
    return small
