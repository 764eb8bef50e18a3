"""The way between two networks in the plane of distortion and perception.

Source: Blau & Michaeli (2018), The Perception-Distortion Tradeoff, arXiv:1711.06077.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from denoisebench import atomic
from denoisebench.board.blends import Way, metric, ways
from denoisebench.board.board import Board, Row
from denoisebench.board.page.figures.names import HEIGHT, WIDTH, Named, place_names
from denoisebench.board.page.figures.plots import MARKERS, Plot
from denoisebench.board.page.figures.svg import COLOURS, house_style, inline, light, plain
from denoisebench.errors import UsageError
from denoisebench.scoring.result import MetricResult
from denoisebench.training.recipe import Parent

SIZE_INCHES = (6.6, 4.9)
DOTS_PER_INCH = 160
MOST_NAMES, LONGEST_NAME = 24, 40
FAR = 4
"""Spans of the way, beyond its ends, within which other rows are shown: further ones would squeeze
it to a dot."""
BETTER = "↙ better"
LARGEST = 1e30  # matplotlib takes minutes over an axis of 300 decades


@dataclass(frozen=True)
class Mark:
    """A row in the plane; `weight` is None for one that is not on the way."""

    row: Row
    name: str
    kind: str
    x: MetricResult
    y: MetricResult
    weight: float | None = None

    @property
    def at(self) -> tuple[float, float]:
        """Distortion and perception; `_mark` makes none without."""
        assert self.x.mean is not None
        assert self.y.mean is not None
        return self.x.mean, self.y.mean


def blend_plots(
    board: Board, kind: Callable[[Row], str], href: Callable[[Row], str]
) -> list[Plot | None]:
    """Draw a board's ways between two networks, in their order.

    Args:
        board: of a way with fewer than two points that have both scores there is no plot.
        kind: of a row: "network", "gan", "baseline" or "blend".
        href: link to a row's page.
    """
    found: list[Plot | None] = []
    for number, way in enumerate(ways(board)):
        marks, context, far = _marks(board, way, kind)
        if len(marks) < 2:
            found.append(None)
            continue
        name = f"blend{number}"
        with house_style():
            figure = _figure(way, marks, context, COLOURS, name, href)
            titles = {
                f"{name}-{place}": _told(way, mark) for place, mark in enumerate([*marks, *context])
            }
            svg = inline(figure, name, f"{way.title}: {len(marks)} points", titles)
        found.append(Plot(way.title, svg, _caption(way, marks), tuple(far)))
    return found


def save_curve(
    path: Path, boards: Sequence[Board], parents: tuple[Parent, Parent], kind: Callable[[Row], str]
) -> None:
    """Draw the way between two runs into a file of its own, on white.

    Args:
        path: .png or .svg.
        boards: the one that holds the way is drawn.
        parents: the ends.
        kind: see `blend_plots`.
    Raises:
        UsageError: no board holds two points of it with scores along both axes.
        Unavailable: the file cannot be written.
    """
    wanted = [parent.recipe for parent in parents]
    for board in boards:
        for way in ways(board):
            recipes = [[b.parents[place].recipe for point in way.points
                        for one in point.row.members if (b := one.result.blend)]
                       for place in (0, 1)]  # fmt: skip
            if not all(recipe in those for recipe, those in zip(wanted, recipes, strict=True)):
                continue
            marks, context, far = _marks(board, way, kind)
            if len(marks) > 1:
                _save(path, way, marks, context, far)
                return
    raise UsageError(f"nothing to draw into {path.name}: no two points have scores on both axes")


def _save(
    path: Path, way: Way, marks: Sequence[Mark], context: Sequence[Mark], far: Sequence[str]
) -> None:
    colours = light()
    with house_style(colours), atomic.replacing(path) as file:
        figure = _figure(way, marks, context, colours)
        figure.suptitle(plain(way.title, 90), fontsize=11)
        if far:
            figure.supxlabel(plain(f"not shown: {', '.join(far)}", 100), fontsize=9)
        figure.set_facecolor(colours["paper"])
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": "denoisebench"}
        figure.savefig(file, format=path.suffix[1:], dpi=DOTS_PER_INCH, metadata=metadata)


def _marks(
    board: Board, way: Way, kind: Callable[[Row], str]
) -> tuple[list[Mark], list[Mark], list[str]]:
    """The way's points, other rows near it, and the names of those too far off to be shown."""
    marks, on_the_way = [], set()
    for point in way.points:
        on_the_way.add(point.row.result.recipe)
        inner = point.row.result.blend is not None
        name = f"w = {point.weight:g}" if inner else point.row.name
        if found := _mark(way, point.row, name, kind(point.row), point.weight):
            marks.append(found)
    others = [
        found
        for row in board.rows
        if row.rank is not None
        and row.result.blend is None
        and row.result.recipe not in on_the_way
        and (found := _mark(way, row, row.name, kind(row), None))
    ]
    near = [mark for mark in others if marks and _near(mark, marks)]
    far = [f"{mark.name} ({mark.at[0]:.4g}, {mark.at[1]:.4g})" for mark in others
           if mark not in near]  # fmt: skip
    return marks, near, far


