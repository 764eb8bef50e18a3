"""Boards as a terminal table, Markdown, CSV and JSON, all from the same cells."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from denoisebench.board.board import Board, Row
from denoisebench.scoring.result import MetricResult

ARROWS = {"higher": "↑", "lower": "↓"}
DECIMALS = {"dB": 2, "HU": 1, "": 4}
MISSING = "-"


def table(boards: Sequence[Board], problems: Sequence[str] = ()) -> RenderableType:
    """Render boards for the terminal, with the notes that belong to them."""
    parts: list[RenderableType] = []
    for board in boards:
        grid = Table(title=escape(title(board)), title_justify="left", title_style="bold")
        for name in _header(board):
            grid.add_column(escape(name), justify="left" if name == "method" else "right")
        for row in board.rows:
            grid.add_row(*map(escape, _cells(board, row)), style="dim" if row.rank is None else "")
        parts += [grid, *_paired_grid(board)]
        parts += [*(Text(note, style="dim") for note in notes(board)), Text()]
    parts += [Text(f"left out: {problem}", style="yellow") for problem in problems]
    return Group(*parts[:-1] if parts and not problems else parts)


def print_tables(boards: Sequence[Board], problems: Sequence[str] = ()) -> None:
    """Print boards to stdout; where that is no terminal, as wide as they need to be."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table(boards, problems))


def markdown(boards: Sequence[Board]) -> str:
    """Render boards as Markdown tables."""
    blocks = []
    for board in boards:
        lines = [f"### {_md(title(board))}", ""]
        lines += _md_table(_header(board), [_cells(board, row) for row in board.rows])
        if others := _others(board):
            paired = [_paired_cells(board, row, others) for row in board.rows if row.rank]
            lines += ["", f"{_md(_paired_title(board))}:", ""]
            lines += _md_table(_paired_header(others), paired)
        lines += ["", *(f"{_md(note)}  " for note in notes(board))]
        blocks.append("\n".join(lines).rstrip())
    return "\n\n".join(blocks) + "\n"


