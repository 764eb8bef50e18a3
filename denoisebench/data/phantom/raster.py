"""Exact area coverage of polygons on the pixel grid, in integers.

Each edge is cut at pixel borders; every piece adds its signed height to its pixel and the rest of
the row, and a running sum along the row turns that into coverage (the accumulation buffer of
font-rs, Levien 2016). Heights are integers in 1/256 of a pixel and areas in 1/65536, so the sum
has no rounding and any order gives the same bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.phantom.curves import Curve

Grey = NDArray[np.float32]
_BITS = 8
_SUB = 1 << _BITS
_WHOLE = np.float32(1.0 / (_SUB * _SUB))


@dataclass(frozen=True)
class Mask:
    """Coverage in [0, 1] on a box of the image."""

    box: tuple[slice, slice]
    cover: Grey

    @property
    def empty(self) -> bool:
        """Whether the box has no pixel."""
        return self.cover.size == 0


EMPTY = Mask((slice(0, 0), slice(0, 0)), np.zeros((0, 0), dtype=np.float32))


def cover(curves: Sequence[Curve], size: int) -> Mask:
    """Return how much of each pixel the union of closed curves covers.

    Args:
        curves: in pixels; pixel (r, c) reaches from (c, r) to (c + 1, r + 1). Overlaps of curves
            of equal sense count once; opposite senses cut holes.
        size: side of the image.
    """
    starts, ends = _edges(curves)
    box = _box(starts, size)
    if box is None:
        return EMPTY
    top, bottom, left, right = box
    origin = np.array([left, top])
    starts = starts - origin * _SUB
    ends = ends - origin * _SUB
    rows, columns = bottom - top, right - left
    upright = starts[:, 1] != ends[:, 1]
    x, y, x_end, y_end = _cut_at_rows(starts[upright], ends[upright], rows)
    row, height, double_x = _cut_at_columns(x, y, x_end, y_end)
    area = _accumulate(row, height, double_x, rows, columns)
    share = area.astype(np.float32)
    np.abs(share, out=share)
    share *= _WHOLE
    np.minimum(share, np.float32(1.0), out=share)
    return Mask((slice(top, bottom), slice(left, right)), share)


def _edges(curves: Sequence[Curve]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both ends of each edge on the fine grid."""
    points = curves[0] if len(curves) == 1 else np.concatenate(curves)
    starts = np.rint(points * float(_SUB)).astype(np.int64)
    following = np.arange(1, len(points) + 1)
    ends = np.cumsum([len(curve) for curve in curves])
    following[ends - 1] = ends - [len(curve) for curve in curves]
    return starts, starts[following]


def _box(points: NDArray[np.int64], size: int) -> tuple[int, int, int, int] | None:
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    left, top = max(low[0] // _SUB, 0), max(low[1] // _SUB, 0)
    right, bottom = min(high[0] // _SUB + 1, size), min(high[1] // _SUB + 1, size)
    return (top, bottom, left, right) if right > left and bottom > top else None


def _split(
    low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for spans of cells: which span each of its cells belongs to, and the cell."""
    first, last = low >> _BITS, (high - 1) >> _BITS
    count = np.maximum(last - first, 0) + 1
    owner = np.arange(len(count)).repeat(count)
    start = first - (count.cumsum() - count)
    return owner, start[owner] + np.arange(len(owner))


def _between(
    at: NDArray[np.int64],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    value_a: NDArray[np.int64],
    value_b: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the value on the line from (a, value_a) to (b, value_b), rounded to the grid."""
    slope = (value_b - value_a).astype(np.float64) / np.maximum(b - a, 1)
    value: NDArray[np.int64] = value_a + np.rint((at - a) * slope).astype(np.int64)
    return value


def _cut_at_rows(
    starts: NDArray[np.int64], ends: NDArray[np.int64], rows: int
) -> tuple[NDArray[np.int64], ...]:
    down = starts[:, 1] < ends[:, 1]
    top = np.where(down[:, None], starts, ends)
    low = np.where(down[:, None], ends, starts)
    owner, row = _split(top[:, 1], low[:, 1])
    if int(row.min()) < 0 or int(row.max()) >= rows:
        keep = (row >= 0) & (row < rows)
        owner, row = owner[keep], row[keep]
    x0, y0 = top[:, 0][owner], top[:, 1][owner]
    x1, y1 = low[:, 0][owner], low[:, 1][owner]
    upper = np.maximum(y0, row * _SUB)
    lower = np.minimum(y1, row * _SUB + _SUB)
    x_upper, x_lower = _between(upper, y0, y1, x0, x1), _between(lower, y0, y1, x0, x1)
    sense = down[owner]
    return (
        np.where(sense, x_upper, x_lower),
        np.where(sense, upper, lower),
        np.where(sense, x_lower, x_upper),
        np.where(sense, lower, upper),
    )


def _cut_at_columns(
    x: NDArray[np.int64], y: NDArray[np.int64], x_end: NDArray[np.int64], y_end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], ...]:
    """Return row, signed height, and twice the mean x of pieces that lie in one pixel each."""
    swap = x > x_end
    left, right = np.where(swap, x_end, x), np.where(swap, x, x_end)
    y_left, y_right = np.where(swap, y_end, y), np.where(swap, y, y_end)
    owner, column = _split(left, right)
    a, b = left[owner], right[owner]
    near = np.maximum(a, column * _SUB)
    far = np.minimum(b, column * _SUB + _SUB)
    y_a, y_b = y_left[owner], y_right[owner]
    y_near = _between(near, a, b, y_a, y_b)
    y_far = np.where(far == b, y_b, _between(far, a, b, y_a, y_b))
    height = np.where(swap[owner], y_near - y_far, y_far - y_near)
    row = np.minimum(y_a, y_b) >> _BITS
    return row, height, near + far


def _accumulate(
    row: NDArray[np.int64],
    height: NDArray[np.int64],
    double_x: NDArray[np.int64],
    rows: int,
    columns: int,
) -> NDArray[np.int32]:
    """Return signed area per pixel; left of the box counts as its edge, right of it is dropped."""
    double_x = np.minimum(np.maximum(double_x, 0), 2 * columns * _SUB)
    column = double_x >> (_BITS + 1)
    beyond = (height * (double_x - (column << (_BITS + 1)))) >> 1
    here = height * _SUB - beyond
    width = columns + 2
    place = row * width + column
    area = np.zeros(rows * width, dtype=np.int32)
    np.add.at(area, place, here.astype(np.int32))
    np.add.at(area, place + 1, beyond.astype(np.int32))
    grid = area.reshape(rows, width)
    filled: NDArray[np.int32] = grid.cumsum(axis=1, dtype=np.int32)[:, :columns]
    return filled
