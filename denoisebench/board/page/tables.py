"""Tables of a board as the page shows them: text for readers, numbers to sort by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

from denoisebench.board.blends import Way, from_first
from denoisebench.board.board import Board, Row
from denoisebench.board.render import frame
from denoisebench.board.render.frame import seeds
from denoisebench.board.render.numbers import DECIMALS, MISSING, count, rounded
from denoisebench.board.render.plain import plain
from denoisebench.scoring.result import MetricResult
from denoisebench.scoring.statistics import Difference


@dataclass(frozen=True)
class Column:
    """A column: its name, its unit, which end is better ("higher", "lower" or neither)."""

    name: str
    unit: str = ""
    better: str = ""

    @property
    def arrow(self) -> str:
        """Which way is better."""
        return {"higher": "↑", "lower": "↓"}.get(self.better, "")


@dataclass(frozen=True)
class Cell:
    """What stands in a column; `sort` is None where there is nothing to sort by."""

    text: str
    sort: float | None = None
    interval: str = ""


@dataclass(frozen=True)
class Line:
    """A row of a table.

    Attributes:
        place: counted from the top, 1 first.
        ranks: best and worst rank that the patients leave open; None where it has no rank.
        group: number of its tie group: no row of it shares a rank with one of another group.
        seeds: how many trainings stand behind it and how much they differ; empty for one.
        href: of the run's page, the first one's where there are several seeds.
        kind: "network", "gan", "blend" or "baseline".
        status: why it has no rank, "done" otherwise.
    """

    place: int
    ranks: tuple[int, int] | None
    group: int
    method: str
    seeds: str
    href: str
    kind: str
    status: str
    reason: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table; `size` is the number of ranks."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    size: int


@dataclass(frozen=True)
class People:
    """What a table must know of rows beside their results.

    Attributes:
        kind: "network", "gan", "blend" or "baseline".
        href: of a row's page.
    """

    kind: Callable[[Row], str]
    href: Callable[[Row], str]


def scores(board: Board, people: People) -> Table:
    """Build the ranked table; what depends on a device stands in tables of its own."""
    columns = [_metric_column(board, name) for name in board.metrics]
    columns += [Column("parameters", better="lower")]

    def cells(row: Row) -> list[Cell]:
        result = row.result
        found = [
            metric_cell(result.metrics.get(name), interval=name == board.ranked_by)
            for name in board.metrics
        ]
        return [*found, Cell(count(result.parameters), result.parameters or None)]

    return _table(board, people, columns, cells, board.rows)


def differences(board: Board, people: People) -> Table | None:
    """Build the table of paired differences; None where the board has none."""
    others = list(dict.fromkeys(name for row in reversed(board.rows) for name in row.versus))
    if not others:
        return None
    unit = board.rows[0].result.metrics[board.ranked_by].unit
    columns = [Column(f"minus {name}", unit) for name in others]

    def cells(row: Row) -> list[Cell]:
        return [difference_cell(row.versus.get(name), unit) for name in others]

    return _table(board, people, columns, cells, [row for row in board.rows if row.rank])


def between(board: Board, way: Way) -> frame.Table:
    """Build the table of the points between two networks: scores, and what they gain and lose."""
    shown = list(dict.fromkeys(filter(None, (board.ranked_by, way.distortion, way.perception))))
    compared = [name for name in shown if name in (board.ranked_by, way.perception)]
    columns = {name: _metric_column(board, name) for name in shown}
    header = ["network", *(f"{each.name} {each.unit} {each.arrow}" for each in columns.values())]
    header += [f"{name} minus first" for name in compared]
    lines = []
    for point in way.points:
        result = point.row.result
        name = result.method if result.blend is None else f"w = {point.weight:g}"
        cells = [metric_cell(result.metrics.get(each), interval=True) for each in shown]
        scores = [f"{cell.text} {cell.interval}" for cell in cells]
        apart = [_apart(from_first(way, point, each), columns[each].unit) for each in compared]
        lines.append((name, *scores, *apart))
    return frame.Table(
        plain(f"Points from {way.title}"),
        tuple(plain(" ".join(text.split())) for text in header),
        tuple(tuple(plain(text.strip()) for text in line) for line in lines),
    )


def _apart(found: Difference | None, unit: str) -> str:
    """Write a paired difference on a line: mean, interval, on how many patients it is higher."""
    cell = difference_cell(found, unit)
    interval = cell.interval.replace("\nhigher on ", " ").replace(" of ", "/")
    return f"{cell.text} {interval}"


def _table(
    board: Board,
    people: People,
    columns: Sequence[Column],
    cells: Callable[[Row], Sequence[Cell]],
    rows: Sequence[Row],
) -> Table:
    """Lay out rows; a column in which nothing stands is left out."""
    lines, group, furthest = [], 0, 0
    contents = [tuple(cells(row)) for row in rows]
    filled = [
        any(cell.text != MISSING for cell in column) for column in zip(*contents, strict=True)
    ]
    for place, (row, content) in enumerate(zip(rows, contents, strict=True), 1):
        ranks = row.ranks or ((row.rank, row.rank) if row.rank else None)
        if ranks is None or ranks[0] > furthest:
            group += 1
        furthest = max(furthest, ranks[1] if ranks else 0)
        result = row.result
        lines.append(
            Line(place, ranks, group, row.name, seeds(board, row), people.href(row),
                 people.kind(row), result.status if row.rank is None else "done",
                 result.reason or "", tuple(compress(content, filled)))
        )  # fmt: skip
    return Table(
        tuple(compress(columns, filled)),
        tuple(lines),
        sum(row.rank is not None for row in board.rows),
    )


def _metric_column(board: Board, name: str) -> Column:
    for row in board.rows:
        if metric := row.result.metrics.get(name):
            return Column(name, metric.unit, metric.better)
    return Column(name)


def metric_cell(metric: MetricResult | None, *, interval: bool) -> Cell:
    """Write a metric's mean, and its interval where that is asked for."""
    if metric is None or metric.mean is None:
        return Cell(MISSING)
    ends = ""
    if interval and metric.lo is not None and metric.hi is not None:
        ends = f"[{rounded(metric.lo, metric.unit)}, {rounded(metric.hi, metric.unit)}]"
    return Cell(rounded(metric.mean, metric.unit), metric.mean, ends)


def difference_cell(found: Difference | None, unit: str) -> Cell:
    """Write a paired difference, its interval, and on how many patients it is above zero."""
    if found is None:
        return Cell(MISSING)
    decimals = DECIMALS.get(unit, 3)
    ends = ""
    if found.low is not None and found.high is not None:
        ends = f"[{found.low:+.{decimals}f}, {found.high:+.{decimals}f}]\n"
    ends += f"higher on {found.above} of {found.patients}"
    return Cell(f"{found.mean:+.{decimals}f}", found.mean, ends)
