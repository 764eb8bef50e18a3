"""Closed curves as (N, 2) arrays of x (patient's left) and y (posterior), in millimetres.

Only IEEE-exact elementwise operations (+ - * / sqrt) stand here: no sine, no power, no sum whose
order a library may choose. `np.interp` and `np.linspace` are left out too: compiled code may fuse
a multiplication and an addition on some machines.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.phantom.randomness import Stream

Curve = NDArray[np.float64]
Point = tuple[float, float]

_TURNS = 64


def direction(turns: float) -> Point:
    """Return the cosine and sine of an angle in turns, by their Taylor series near zero."""
    turns -= float(np.rint(turns))
    angle = turns * 6.283185307179586 / 8.0
    square = angle * angle
    cosine = 1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0))
    sine = angle * (1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0)))
    for _ in range(3):
        cosine, sine = cosine * cosine - sine * sine, 2.0 * cosine * sine
    length = sqrt(cosine * cosine + sine * sine)
    return cosine / length, sine / length


def _unit_circle() -> Curve:
    return np.array([direction(step / _TURNS) for step in range(_TURNS)])


CIRCLE = _unit_circle()
_SMALL_CIRCLE = CIRCLE[::4]


def wave(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a smooth wave of period 1 and height 1: parabolas in place of a sine."""
    phase = (turns - np.floor(turns)) * 2.0 - 1.0
    result: NDArray[np.float64] = 4.0 * phase * (1.0 - np.abs(phase))
    return result


def rotate(curve: Curve, turns: float) -> Curve:
    """Turn a curve about the origin, clockwise as seen in the image."""
    cosine, sine = direction(turns)
    x, y = curve[:, 0], curve[:, 1]
    result = np.empty_like(curve)
    np.subtract(x * cosine, y * sine, out=result[:, 0])
    np.add(x * sine, y * cosine, out=result[:, 1])
    return result


def move(curve: Curve, x: float, y: float) -> Curve:
    """Shift a curve."""
    moved: Curve = curve + np.array([x, y])
    return moved


def mirror(curve: Curve) -> Curve:
    """Swap left and right, keeping the sense of rotation."""
    flipped: Curve = curve[::-1] * np.array([-1.0, 1.0])
    return flipped


@lru_cache(maxsize=16)
def _basis(steps: int) -> NDArray[np.float64]:
    t = np.arange(steps) / steps
    tt, ttt = t * t, t * t * t
    weights = [
        tt - 0.5 * ttt - 0.5 * t,
        1.0 - 2.5 * tt + 1.5 * ttt,
        0.5 * t + 2.0 * tt - 1.5 * ttt,
        0.5 * ttt - 0.5 * tt,
    ]
    return np.stack(weights)[:, :, None]


def _through(padded: Curve, steps: int) -> Curve:
    """Draw the curve from the second of some points to the last but two."""
    w = _basis(steps)
    p = padded[:, None, :]
    curve: Curve = p[:-3] * w[0] + p[1:-2] * w[1] + p[2:-1] * w[2] + p[3:] * w[3]
    return curve.reshape(-1, 2)


def closed(points: Sequence[Point] | Curve, steps: int = 6) -> Curve:
    """Draw a smooth closed curve through points (Catmull and Rom, 1974)."""
    knots = np.asarray(points, dtype=np.float64)
    return _through(np.concatenate([knots[-1:], knots, knots[:2]]), steps)


@lru_cache(maxsize=4)
def _round_basis(steps: int) -> NDArray[np.float64]:
    t = np.arange(steps) / steps
    tt, ttt = t * t, t * t * t
    weights = [
        (1.0 - 3.0 * t + 3.0 * tt - ttt) / 6.0,
        (4.0 - 6.0 * tt + 3.0 * ttt) / 6.0,
        (1.0 + 3.0 * t + 3.0 * tt - 3.0 * ttt) / 6.0,
        ttt / 6.0,
    ]
    return np.stack(weights)[:, :, None]


