"""What a board says, once, as text: every format shows the same tables, cells and notes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from denoisebench.board.board import Board, Row
from denoisebench.board.render.numbers import DECIMALS, MISSING, count, duration, memory, rounded
from denoisebench.board.render.plain import plain
from denoisebench.scoring.result import Finding, MetricResult, Verification
from denoisebench.scoring.statistics import Difference

ARROWS = {"higher": "↑", "lower": "↓"}
FEW_PATIENTS = 20
WORDS = ("method", "verdict")
"""Columns of words; all others hold numbers, whose ends stand below each other."""

Columns = Mapping[str, Callable[[Row], str]]


@dataclass(frozen=True)
class Table:
    """A table of a board.

    Attributes:
        title: said above it; empty where the board's own says it.
        header: names of columns.
        rows: as many cells each as the header has.
        faint: places of rows without rank.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    faint: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Frame:
    """A board as it is shown: its title, its tables, and what a reader must know."""

    title: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def frame(board: Board) -> Frame:
    """Say what a board says; tables in which nothing would stand are left out."""
    tables = (_main(board), *_paired(board), *beside(board))
    return Frame(title(board), tables, tuple(notes(board)))


def beside(board: Board) -> tuple[Table, ...]:
    """Say what is known of rows beside their scores: cost, a GAN's health, what audits found."""
    tables = [*_measured_again(board), *_costs(board), *_health(board), *_best(board)]
    tables += _found(board, "hallucination audit [95 % interval]", "audit")
    tables += _found(board, "CT physics [95 % interval]", "physics")
    return tuple(tables)


def title(board: Board) -> str:
    """Say in a line what was measured on what."""
    first = board.rows[0].result
    people = "patient" if first.n_patients == 1 else "patients"
    return plain(
        f"{board.key.task} v{board.key.task_version} · {board.data} · test split: "
        f"{first.n_slices} slices of {first.n_patients} {people}"
    )


def notes(board: Board) -> list[str]:
    """Collect what a reader must know: intervals, split, licences, tuning, missing values."""
    found = [f"[95 % interval] over patients; ranked by {board.ranked_by}"] if board.metrics else []
    if board.metrics and 1 < board.rows[0].result.n_patients < FEW_PATIENTS:
        found.append(
            f"fewer than {FEW_PATIENTS} patients: intervals and tests (Student's t) trust that "
            "patients are near to normally distributed"
        )
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
        least = f"{rounded(board.detectable, unit)} {unit}".strip()
        found.append(f"smallest detectable difference between neighbours: {least} (power of 80 %)")
    if any(seeds(board, row) for row in board.rows):
        found.append(
            "seeds: ± is the standard deviation between trainings with other seeds; intervals "
            "leave it out"
        )
    for row in board.rows:
        if row.twin_by_seed:
            unit = row.result.metrics[board.ranked_by].unit
            each = ", ".join(_signed(apart, unit) for apart in row.twin_by_seed)
            found.append(f"{row.name}: minus twin, seed by seed: {each} {unit}".strip())
    found += [f"on another board: {told}" for told in board.elsewhere]
    results = [row.result for row in board.rows]
    found += [f"split: {note}" for note in dict.fromkeys(r.split_note for r in results) if note]
    found += _shared({r.method: f"licence {r.licence}" for r in results if r.licence})
    found += _shared({r.method: f"tuned, {r.tuning}" for r in results if r.tuning})
    if any(result.blend for result in results):
        found.append(
            "w: weights between two runs, (1 - w) of the first and w of the second, trained by "
            "nothing of their own; to choose w by these scores is to tune on the test split"
        )
    known = [(row.name, row.result) for row in board.rows]
    found += [f"{name}: {r.status}, {r.reason}" for name, r in known if r.status != "done"]
    found += [
        f"{name}: the GAN collapsed, {r.health.collapsed}"
        for name, r in known
        if r.health and r.health.collapsed
    ]
    reasons = {(n, m.reason) for r in results for n, m in r.metrics.items() if m.mean is None}
    found += sorted(f"{name} is missing: {reason}" for name, reason in reasons)
    return list(dict.fromkeys(map(plain, found)))