def as_csv(boards: Sequence[Board]) -> str:
    """Render all rows as one CSV, a column a number, unrounded."""
    rows = [_flat(row) for row in as_rows(boards)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _csv(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def as_json(boards: Sequence[Board], problems: Sequence[str] = ()) -> str:
    """Render all rows as JSON: {"rows": [...], "problems": [...]}."""
    return json.dumps({"rows": as_rows(boards), "problems": list(problems)}, indent=1) + "\n"


def as_rows(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Return all rows as plain values: rank, the board's number, the run's folder, the result."""
    return [
        {
            "rank": row.rank,
            "ranks": list(row.ranks) if row.ranks else None,
            "board": number,
            "run": row.entry.folder,
            "versus": {name: asdict(found) for name, found in row.versus.items()},
            **row.result.model_dump(mode="json"),
        }
        for number, board in enumerate(boards, 1)
        for row in board.rows
    ]


def title(board: Board) -> str:
    """Say in a line what was measured on what."""
    first = board.rows[0].result
    people = "patient" if first.n_patients == 1 else "patients"
    return (
        f"{board.key.task} v{board.key.task_version} · {board.data} · test split: "
        f"{first.n_slices} slices of {first.n_patients} {people}"
    )


def notes(board: Board) -> list[str]:
    """Collect what a reader must know: intervals, split, licences, tuning, missing values."""
    found = [f"[95 % interval] over patients; ranked by {board.ranked_by}"] if board.metrics else []
    if any(row.ranks and row.ranks[0] != row.ranks[1] for row in board.rows):
        found.append(
            "shared ranks: a paired test over patients cannot tell these rows apart (Holm, 5 %)"
        )
    if any("twin" in row.versus for row in board.rows):
        found.append(
            "twin: the same network, seed and budget without the GAN; an output drawn at random "
            "from what fits a noisy slice loses up to 3.01 dB to their mean (Blau & Michaeli, 2018)"
        )
    if board.detectable:
        unit = board.rows[0].result.metrics[board.ranked_by].unit
        least = f"{board.detectable:.{DECIMALS.get(unit, 3)}f} {unit}".strip()
        found.append(f"smallest detectable difference between neighbours: {least} (power of 80 %)")
    found += [f"on another board: {told}" for told in board.elsewhere]
    results = [row.result for row in board.rows]
    found += [f"split: {note}" for note in dict.fromkeys(r.split_note for r in results) if note]
    found += _shared({r.method: f"licence {r.licence}" for r in results if r.licence})
    found += _shared({r.method: f"tuned, {r.tuning}" for r in results if r.tuning})
    found += [f"{r.method}: {r.status}, {r.reason}" for r in results if r.status != "done"]
    reasons = {(n, m.reason) for r in results for n, m in r.metrics.items() if m.mean is None}
    found += sorted(f"{name} is missing: {reason}" for name, reason in reasons)
    return list(dict.fromkeys(found))


def _shared(said: Mapping[str, str]) -> list[str]:
    """Say once what holds for several methods."""
    methods: dict[str, list[str]] = {}
    for method, text in said.items():
        methods.setdefault(text, []).append(method)
    return [f"{text}: {', '.join(those)}" for text, those in methods.items()]


def _header(board: Board) -> list[str]:
    units: dict[str, str] = {}
    for row in board.rows:
        for name, metric in row.result.metrics.items():
            units.setdefault(name, f"{metric.unit} {ARROWS[metric.better]}".strip())
    named = [f"{name} {units[name]}" for name in board.metrics]
    return ["#", "method", *named, "params", "training", "per slice"]


def _cells(board: Board, row: Row) -> list[str]:
    result = row.result
    values = []
    for name in board.metrics:
        metric = result.metrics.get(name)
        values.append(_value(metric, interval=name == board.ranked_by))
    return [
        _rank(row),
        result.method,
        *values,
        _count(result.parameters),
        _duration(result.train_seconds),
        _duration(result.seconds_per_slice),
    ]


def _rank(row: Row) -> str:
    if row.rank is None:
        return row.result.status
    first, last = row.ranks or (row.rank, row.rank)
    return str(first) if first == last else f"{first}-{last}"


def _others(board: Board) -> list[str]:
    """What rows are compared with, in the order of the columns."""
    return list(dict.fromkeys(name for row in reversed(board.rows) for name in row.versus))


def _paired_title(board: Board) -> str:
    return f"{board.ranked_by} patient by patient [95 % interval], and on how many it is higher"


def _paired_header(others: Sequence[str]) -> list[str]:
    return ["method", *(f"minus {name}" for name in others)]


def _paired_cells(board: Board, row: Row, others: Sequence[str]) -> list[str]:
    decimals = DECIMALS.get(row.result.metrics[board.ranked_by].unit, 3)
    cells = [row.result.method]
    for name in others:
        if not (found := row.versus.get(name)):
            cells.append(MISSING)
            continue
        text = f"{found.mean:+.{decimals}f}"
        if found.low is not None and found.high is not None:
            text += f" [{found.low:+.{decimals}f}, {found.high:+.{decimals}f}]"
        cells.append(f"{text} {found.above}/{found.patients}")
    return cells


def _paired_grid(board: Board) -> list[RenderableType]:
    if not (others := _others(board)):
        return []
    grid = Table(title=escape(_paired_title(board)), title_justify="left", title_style="none")
    for name in _paired_header(others):
        grid.add_column(escape(name), justify="left" if name == "method" else "right")
    for row in board.rows:
        if row.rank:
            grid.add_row(*map(escape, _paired_cells(board, row, others)))
    return [grid]


def _value(metric: MetricResult | None, *, interval: bool) -> str:
    if metric is None or metric.mean is None:
        return MISSING
    decimals = DECIMALS.get(metric.unit, 3)
    text = f"{metric.mean:.{decimals}f}"
    if interval and metric.lo is not None and metric.hi is not None:
        text += f" [{metric.lo:.{decimals}f}, {metric.hi:.{decimals}f}]"
    return text


def _count(number: int) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f} {letter}"
    return str(number) if number else MISSING


def _duration(seconds: float | None) -> str:
    if not seconds:
        return MISSING
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _csv(value: object) -> object:
    if isinstance(value, list):
        value = " ".join(map(str, value))
    # A spreadsheet would run text that begins like a formula.
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


def _md_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    bar = ["---" if name == "method" else "---:" for name in header]
    return [_md_row(header), _md_row(bar, raw=True), *map(_md_row, rows)]


def _md_row(cells: Sequence[str], *, raw: bool = False) -> str:
    return "| " + " | ".join(cells if raw else map(_md, cells)) + " |"


def _md(text: str) -> str:
    for letter in "\\`*_<>[]|#":
        text = text.replace(letter, "\\" + letter)
    return text.replace("\n", " ")