def rounded(points: Curve, steps: int = 8) -> Curve:
    """Draw a closed curve near points, without corners (a uniform cubic B-spline)."""
    w = _round_basis(steps)
    p = np.concatenate([points[-1:], points, points[:2]])[:, None, :]
    curve: Curve = p[:-3] * w[0] + p[1:-2] * w[1] + p[2:-1] * w[2] + p[3:] * w[3]
    return curve.reshape(-1, 2)


def opened(points: Sequence[Point] | Curve, steps: int = 5) -> Curve:
    """Draw a smooth open curve from the first point to the last."""
    knots = np.asarray(points, dtype=np.float64)
    first, last = 2.0 * knots[:1] - knots[1:2], 2.0 * knots[-1:] - knots[-2:-1]
    return np.concatenate([_through(np.concatenate([first, knots, last]), steps), knots[-1:]])


def oval(
    x: float,
    y: float,
    rx: float,
    ry: float,
    turns: float = 0.0,
    rough: float = 0.0,
    stream: Stream | None = None,
) -> Curve:
    """Draw an ellipse; `rough` bends its outline by that fraction of the radius, 2 to 6 waves."""
    curve = CIRCLE if rx + ry > 9.0 or rough > 0.0 else _SMALL_CIRCLE
    if rough > 0.0 and stream is not None:
        curve = curve * _bumps(stream, rough)[:, None]
    curve = curve * np.array([rx, ry])
    if turns != 0.0:
        curve = rotate(curve, turns)
    return move(curve, x, y)


def _bumps(stream: Stream, rough: float) -> NDArray[np.float64]:
    radius = np.ones(_TURNS)
    steps = np.arange(_TURNS)
    for waves in (2, 3, 4, 6):
        height = rough * stream.uniform(-1.0, 1.0) * 2.0 / waves
        radius = radius + height * CIRCLE[(steps * waves + stream.integer(0, 63)) % _TURNS, 0]
    return radius


def ovals(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    rx: NDArray[np.float64],
    ry: NDArray[np.float64],
    axis: Curve,
) -> list[Curve]:
    """Draw many small ellipses; `axis` is the direction of rx of each, of any length."""
    along, across = axis[:, :1], axis[:, 1:]
    length = np.sqrt(along * along + across * across) + 1e-9
    cosine, sine = along / length, across / length
    u = _SMALL_CIRCLE[:, 0] * rx[:, None]
    v = _SMALL_CIRCLE[:, 1] * ry[:, None]
    curves = np.empty((len(x), len(_SMALL_CIRCLE), 2))
    curves[:, :, 0] = u * cosine - v * sine + x[:, None]
    curves[:, :, 1] = u * sine + v * cosine + y[:, None]
    return list(curves)


def slivers(start: Curve, middle: Curve, end: Curve, width: NDArray[np.float64]) -> list[Curve]:
    """Draw many thin bent lines, pointed at both ends, each through three points.

    Args:
        start, middle, end: (N, 2).
        width: (N,), at the middle.
    """
    chord = end - start
    x, y = chord[:, 0], chord[:, 1]
    half = 0.5 * width / (np.sqrt(x * x + y * y) + 1e-9)
    out = np.stack([y * half, -x * half], axis=1)
    # a parabola through the three points, read at its quarters
    early = 0.375 * start + 0.75 * middle - 0.125 * end
    late = 0.375 * end + 0.75 * middle - 0.125 * start
    near = 0.75 * out
    curves = np.stack(
        [
            start,
            early + near,
            middle + out,
            late + near,
            end,
            late - near,
            middle - out,
            early - near,
        ],
        axis=1,
    )
    return list(curves)


def normals(curve: Curve, is_closed: bool = True) -> Curve:
    """Return unit normals, outward for a curve drawn clockwise in the image (as `oval` is)."""
    if is_closed:
        tangent = np.empty_like(curve)
        np.subtract(curve[2:], curve[:-2], out=tangent[1:-1])
        np.subtract(curve[1], curve[-1], out=tangent[0])
        np.subtract(curve[0], curve[-2], out=tangent[-1])
    else:
        tangent = np.concatenate(
            [curve[1:2] - curve[:1], curve[2:] - curve[:-2], curve[-1:] - curve[-2:-1]]
        )
    x, y = tangent[:, 0], tangent[:, 1]
    length = np.sqrt(x * x + y * y) + 1e-9
    result = np.empty_like(curve)
    np.divide(y, length, out=result[:, 0])
    np.divide(x, -length, out=result[:, 1])
    return result