def _shared(said: Mapping[str, str]) -> list[str]:
    """Say once what holds for several methods."""
    methods: dict[str, list[str]] = {}
    for method, text in said.items():
        methods.setdefault(text, []).append(method)
    return [f"{text}: {', '.join(those)}" for text, those in methods.items()]


def _main(board: Board) -> Table:
    columns: dict[str, Callable[[Row], str]] = {"#": _rank} if len(board.rows) > 1 else {}
    columns["method"] = partial(_with_seeds, board)
    for name in board.metrics:
        units = [row.result.metrics[name] for row in board.rows if name in row.result.metrics]
        columns[_named(name, units[0])] = partial(_metric, name, name == board.ranked_by)
    columns["params"] = lambda row: count(row.result.parameters)
    return _table("", board.rows, columns)


def _rank(row: Row) -> str:
    if row.rank is None:
        return MISSING if row.result.status == "done" else row.result.status
    first, last = row.ranks or (row.rank, row.rank)
    return str(first) if first == last else f"{first}-{last}"


def _with_seeds(board: Board, row: Row) -> str:
    spread = seeds(board, row)
    return f"{row.name} ({spread})" if spread else row.name


def seeds(board: Board, row: Row) -> str:
    """How many trainings stand behind a row, and how much they differ."""
    apart = row.entry.spread.get(board.ranked_by)
    if apart is None or not math.isfinite(apart):
        return ""
    unit = row.result.metrics[board.ranked_by].unit
    return f"{len(row.members)} seeds, ± {rounded(apart, unit)} {unit}".strip()


def _metric(name: str, interval: bool, row: Row) -> str:
    return _value(row.result.metrics.get(name), interval=interval)


def _paired(board: Board) -> list[Table]:
    """How ranked rows differ from references, patient by patient."""
    others = dict.fromkeys(name for row in reversed(board.rows) for name in row.versus)
    if not others:
        return []
    ranked = [row for row in board.rows if row.rank]
    unit = ranked[0].result.metrics[board.ranked_by].unit
    columns = {f"minus {name}": partial(_apart, name, unit) for name in others}
    heading = f"{board.ranked_by} patient by patient ± 95 % interval, and on how many it is higher"
    return [_table(heading, ranked, {"method": _method, **columns})]


def _apart(name: str, unit: str, row: Row) -> str:
    found: Difference | None = row.versus.get(name)
    if found is None or not math.isfinite(found.mean):
        return MISSING
    text = _signed(found.mean, unit)
    if found.low is not None and found.high is not None:
        text += f" ± {rounded((found.high - found.low) / 2, unit)}"
    return f"{text} {found.above}/{found.patients}"


def _signed(apart: float, unit: str) -> str:
    return f"{apart:+.{DECIMALS.get(unit, 3)}f}"


def _measured_again(board: Board) -> list[Table]:
    """What verified rows said of themselves, and what was measured."""

    def told(say: Callable[[Verification], str], row: Row) -> str:
        return say(row.entry.verification) if row.entry.verification else MISSING

    rows = [row for row in board.rows if row.entry.verification]
    metric = next((m for row in board.rows for m in row.result.metrics.values()), None)
    unit = metric.unit if metric else ""
    columns = {
        "reported": partial(told, lambda found: rounded(found.reported, unit)),
        "measured again": partial(told, lambda found: _measured(found, unit)),
        "verdict": partial(told, lambda found: "as reported" if found.passed else "not confirmed"),
    }
    heading = f"{board.ranked_by} of verified rows, under noise drawn for that alone"
    return [_table(heading, rows, {"method": _method, **columns})] if rows else []


def _measured(found: Verification, unit: str) -> str:
    return MISSING if found.measured is None else rounded(found.measured, unit)


