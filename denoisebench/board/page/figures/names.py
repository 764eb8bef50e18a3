"""Names beside points, where nothing else stands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from numpy.typing import NDArray

from denoisebench.board.page.figures.svg import plain

HEIGHT, WIDTH = 13.0, 5.6
"""Of a line and of a letter of the reader's font, in points: matplotlib does not know it."""
ON_A_LINE = 60  # places of it that names keep off
AROUND = 6.0  # points around a point's centre that its mark takes
SLACK = 8.0  # points over the frame's edge that a name may reach
FURTHER = 24.0, 40.0, 60.0  # points from a centre to a name that a line leads to
DIRECTIONS = ((1, 0.5), (1, -0.5), (0, 1), (0, -1), (-1, 0.5), (-1, -0.5), (1, 0.25), (1, -0.25),
              (-1, 0.25), (-1, -0.25), (0.5, 1), (0.5, -1), (-0.5, 1), (-0.5, -1))  # fmt: skip
LED = {"arrowstyle": "-", "linewidth": 0.7, "shrinkA": 1, "shrinkB": AROUND, "alpha": 0.6}

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Named:
    """A point with its name; `x_ends` are those of a bar through it, where there is one."""

    name: str
    x: float
    y: float
    x_ends: tuple[float, float] | None = None


def place_names(
    axes: Axes,
    points: Sequence[Named],
    *,
    most: int,
    longest: int,
    joined: int = 0,
    corner: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Write names beside points, or where a thin line leads to them, the first ones first.

    What finds no room has a hover.

    Args:
        axes: whose layout is settled.
        points: with names or without; each keeps its place free.
        most: names at most.
        longest: letters of a name.
        joined: so many of the first points have a line through them, which keeps free, too.
        corner: width and height of the lower left corner, in points, that something else takes.
    """
    to_points = axes.transData.transform
    scale = 72 / axes.figure.dpi
    frame = np.asarray(axes.bbox.extents) * scale
    centres = [to_points((point.x, point.y)) * scale for point in points]
    taken: list[Box] = [(x - AROUND, y - AROUND, x + AROUND, y + AROUND) for x, y in centres]
    taken.append((frame[0], frame[1], frame[0] + corner[0], frame[1] + corner[1]))
    joining = [box for one, other in pairwise(centres[:joined]) for box in _line(one, other)]
    for point, (x, y) in list(zip(points, centres, strict=True))[:most]:
        name = plain(point.name, longest)
        long = WIDTH * len(name)
        left_end, right_end = (
            to_points((end, point.y))[0] * scale for end in point.x_ends or (point.x, point.x)
        )
        near = {("left", "center"): (max(x + 8, right_end + 4), y),
                ("right", "center"): (min(x - 8, left_end - 4), y),
                ("center", "bottom"): (x, y + 8), ("center", "top"): (x, y - 8),
                ("left", "bottom"): (x + 6, y + 3), ("right", "top"): (x - 6, y - 3),
                ("left", "top"): (x + 6, y - 3), ("right", "bottom"): (x - 6, y + 3)}  # fmt: skip
        places = [*((*align, *at, False) for align, at in near.items()), *_further(x, y)]
        for across, along, at_x, at_y, led in places:
            left = at_x - {"left": 0, "center": long / 2, "right": long}[across]
            low = at_y - {"bottom": 0, "center": HEIGHT / 2, "top": HEIGHT}[along]
            box = (left, low, left + long, low + HEIGHT)
            inside = (
                frame[0] <= box[0] and box[2] <= frame[2] + SLACK
                and frame[1] - SLACK <= box[1] and box[3] <= frame[3] + SLACK
            )  # fmt: skip
            line = _line(np.array((x, y)), np.array((at_x, at_y))) if led else []
            free = not _hits([box], [*taken, *joining]) and not _hits(line, taken)
            if inside and free:
                # a line starts where the name does, in the ink of names
                corner_of = {"left": 0, "center": 0.5, "right": 1, "bottom": 0, "top": 1}
                start = {"relpos": (corner_of[across], corner_of[along]),
                         "color": rcParams["text.color"]}  # fmt: skip
                axes.annotate(name, (point.x, point.y), (at_x - x, at_y - y), ha=across,
                              textcoords="offset points", va=along, fontsize=10,
                              arrowprops={**LED, **start} if led else None)  # fmt: skip
                taken += [box, *line]
                break


def _further(x: float, y: float) -> Iterator[tuple[str, str, float, float, bool]]:
    """Places further off, to which a thin line leads."""
    for way in FURTHER:
        for right, up in DIRECTIONS:
            across = {1: "left", 0: "center", -1: "right"}[int(np.sign(right))]
            along = "center" if right else "bottom" if up > 0 else "top"
            yield across, along, x + way * right, y + way * up, True


def _line(start: NDArray[np.float64], end: NDArray[np.float64]) -> list[Box]:
    """What a line takes, but for the mark that it starts at."""
    steps = np.linspace(start, end, ON_A_LINE)
    off = np.abs(steps - start).max(axis=1) > AROUND + 1
    return [(x - 1, y - 1, x + 1, y + 1) for x, y in steps[off]]


def _hits(some: Sequence[Box], others: Sequence[Box]) -> bool:
    """Whether any two of them overlap."""
    return any(
        one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
        for one in some for other in others
    )  # fmt: skip
