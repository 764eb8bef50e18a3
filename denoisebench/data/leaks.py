"""Slices that are copies of one another, though their files and names differ.

Found: copies that were renamed, re-encoded without loss, shifted by ± 1 HU, padded otherwise,
rescaled, flipped or turned by quarters, cropped by a pixel or two, resampled to half the matrix,
annotated in a corner, or compressed 10:1 by JPEG 2000 and decompressed again. Not promised: copies
moved inside the same matrix, windowed, off by more than 2 HU, with noise added, reconstructed anew.

Candidates first: all pairs of thumbnails are compared, in all eight orientations; sorting along the
direction in which thumbnails differ most leaves out pairs that cannot be near. Then both slices are
read and compared at 64 × 64: of copies, three quarters of the body differ by little beside what
neighbouring cells of one slice differ by. So smooth and noisy scans are held to one measure.

Measured on 185 slices of 45 patients of nine public collections, 192 slices of the phantom, and
every slice of six scans, 2.5 to 10 mm apart:

| | thumbnails differ by, HU | the body differs by, of a step between cells |
|---|---|---|
| copies ± 1 HU, or rounded to even HU | at most 1 | at most 0.11 |
| copies cropped by 1 or 2 pixels | at most 22 | 0 |
| copies at half the matrix | at most 2 | at most 0.06 |
| copies in JPEG 2000 at 10:1; at 20:1 | at most 0.4; 1.2 | at most 0.08; 0.19 |
| next slices of one scan; third from it | from 10; from 24 | from 0.70; from 1.57 |
| nearest slices of two patients | from 60 | from 6.3 |
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

SIDE, FINE = 16, 64
UNIT = 16  # steps per HU
FLOOR, CEILING = -950, 950  # HU; air, its noise and any padding become one value
EDGE = 2  # cells of a thumbnail at each side where annotations stand, and candidates do not look
CANDIDATE_HU = 25.0
COPY_STEPS = 0.25  # half of what slices 1.5 mm apart, by the table, differ by
COPY_HU = 1.5  # what copies may differ by where steps are smaller still, as in water
BODY_HU = -900
BODY_SHARE = 0.01  # of the cells; slices with less are copies only where all pixels are equal
CROP = 2  # pixels a side
BLOCK = 2048  # rows compared at a time: 16 MiB of distances
KEPT = 4096  # slices at 64 × 64 kept in memory: 32 MiB

Read = Callable[[int], NDArray[np.int16]]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Copy:
    """Two rows that show the same slice.

    Attributes:
        first, second: rows, first < second.
        difference_hu: three quarters of the body differ by no more, at 64 × 64.
    """

    first: int
    second: int
    difference_hu: float


def thumbnail(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    """Shrink a slice, (H, W) HU, to (16, 16) means of blocks in 1/16 HU, clipped to ± 950 HU."""
    return _means(hu, SIDE)


def near_copies(
    thumbnails: NDArray[np.int16], groups: NDArray[np.integer], read: Read
) -> list[Copy]:
    """Find the slices that are copies of a slice in another group.

    Every slice with a copy in another group is in one of the pairs at least. Two slices that other
    pairs link already are not compared, so that a thousand copies of one slice are a thousand
    pairs and not a million.

    Args:
        thumbnails: (N, 16, 16), as `thumbnail` makes them.
        groups: (N,) of whom each slice is, or in which split.
        read: gives a row's slice, (H, W) HU, at least 64 a side; asked for candidates only.

    Returns:
        The pairs in the order of their rows.
    """
    sight = lru_cache(KEPT)(lambda row: _Sight.of(read(row)))
    copies, links = [], _Links(len(thumbnails))
    for pairs in _near_some_way(thumbnails, groups):
        unlinked = pairs[links.of[pairs[:, 0]] != links.of[pairs[:, 1]]]
        for first, second, turn in _near(thumbnails, unlinked).tolist():
            if links.of[first] == links.of[second]:
                continue
            difference = _difference(sight(first), sight(second), turn)
            if difference is None and _nearly_one_size(sight(first), sight(second), turn):
                difference = _difference_of_crops(read(first), read(second), turn)
            if difference is not None:
                copies.append(Copy(min(first, second), max(first, second), difference))
                links.join(first, second)
    return sorted(copies, key=lambda copy: (copy.first, copy.second))


class _Links:
    """Which rows are copies of one another, by way of others too.

    Attributes:
        of: (N,) a number for each row, equal where rows are linked.
    """

    def __init__(self, rows: int) -> None:
        self.of = np.arange(rows)
        self._members: dict[int, list[int]] = {}

    def join(self, first: int, second: int) -> None:
        names = [int(self.of[row]) for row in (first, second)]
        few, many = sorted((self._members.pop(name, [name]) for name in names), key=len)
        self.of[few] = self.of[many[0]]
        self._members[int(self.of[many[0]])] = many + few


@dataclass(frozen=True, eq=False)
class _Sight:
    """A slice as it is compared.

    Attributes:
        shape: of the slice.
        grid: (64, 64) in 1/16 HU.
        step: between neighbours in the body, the median, in 1/16 HU.
        digest: of all pixels, where too few show a body.
    """

    shape: tuple[int, ...]
    grid: NDArray[np.int16]
    step: float
    digest: bytes

    @classmethod
    def of(cls, hu: NDArray[np.int16]) -> "_Sight":
        grid = _means(hu, FINE)
        body = grid > BODY_HU * UNIT
        steps = np.abs(np.diff(grid, axis=1))[body[:, 1:] & body[:, :-1]]
        step = float(np.median(steps)) if steps.size else 0.0
        empty = body.mean() < BODY_SHARE
        return cls(hu.shape, grid, step, sha256(hu.tobytes()).digest() if empty else b"")


def _means(hu: NDArray[np.int16], side: int) -> NDArray[np.int16]:
    """Average blocks of clipped HU: (H, W) to (side, side), in 1/16 HU."""
    clipped = np.clip(hu, FLOOR, CEILING)
    rows, columns = (np.arange(side) * length // side for length in hu.shape)
    strips = [strip.sum(axis=0, dtype=np.int32) for strip in np.split(clipped, rows[1:])]
    sums = np.add.reduceat(np.stack(strips), columns, axis=1)
    tall, wide = np.diff(rows, append=hu.shape[0]), np.diff(columns, append=hu.shape[1])
    return np.rint(sums * (UNIT / np.outer(tall, wide))).astype(np.int16)


def _turned(image: NDArray[Any], turn: int) -> NDArray[Any]:
    """Return one of the eight orientations of an image; 0 is upright."""
    return np.rot90(image.T if turn >= 4 else image, turn)


def _inner(thumbnails: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return (N, 144) HU: the cells that candidates look at."""
    inner = thumbnails[:, EDGE:-EDGE, EDGE:-EDGE].reshape(len(thumbnails), -1)
    return inner.astype(np.float32) / np.float32(UNIT)