def _costs(board: Board) -> list[Table]:
    """What rows cost, a table a device: seconds of two devices are never compared."""
    columns: Columns = {
        "params": lambda row: count(row.result.parameters),
        "MACs a slice": lambda row: count(row.result.macs),
        "training": lambda row: duration(row.result.train_seconds),
        "images": lambda row: count(row.result.train_images),
        "peak memory": lambda row: memory(row.result.peak_memory),
        "time a slice": lambda row: duration(row.result.seconds_per_slice),
    }
    devices = dict.fromkeys(row.result.device for row in board.rows)
    found = []
    for device in devices:
        here = [row for row in board.rows if row.result.device == device]
        found += _filled(f"cost on {device}", here, columns)
    return found


def _health(board: Board) -> list[Table]:
    """How the game between generator and critic stood at the end."""
    rows = [row for row in board.rows if row.result.health]

    def of(name: str, row: Row) -> str:
        value = getattr(row.result.health, name)
        return MISSING if value is None else rounded(value, "share")

    def verdict(row: Row) -> str:
        return "collapsed" if row.result.health and row.result.health.collapsed else "goes on"

    columns: dict[str, Callable[[Row], str]] = {
        "real judged right": partial(of, "real_accuracy"),
        "fake judged right": partial(of, "fake_accuracy"),
        "saturated": partial(of, "saturated"),
        "gradient, GAN / rest": partial(of, "gradient_ratio"),
        "spread of outputs": partial(of, "output_spread"),
        "verdict": verdict,
    }
    return _filled("GAN health, on validation slices", rows, columns)


def _best(board: Board) -> list[Table]:
    """What the weights score that did best on validation slices, where they are not the last."""
    rows = [row for row in board.rows if row.result.best]

    def best(row: Row) -> str:
        found = row.result.best
        return _value(found.metrics.get(board.ranked_by) if found else None, interval=False)

    columns: dict[str, Callable[[Row], str]] = {
        "last step": lambda row: str(row.result.train_steps),
        "last weights": partial(_metric, board.ranked_by, False),
        "best step": lambda row: str(row.result.best.step) if row.result.best else MISSING,
        "best weights": best,
    }
    heading = f"{board.ranked_by} of the last weights, which rank, and of the best on validation"
    return _filled(heading, rows, columns)


def _found(board: Board, heading: str, kind: str) -> list[Table]:
    """What an audit found, a column a finding."""

    def finding(row: Row) -> Mapping[str, MetricResult]:
        found: Finding | None = getattr(row.entry, kind)
        return found.columns if found else {}

    first: dict[str, MetricResult] = {}
    for row in board.rows:
        for name, value in finding(row).items():
            first.setdefault(name, value)

    def cell(name: str, row: Row) -> str:
        return _value(finding(row).get(name), interval=True)

    columns = {_named(name, value): partial(cell, name) for name, value in first.items()}
    return _filled(heading, board.rows, columns)


def _filled(heading: str, rows: Sequence[Row], columns: Columns) -> list[Table]:
    """A table of the rows and columns that hold anything; none where there are none."""
    kept = {n: cell for n, cell in columns.items() if any(cell(row) != MISSING for row in rows)}
    told = [row for row in rows if any(cell(row) != MISSING for cell in kept.values())]
    return [_table(heading, told, {"method": _method, **kept})] if told else []


def _table(heading: str, rows: Sequence[Row], columns: Columns) -> Table:
    cells = tuple(tuple(plain(cell(row)) for cell in columns.values()) for row in rows)
    faint = frozenset(place for place, row in enumerate(rows) if row.rank is None)
    return Table(plain(heading), tuple(map(plain, columns)), cells, faint)


def _method(row: Row) -> str:
    return row.name


def _named(name: str, metric: MetricResult) -> str:
    return " ".join(part for part in (name, metric.unit, ARROWS[metric.better]) if part)


def _value(metric: MetricResult | None, *, interval: bool) -> str:
    if metric is None or metric.mean is None or not math.isfinite(metric.mean):
        return MISSING
    text = rounded(metric.mean, metric.unit)
    if interval and metric.lo is not None and metric.hi is not None:
        text += f" [{rounded(metric.lo, metric.unit)}, {rounded(metric.hi, metric.unit)}]"
    return text
