"""Ways between two networks: rows whose weights lie between theirs, in order, with both ends."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from denoisebench.board.board import Board, Row
from denoisebench.board.compare import patient_means
from denoisebench.board.seeds import nested
from denoisebench.scoring.result import MetricResult
from denoisebench.scoring.statistics import Difference, difference
from denoisebench.training.recipe import Blend, Parent

PERCEPTUAL = ("lpips", "dists")
DISTORTION = ("rmse_hu", "rmse")
"""What stands along the axes of perception and distortion, where a board has it."""


@dataclass(frozen=True)
class Point:
    """A row on the way; `weight` is the share of the second end."""

    weight: float
    row: Row


@dataclass(frozen=True)
class Way:
    """What lies between two networks.

    Attributes:
        parents: both ends, as the blends name them.
        twins: whether the first is the second's training without the GAN.
        apart: in what the second's recipe differs from others of its method on the board.
        points: by weight; an end is among them where its row stands on the board.
        distortion, perception: metrics of the axes; perception is empty where the board has none.
    """

    parents: tuple[Parent, Parent]
    twins: bool
    apart: str
    points: tuple[Point, ...]
    distortion: str
    perception: str

    @property
    def title(self) -> str:
        """Both ends by name, and what tells the second from others of its name."""
        ends = f"{self.parents[0].method} to {self.parents[1].method}"
        return f"{ends} ({self.apart})" if self.apart else ends

    def end(self, place: int) -> Row | None:
        """Return the row of the first (0) or second (1) end."""
        found = (point.row for point in self.points if point.weight == place)
        return next(found, None)


def ways(board: Board) -> tuple[Way, ...]:
    """Find the ways between a board's networks; a weight that is there twice counts once.

    Seeds of both ends are one way, as they are one row each.
    """
    groups: dict[tuple[object, ...], dict[float, Row]] = {}
    for row in board.rows:
        if row.rank is not None and row.result.blend is not None:
            blend = row.result.blend
            key = (*(p.family or p.recipe for p in blend.parents), blend.twins)
            groups.setdefault(key, {}).setdefault(blend.weight, row)
    return tuple(_way(board, found) for found in groups.values())


def _way(board: Board, inner: dict[float, Row]) -> Way:
    blends = [b for row in inner.values() for one in row.members if (b := one.result.blend)]
    points = dict(inner)
    for place in (0, 1):
        if (row := _end(board, blends, place)) is not None:
            points[float(place)] = row
    known = [name for name in board.metrics if _base(name) in DISTORTION]
    last = points.get(1.0) or points[max(points)]
    return Way(
        blends[0].parents,
        blends[0].twins,
        last.entry.apart,
        tuple(Point(weight, points[weight]) for weight in sorted(points)),
        next(iter(known), board.ranked_by),
        perceptual(board.metrics),
    )


def _end(board: Board, blends: Sequence[Blend], place: int) -> Row | None:
    recipes = {blend.parents[place].recipe for blend in blends}
    for row in board.rows:
        if row.rank is not None and row.result.blend is None and (own := _of(row, recipes)):
            return own
    return None


def _of(row: Row, recipes: set[str]) -> Row | None:
    """Reduce a row to the runs of some recipes: a blend is held against its own parents alone."""
    own = [one for one in row.members if one.result.recipe in recipes]
    if len(own) == len(row.members):
        return row
    return replace(row, entry=nested(own)[0], ranks=None, versus={}) if own else None


def perceptual(metrics: Iterable[str]) -> str:
    """Return the first perceptual one of some metrics; empty where there is none."""
    return next((name for name in metrics if _base(name) in PERCEPTUAL), "")


def _base(name: str) -> str:
    return name.partition("(")[0]


def metric(row: Row, name: str) -> MetricResult | None:
    """Return a row's metric; None where it has none, or no mean."""
    found = row.result.metrics.get(name)
    return found if found is not None and found.mean is not None else None


def from_first(way: Way, point: Point, name: str) -> Difference | None:
    """Compare a point with the first end, patient by patient; None where scores are missing.

    A blend is compared with its own parents; the second end with the first of all points.
    """
    first = way.end(0)
    if first is None or point.row is first:
        return None
    blends = [one.result.blend for one in point.row.members]
    if own := {blend.parents[0].recipe for blend in blends if blend}:
        first = _of(first, own)
        if first is None:
            return None
    ours, theirs = (patient_means(row.entry.scores, name) for row in (point.row, first))
    if not ours or not theirs or sorted(ours) != sorted(theirs):
        return None
    sides = (np.array([each[patient] for patient in sorted(ours)]) for each in (ours, theirs))
    return difference(*sides)