def _orientations(side: int) -> Rows:
    """Return (8, side²): which cell of an image stands where in each orientation."""
    cells = np.arange(side * side).reshape(side, side)
    return np.stack([_turned(cells, turn).ravel() for turn in range(8)])


ORIENTATIONS = _orientations(SIDE - 2 * EDGE)


def _near_some_way(thumbnails: NDArray[np.int16], groups: NDArray[np.integer]) -> Iterator[Rows]:
    """Yield (M, 2) rows of unlike groups that may be near in some orientation: all that are.

    Cells that orientations exchange are summed: these 21 sums, scaled, are the same in every
    orientation, and never lie further apart than the thumbnails.
    """
    _, orbit, members = np.unique(ORIENTATIONS.min(axis=0), return_inverse=True, return_counts=True)
    sums = (orbit[:, None] == np.arange(len(members))) / np.sqrt(members * len(orbit))
    sums = sums.astype(np.float32)
    parts = range(0, len(thumbnails), BLOCK)
    features = np.concatenate([_inner(thumbnails[i : i + BLOCK]) @ sums for i in parts])
    features -= features.mean(axis=0)
    axis = np.linalg.eigh(features.T @ features)[1][:, -1]
    order = np.argsort(features @ axis, kind="stable")
    features, groups = features[order], groups[order]
    along, squares = features @ axis, np.square(features).sum(axis=1)
    for start in range(0, len(order), BLOCK):
        rows = slice(start, start + BLOCK)
        reach = along[rows][-1] + CANDIDATE_HU + 0.01
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


def _near(thumbnails: NDArray[np.int16], pairs: Rows) -> Rows:
    """Return (M, 3): rows whose thumbnails are near, and the orientation of the second."""
    first, second = _inner(thumbnails[pairs[:, 0]]), _inner(thumbnails[pairs[:, 1]])
    found = [np.empty((0, 3), np.intp)]
    for turn, cells in enumerate(ORIENTATIONS):
        apart = np.square(first - second[:, cells]).mean(axis=1)
        near = pairs[apart <= CANDIDATE_HU**2]
        found.append(np.column_stack([near, np.full(len(near), turn)]))
    return np.concatenate(found)


def _difference(first: _Sight, second: _Sight, turn: int) -> float | None:
    """Return by how many HU the body of copies differs, None of slices that are none."""
    grid = _turned(second.grid, turn)
    body = np.maximum(first.grid, grid) > BODY_HU * UNIT
    if body.mean() < BODY_SHARE:
        return 0.0 if (first.shape, first.digest) == (second.shape, second.digest) else None
    apart = float(np.quantile(np.abs(first.grid - grid)[body], 0.75)) / UNIT
    step = min(first.step, second.step) / UNIT
    return apart if apart <= max(COPY_HU, COPY_STEPS * step) else None


def _nearly_one_size(first: _Sight, second: _Sight, turn: int) -> bool:
    shape = second.shape[::-1] if turn % 2 else second.shape
    spare = [abs(one - other) for one, other in zip(first.shape, shape, strict=True)]
    return 0 < max(spare) <= CROP


def _difference_of_crops(
    first: NDArray[np.int16], second: NDArray[np.int16], turn: int
) -> float | None:
    """Compare them as above once both are cut to one size, at every place."""
    second = _turned(second, turn)
    rows, columns = map(min, first.shape, second.shape)
    found = [
        _difference(_Sight.of(one), _Sight.of(other), 0)
        for one in _windows(first, rows, columns)
        for other in _windows(second, rows, columns)
    ]
    return min((hu for hu in found if hu is not None), default=None)


def _windows(image: NDArray[np.int16], rows: int, columns: int) -> NDArray[np.int16]:
    return sliding_window_view(image, (rows, columns)).reshape(-1, rows, columns)
