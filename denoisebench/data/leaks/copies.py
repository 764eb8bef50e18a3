"""The search for copies: candidates, looked at in turn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.leaks.candidates import near, near_some_way
from denoisebench.data.leaks.confirm import Sight, difference, difference_of_crops, nearly_one_size

KEPT = 4096  # slices at 64 × 64 kept in memory: 32 MiB

Read = Callable[[int], NDArray[np.int16]]


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
    if len(thumbnails) < 2:
        return []
    sight = lru_cache(KEPT)(lambda row: Sight.of(read(row)))
    copies, links = [], _Links(len(thumbnails))
    for pairs in near_some_way(thumbnails, groups):
        unlinked = pairs[links.of[pairs[:, 0]] != links.of[pairs[:, 1]]]
        for first, second, turn in near(thumbnails, unlinked).tolist():
            if links.of[first] == links.of[second]:
                continue
            apart = difference(sight(first), sight(second), turn)
            if apart is None and nearly_one_size(sight(first), sight(second), turn):
                apart = difference_of_crops(read(first), read(second), turn)
            if apart is not None:
                copies.append(Copy(min(first, second), max(first, second), apart))
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
