"""Smooth random fields for tissue texture, and the blur of a reconstruction kernel.

Fields come from random integers on a lattice, read between its points by a uniform cubic
B-spline; the blur is a sum of shifted copies in a stated order. Both are exact elementwise
arithmetic, so the bits are the same everywhere.
"""

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.phantom.randomness import Stream

Grey = NDArray[np.float32]
# makes the spread near 1: a uniform lattice has 0.289, and the spline halves that on average
_UNIT_SPREAD = np.float32(7.2)


def field(stream: Stream, size: int, pitch_rows: float, pitch_columns: float) -> Grey:
    """Return a (size, size) field of mean 0 and spread near 1.

    Args:
        stream: where its numbers come from.
        size: side of the image.
        pitch_rows: distance of lattice points down the image, pixels, at least 1.
        pitch_columns: the same across.
    """
    tall, wide = int(size / pitch_rows) + 5, int(size / pitch_columns) + 5
    words = stream.words((tall * wide + 3) // 4).astype("<u8")
    lattice = words.view("<u2")[: tall * wide].reshape(tall, wide).astype(np.float32)
    lattice = (lattice * np.float32(1.0 / 65536.0) - np.float32(0.5)) * _UNIT_SPREAD
    rows = _spline(lattice, size, pitch_rows, stream.uniform())
    return _spline(np.ascontiguousarray(rows.T), size, pitch_columns, stream.uniform()).T


def _spline(lattice: Grey, size: int, pitch: float, phase: float) -> Grey:
    place = np.arange(size) / pitch + phase
    cell = np.floor(place)
    t = (place - cell).astype(np.float32)[:, None]
    low = cell.astype(np.int64)
    one, sixth = np.float32(1.0), np.float32(1.0 / 6.0)
    u, tt = one - t, t * t
    first, last = u * u * u * sixth, tt * t * sixth
    second = (np.float32(4.0) - np.float32(6.0) * tt + np.float32(3.0) * tt * t) * sixth
    third = one - first - second - last
    total: Grey = lattice[low] * first
    total += lattice[low + 1] * second
    total += lattice[low + 2] * third
    total += lattice[low + 3] * last
    return total


def blur(image: Grey, near: float, far: float) -> Grey:
    """Spread each pixel over five, along rows and then columns; edges are repeated.

    Args:
        image: (H, W).
        near: weight of each neighbour.
        far: weight of each neighbour but one; below zero it sharpens, as bone kernels do.
    """
    return _blur_rows(np.ascontiguousarray(_blur_rows(image, near, far).T), near, far).T


def _blur_rows(image: Grey, near: float, far: float) -> Grey:
    padded = np.concatenate([image[:1], image[:1], image, image[-1:], image[-1:]])
    result: Grey = image * np.float32(1.0 - 2.0 * near - 2.0 * far)
    result += (padded[1:-3] + padded[3:-1]) * np.float32(near)
    result += (padded[:-4] + padded[4:]) * np.float32(far)
    return result
