"""Names beside points, where nothing else stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes

from denoisebench.board.page.figures.svg import plain

HEIGHT, WIDTH = 13.0, 5.6
"""Of a line and of a letter of the reader's font, in points: matplotlib does not know it."""
ON_A_LINE = 60  # places of it that names keep off
AROUND = 6.0  # points around a point's centre that its mark takes

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
    """Write names beside points, the first ones first; what finds no room has a hover.

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
    for one, other in pairwise(centres[:joined]):
        steps = np.linspace(one, other, ON_A_LINE)
        taken += [(x - 1, y - 1, x + 1, y + 1) for x, y in steps]
    for point, (x, y) in list(zip(points, centres, strict=True))[:most]:
        name = plain(point.name, longest)
        long = WIDTH * len(name)
        left_end, right_end = (
            to_points((end, point.y))[0] * scale for end in point.x_ends or (point.x, point.x)
        )
        places = {("left", "center"): (max(x + 8, right_end + 4), y),
                  ("right", "center"): (min(x - 8, left_end - 4), y),
                  ("center", "bottom"): (x, y + 8), ("center", "top"): (x, y - 8),
                  ("left", "bottom"): (x + 6, y + 3), ("right", "top"): (x - 6, y - 3),
                  ("left", "top"): (x + 6, y - 3), ("right", "bottom"): (x - 6, y + 3)}  # fmt: skip
        for (across, along), (at_x, at_y) in places.items():
            left = at_x - {"left": 0, "center": long / 2, "right": long}[across]
            low = at_y - {"bottom": 0, "center": HEIGHT / 2, "top": HEIGHT}[along]
            box = (left, low, left + long, low + HEIGHT)
            inside = box[0] >= frame[0] and box[2] <= frame[2] + 8
            if inside and not any(_overlap(box, other) for other in taken):
                axes.annotate(name, (point.x, point.y), (at_x - x, at_y - y), ha=across,
                              textcoords="offset points", va=along, fontsize=10)  # fmt: skip
                taken.append(box)
                break


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