def _mark(way: Way, row: Row, name: str, kind: str, weight: float | None) -> Mark | None:
    x, y = metric(row, way.distortion), metric(row, way.perception)
    if x is None or y is None:
        return None
    mark = Mark(row, name, kind, x, y, weight)
    return mark if all(abs(value) < LARGEST for value in mark.at) else None


def _near(mark: Mark, marks: Sequence[Mark]) -> bool:
    """Whether a row stands so near to the way that both can be shown."""
    for axis in (0, 1):
        values = [one.at[axis] for one in marks]
        span = max(values) - min(values) or abs(values[0]) / 10
        if not min(values) - FAR * span <= mark.at[axis] <= max(values) + FAR * span:
            return False
    return True


def _figure(
    way: Way,
    marks: Sequence[Mark],
    context: Sequence[Mark],
    colours: Mapping[str, str],
    name: str = "blend",
    href: Callable[[Row], str] | None = None,
) -> Figure:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(_axis(way.distortion, marks[0].x))
    axes.set_ylabel(_axis(way.perception, marks[0].y))
    axes.margins(0.2, 0.14)
    x, y = zip(*(mark.at for mark in marks), strict=True)
    axes.plot(x, y, color=colours["blend"], linewidth=1.6, zorder=2)
    for place, mark in enumerate([*marks, *context]):
        _dot(axes, mark, colours, f"{name}-{place}", href(mark.row) if href else None)
    if marks[0].x.better == "higher":
        axes.invert_xaxis()
    if marks[0].y.better == "higher":
        axes.invert_yaxis()
    axes.annotate(BETTER, (0, 0), (8, 8), xycoords="axes fraction", fontsize=10,
                  textcoords="offset points", fontweight="bold")  # fmt: skip
    figure.draw_without_rendering()  # settles the layout that names are placed in
    named = [Named(mark.name, *mark.at) for mark in [*marks, *context]]
    corner = (16 + WIDTH * len(BETTER), 12 + HEIGHT)
    place_names(
        axes, named, most=MOST_NAMES, longest=LONGEST_NAME, joined=len(marks), corner=corner
    )
    return figure


def _axis(name: str, found: MetricResult) -> str:
    better = {"higher": "more", "lower": "less"}[found.better]
    unit = f" ({found.unit})" if found.unit else ""
    return plain(f"{name}{unit}, {better} is better", 60)


def _dot(
    axes: Axes, mark: Mark, colours: Mapping[str, str], identity: str, href: str | None
) -> None:
    colour = colours[mark.kind]
    x, y = mark.at
    size = 7.0 if mark.kind == "blend" else 9.0
    (dot,) = axes.plot([x], [y], marker=MARKERS[mark.kind], color=colour, linestyle="none",
                       markeredgecolor=colours["paper"], markersize=size, zorder=3)  # fmt: skip
    dot.set_gid(identity)
    if href is not None:
        dot.set_url(href)


def _told(way: Way, mark: Mark) -> str:
    x, y = mark.at
    who = mark.name if mark.weight is None else f"{mark.row.result.method}, w = {mark.weight:g}"
    if mark.row.result.blend is not None:  # its method says where it lies
        who = mark.row.result.method
    return f"{who}: {way.distortion} {x:.4g}, {way.perception} {y:.4g}"


def _caption(way: Way, marks: Sequence[Mark]) -> str:
    said = "Down and left is better. Along the line grows w, the share of the second network."
    if not way.twins:
        said += " The ends are no twins: they differ in more than the GAN."
    if len({mark.weight for mark in marks} & {0.0, 1.0}) < 2:
        said += " An end that is no row of this board is missing."
    return said