def grow(curve: Curve, distance: float | NDArray[np.float64]) -> Curve:
    """Move a closed curve outward along its normals; inward where the distance is negative."""
    reach = np.asarray(distance, dtype=np.float64)
    return curve + normals(curve) * (reach[:, None] if reach.ndim else reach)


def ribbon(
    points: Sequence[Point] | Curve, widths: float | Sequence[float], steps: int = 4
) -> Curve:
    """Draw a band along points; widths at its points, in between they are interpolated."""
    knots = np.asarray(points, dtype=np.float64)
    line = opened(knots, steps)
    if isinstance(widths, float | int):
        half = np.full(len(line), widths / 2.0)
    else:
        half = _along(widths, steps) / 2.0
    offset = normals(line, is_closed=False) * half[:, None]
    tip = _cap(line[-1], line[-2], offset[-1], float(half[-1]))
    tail = _cap(line[0], line[1], -offset[0], float(half[0]))
    return np.concatenate([line + offset, tip, (line - offset)[::-1], tail])


def _cap(end: Curve, before: Curve, offset: Curve, half: float) -> Curve:
    """Return three points of a round end, from +offset to -offset."""
    out = (end - before) * (half / (_length(end - before) + 1e-9))
    side = offset * 0.7071067811865476
    on = out * 0.7071067811865476
    return np.stack([end + side + on, end + out, end - side + on])


def _length(step: NDArray[np.float64]) -> float:
    return sqrt(float(step[0]) * float(step[0]) + float(step[1]) * float(step[1]))


def _along(values: Sequence[float], steps: int) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64)
    t = np.arange(steps) / steps
    between = given[:-1, None] * (1.0 - t) + given[1:, None] * t
    return np.concatenate([between.reshape(-1), given[-1:]])


def blend(first: Sequence[Point], second: Sequence[Point], t: float) -> Curve:
    """Mix two lists of as many points; t = 0 is the first."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return a * (1.0 - t) + b * t


class Contour:
    """A closed curve read in its own coordinates: s along it, d outward from it.

    s = 0 is where the curve starts (for the body: anterior midline), 0.5 is half the control
    points on (posterior midline); s grows through the patient's left side.
    """

    def __init__(self, curve: Curve) -> None:
        self.curve = curve
        self._normals = normals(curve)

    def at(self, s: NDArray[np.float64], d: NDArray[np.float64] | float) -> Curve:
        """Return the points with these coordinates."""
        count = len(self.curve)
        place = (s - np.floor(s)) * count
        cell = np.floor(place)
        t = (place - cell)[:, None]
        low = cell.astype(np.int64) % count
        high = (low + 1) % count
        base = self.curve[low] * (1.0 - t) + self.curve[high] * t
        out = self._normals[low] * (1.0 - t) + self._normals[high] * t
        depth = np.asarray(d, dtype=np.float64)
        return base + out * (depth[:, None] if depth.ndim else depth)

    def plate(self, s0: float, s1: float, d0: float, d1: float, blunt: float = 0.5) -> Curve:
        """Draw a plate along the contour from s0 to s1, d0 to d1 from it, with rounded ends.

        Args:
            s0, s1: from where to where.
            d0, d1: inner and outer depth, mm.
            blunt: the share of the thickness that is left at the ends; 1 is a square end.
        """
        t = np.arange(25) / 24.0
        u = 2.0 * t - 1.0
        uu = u * u
        thick = blunt + (1.0 - blunt) * np.sqrt(1.0 - uu * uu)
        middle, half = (d0 + d1) / 2.0, (d1 - d0) / 2.0
        s = s0 + (s1 - s0) * t
        outer = self.at(s, middle + half * thick)
        inner = self.at(s, middle - half * thick)
        return np.concatenate([outer, inner[::-1]])
