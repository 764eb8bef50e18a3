"""Stand-in."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 16


@dataclass(frozen=True)
class Copy:
    first: int
    second: int
    difference_hu: float


def thumbnail(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    """."""
    h, w = hu.shape[0] // 16 * 16, hu.shape[1] // 16 * 16
    return hu[:h, :w].reshape(16, h // 16, 16, w // 16).mean(axis=(1, 3)).astype(np.int16)


def near_copies(
    thumbnails: NDArray[np.int16],
    groups: NDArray[np.integer],
    read: Callable[[int], NDArray[np.int16]],
) -> list[Copy]:
    """."""
    seen: dict[bytes, int] = {}
    found = []
    for i, t in enumerate(thumbnails):
        j = seen.setdefault(t.tobytes(), i)
        if j != i and groups[i] != groups[j]:
            found.append(Copy(j, i, 0.0))
    return found
