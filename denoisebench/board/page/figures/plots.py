"""Plots of a board: what a method scores beside how its pictures look, and beside what it costs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from denoisebench.board.blends import PERCEPTUAL
from denoisebench.board.board import Board, Row
from denoisebench.board.page.figures.names import Named, place_names
from denoisebench.board.page.figures.svg import COLOURS, house_style, inline, plain
from denoisebench.board.render.numbers import count, duration
from denoisebench.scoring.result import MetricResult

MARKERS = {"network": "o", "gan": "^", "baseline": "s", "blend": "D"}
SIZE_INCHES = (5.6, 4.1)
MOST_NAMES, LONGEST_NAME = 14, 26


@dataclass(frozen=True)
class Plot:
    """A figure with its caption; `left_out` says which rows it does not show, and why."""

    title: str
    svg: Markup
    caption: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """A row in a plot: x and y each with the ends of their interval, where there is one."""

    row: Row
    kind: str
    href: str
    x: float
    y: float
    x_ends: tuple[float, float] | None
    y_ends: tuple[float, float] | None


@dataclass(frozen=True)
class Scale:
    """What stands along x.

    Attributes:
        value: of a row, with its interval; None where it has none.
        logarithmic: for costs, which span decades.
        written: how its values are written.
    """

    title: str
    label: str
    caption: str
    value: Callable[[Row], MetricResult | float | None]
    logarithmic: bool = True
    written: Callable[[float], str] = count


def plots(board: Board, kind: Callable[[Row], str], href: Callable[[Row], str]) -> tuple[Plot, ...]:
    """Draw a board's plots; those with fewer than two rows to show are left out.

    Args:
        board: ranked rows are shown, but for blends, which have figures of their own.
        kind: "network", "gan" or "baseline".
        href: link to a row's page.
    """
    found = []
    ranked = [row for row in board.rows if row.rank is not None and row.result.blend is None]
    higher = any(row.result.metrics[board.ranked_by].better == "higher" for row in ranked)
    for number, axis in enumerate(_scales(board)):
        known = [_point(board, row, axis, kind(row), href(row)) for row in ranked]
        points = [point for point in known if point]
        shown, below = _without_far_below(points, higher)
        if len(shown) > 1:
            found.append(_draw(board, axis, f"plot{number}", shown, below))
    return tuple(found)


def _scales(board: Board) -> list[Scale]:
    perceptual = [name for name in board.metrics if name.split("(")[0] in PERCEPTUAL]
    devices = dict.fromkeys(row.result.device for row in board.rows if row.rank)
    return [
        *(_perception(board.ranked_by, name) for name in perceptual[:1]),
        Scale("Quality and parameters", "parameters of the network",
              "Baselines have none and are not shown.",
              lambda row: row.result.parameters or None),
        Scale("Quality and arithmetic", "multiply-accumulates a slice",
              "Only rows whose arithmetic was counted.",
              lambda row: row.result.macs or None),
        *(_time(device) for device in devices),
    ]  # fmt: skip


def _perception(ranked_by: str, name: str) -> Scale:
    caption = (
        f"Up: closer to the clean slice by {ranked_by}. Left: looks more like it by {name}. "
        "A line joins a GAN and its twin without one."
    )
    return Scale(
        "Perception and distortion",
        f"{name} (less is better)",
        caption,
        lambda row: row.result.metrics.get(name),
        logarithmic=False,
    )


def _time(device: str) -> Scale:
    return Scale(
        f"Quality and time on {device}",
        "time a slice",
        f"Only rows timed on {device}: times of different devices do not compare.",
        lambda row: _seconds(row, device),
        written=duration,
    )


def _seconds(row: Row, device: str) -> float | None:
    seconds = row.result.seconds_per_slice
    return seconds if seconds and row.result.device == device else None


def _point(board: Board, row: Row, axis: Scale, kind: str, href: str) -> Point | None:
    x, y = axis.value(row), row.result.metrics.get(board.ranked_by)
    if isinstance(x, MetricResult):
        x_mean, x_ends = x.mean, _ends(x)
    else:
        x_mean, x_ends = x, None
    if y is None or not _finite(x_mean) or not _finite(y.mean):
        return None
    assert x_mean is not None
    assert y.mean is not None
    return Point(row, kind, href, x_mean, y.mean, x_ends, _ends(y))


def _ends(metric: MetricResult) -> tuple[float, float] | None:
    if metric.lo is None or metric.hi is None or not (_finite(metric.lo) and _finite(metric.hi)):
        return None
    return metric.lo, metric.hi


def _finite(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value)) and abs(value) < 1e30


def _without_far_below(points: Sequence[Point], higher: bool) -> tuple[list[Point], list[Point]]:
    """Set aside rows so bad that the others would become one dot (Tukey's far-out fence)."""
    if len(points) < 4:
        return list(points), []
    values = np.array([point.y for point in points])
    low, high = np.quantile(values, [0.25, 0.75])
    fence = low - 3 * (high - low) if higher else high + 3 * (high - low)
    fair = [point.y >= fence if higher else point.y <= fence for point in points]
    return (
        [point for point, ok in zip(points, fair, strict=True) if ok],
        [point for point, ok in zip(points, fair, strict=True) if not ok],
    )


def _draw(
    board: Board,
    axis: Scale,
    name: str,
    points: Sequence[Point],
    below: Sequence[Point],
) -> Plot:
    unit = points[0].row.result.metrics[board.ranked_by].unit
    with house_style():
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        axes.set_xlabel(plain(axis.label))
        axes.set_ylabel(plain(f"{board.ranked_by} {f'({unit})' if unit else ''}".strip()))
        if axis.logarithmic:
            axes.set_xscale("log")
        axes.margins(0.16, 0.12)
        _join_twins(axes, points)
        titles = {}
        for place, point in enumerate(points):
            _dot(axes, point, f"{name}-{place}")
            titles[f"{name}-{place}"] = _told(board, axis, point)
        if axis.logarithmic:
            values = [point.x for point in points]
            if max(values) < 3 * min(values):  # room for two round numbers
                axes.set_xlim(min(values) / 2.5, max(values) * 2.5)
            label_decades(axes.xaxis, axis.written)
        figure.draw_without_rendering()  # settles the layout that names are placed in
        named = [Named(p.row.name, p.x, p.y, p.x_ends) for p in points]
        place_names(axes, named, most=MOST_NAMES, longest=LONGEST_NAME)
        svg = inline(figure, name, f"{axis.title}: {len(points)} methods", titles)
    left_out = [f"{p.row.name} ({p.y:.4g} {unit}), far off" for p in below]
    return Plot(axis.title, svg, axis.caption, tuple(left_out))


def _told(board: Board, axis: Scale, point: Point) -> str:
    x = axis.written(point.x) if axis.logarithmic else f"{point.x:.4g}"
    return f"{point.row.name}: {board.ranked_by} {point.y:.4g}, {axis.label} {x}"


def _dot(axes: Axes, point: Point, identity: str) -> None:
    colour = COLOURS[point.kind]
    for ends, along in ((point.x_ends, "x"), (point.y_ends, "y")):
        if ends:
            across = (point.y, point.y) if along == "x" else (point.x, point.x)
            x, y = (ends, across) if along == "x" else (across, ends)
            axes.plot(x, y, color=colour, linewidth=1.2, zorder=2)
    (dot,) = axes.plot([point.x], [point.y], marker=MARKERS[point.kind], color=colour,
                       linestyle="none", markeredgecolor=COLOURS["paper"], markersize=9,
                       zorder=3)  # fmt: skip
    dot.set_url(point.href)
    dot.set_gid(identity)


def _join_twins(axes: Axes, points: Sequence[Point]) -> None:
    of_recipe = {point.row.result.recipe: point for point in points}
    for point in points:
        if twin := of_recipe.get(point.row.result.twin or ""):
            axes.plot([twin.x, point.x], [twin.y, point.y], color=COLOURS["gan"],
                      linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)  # fmt: skip


def label_decades(axis: Axis, written: Callable[[float], str] = count) -> None:
    """Write round numbers along a logarithmic axis: 1, 2, 5, 10, or decades where there are many.

    Not powers of ten: matplotlib writes those as formulas, which stay TeX in an SVG's text.
    """
    low, high = axis.get_view_interval()
    steps = (1,) if high > 300 * low else (1, 2, 5)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))
    axis.set_minor_formatter(NullFormatter())
