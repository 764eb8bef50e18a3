"""A board is a function of a folder of results: nothing is typed by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from denoisebench.errors import UsageError
from denoisebench.scoring.result import Result, read_result


@dataclass(frozen=True)
class Key:
    """Results with different keys never share a table."""

    task: str
    task_version: int
    data_digest: str
    split_digest: str
    metric_versions: tuple[tuple[str, int], ...]
    evaluation_version: int


@dataclass(frozen=True)
class Row:
    """A result with its place; no rank unless it is done and has a value."""

    rank: int | None
    result: Result
    folder: str


@dataclass(frozen=True)
class Board:
    """Rows that were measured alike, best first by `ranked_by`."""

    key: Key
    data: str
    ranked_by: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]


def key_of(result: Result) -> Key | None:
    """Return a result's key; None for one without scores, which fits any board of its task."""
    if not result.metrics:
        return None
    versions = tuple((name, metric.version) for name, metric in result.metrics.items())
    return Key(
        result.task,
        result.task_version,
        result.data_digest,
        result.split_digest,
        tuple(sorted(versions)),
        result.evaluation_version,
    )


def collect(folder: Path) -> tuple[list[tuple[str, Result]], list[str]]:
    """Read all results below a folder.

    Returns:
        (run's folder name, result) in the order of the names; and what could not be read, and why.
    """
    found: list[tuple[str, Result]] = []
    problems: list[str] = []
    for path in sorted(folder.glob("**/result.json")):
        try:
            found.append((path.parent.name, read_result(path)))
        except UsageError as error:
            problems.append(str(error))
    return found, problems


def boards(results: Sequence[tuple[str, Result]]) -> list[Board]:
    """Group results by key and rank them.

    Args:
        results: (name of the folder, result).
    Returns:
        One board a key, the largest first. Results without scores (diverged, failed) stand on the
        first board of their task and data, or on one of their own.
    """
    groups: dict[Key, list[tuple[str, Result]]] = {}
    without: list[tuple[str, Result]] = []
    for name, result in results:
        key = key_of(result)
        groups.setdefault(key, []).append((name, result)) if key else without.append((name, result))
    for name, result in without:
        bare = Key(
            result.task,
            result.task_version,
            result.data_digest,
            result.split_digest,
            (),
            result.evaluation_version,
        )
        fitting = [key for key in groups if replace(key, metric_versions=()) == bare]
        groups.setdefault(fitting[0] if fitting else bare, []).append((name, result))
    found = [_board(key, rows) for key, rows in groups.items()]
    return sorted(found, key=lambda board: (-len(board.rows), board.key.task, board.data))


def board_of(results: Sequence[tuple[str, Result]], result: Result) -> Board:
    """Return the board on which a result stands."""
    for board in boards(results):
        if any(row.result.recipe == result.recipe for row in board.rows):
            return board
    raise LookupError(f"no board holds {result.method}")


def _board(key: Key, results: Sequence[tuple[str, Result]]) -> Board:
    metrics = next((tuple(r.metrics) for _, r in results if r.metrics), ())
    primary = metrics[0] if metrics else ""

    def value(result: Result) -> float | None:
        metric = result.metrics.get(primary)
        ranked = metric is not None and metric.mean is not None and result.status == "done"
        if not ranked or metric is None or metric.mean is None:
            return None
        return metric.mean if metric.better == "higher" else -metric.mean

    placed = [(value(result), name, result) for name, result in results]
    ranked = sorted((p for p in placed if p[0] is not None), key=lambda p: (-(p[0] or 0), p[1]))
    others = sorted((p for p in placed if p[0] is None), key=lambda p: p[1])
    rows = [Row(place + 1, result, name) for place, (_, name, result) in enumerate(ranked)]
    rows += [Row(None, result, name) for _, name, result in others]
    return Board(key, results[0][1].data, primary, metrics, tuple(rows))
