"""A board is a function of a folder of results: nothing is typed by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from denoisebench.board.compare import patient_means, ranks, smallest_detectable
from denoisebench.board.seeds import Entry, named, nested
from denoisebench.errors import UsageError
from denoisebench.scoring.result import (
    Finding,
    Result,
    Verification,
    read_model,
    read_result,
    read_scores,
)
from denoisebench.scoring.statistics import Difference, difference
from denoisebench.scoring.submission.contents import CARD
from denoisebench.task import load_task, task_names

NOT_MEASURED = "submitted, and not measured again here (denoisebench verify)"


@dataclass(frozen=True)
class Key:
    """Results with different keys never share a table."""

    task: str
    task_version: int
    task_digest: str | None
    data_digest: str
    split_digest: str
    metric_versions: tuple[tuple[str, int], ...]
    evaluation_version: int


@dataclass(frozen=True)
class Row:
    """A result with its place; no rank unless it is done and has a value.

    Attributes:
        rank: by the mean alone.
        ranks: best and worst rank that the patients leave open; None where scores are missing.
        versus: how it differs, patient by patient, from the task's references, the best row, its
            twin (the same network trained without the GAN), and the row that `boards` was asked
            about, which is called by its name.
        twin_by_seed: of several seeds, how each one's mean differs from that of its own twin.
        entry: what the row was made of: its runs, and what was found out about them since.
    """

    rank: int | None
    entry: Entry
    ranks: tuple[int, int] | None = None
    versus: Mapping[str, Difference] = field(default_factory=dict)
    twin_by_seed: tuple[float, ...] = ()

    @property
    def result(self) -> Result:
        """What it scored, over all seeds where there are several."""
        return self.entry.result

    @property
    def name(self) -> str:
        """What it is called on its board."""
        return self.entry.name

    @property
    def members(self) -> tuple[Entry, ...]:
        """The runs behind it, one a seed."""
        return self.entry.members or (self.entry,)


@dataclass(frozen=True)
class Board:
    """Rows that were measured alike, best first by `ranked_by`.

    Attributes:
        detectable: the difference between neighbours that these patients would show.
        elsewhere: rows of the same task and data that stand on another board, and why.
    """

    key: Key
    data: str
    ranked_by: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    detectable: float | None = None
    elsewhere: tuple[str, ...] = ()


def key_of(result: Result) -> Key | None:
    """Return a result's key; None for one without scores, which fits any board of its task."""
    if not result.metrics:
        return None
    versions = tuple((name, metric.version) for name, metric in result.metrics.items())
    return Key(
        result.task,
        result.task_version,
        result.task_digest,
        result.data_digest,
        result.split_digest,
        tuple(sorted(versions)),
        result.evaluation_version,
    )


def collect(folder: Path) -> tuple[list[Entry], list[str]]:
    """Read all results below a folder.

    Returns:
        Runs in the order of their folders' names; and what could not be read, and why.
    """
    found: list[Entry] = []
    problems: list[str] = []
    for path in sorted(folder.glob("**/result.json")):
        try:
            result = read_result(path)
            scores = read_scores(path.with_name("scores.csv")) if result.metrics else []
            found.append(
                Entry(
                    path.parent.name,
                    result,
                    tuple(scores),
                    _beside(path, "verification.json", Verification, result),
                    _beside(path, "audit.json", Finding, result),
                    _beside(path, "physics.json", Finding, result),
                    path.with_name(CARD).exists(),
                    path.parent,
                )
            )
        except UsageError as error:
            problems.append(str(error).replace(f"{folder}/", ""))  # a page says it to anybody
    return found, problems


Beside = TypeVar("Beside", Verification, Finding)


def _beside(path: Path, name: str, model: type[Beside], result: Result) -> Beside | None:
    """Read what stands beside a result; None where it is not there, or is of another recipe."""
    if not path.with_name(name).exists():
        return None
    found = read_model(path.with_name(name), model)
    return found if found.recipe == result.recipe else None


def boards(entries: Sequence[Entry], against: str | None = None) -> list[Board]:
    """Group results by key and rank them.

    Args:
        entries: see `collect`.
        against: recipe of a run; the other rows of its board are compared with its row, too.
    Returns:
        One board a key, the largest first. Results without scores (diverged, failed) stand on the
        first board of their task and data, or on one of their own.
    Raises:
        UsageError: the run to compare with has no rank.
    """
    groups: dict[Key, list[Entry]] = {}
    without: list[Entry] = []
    for entry in entries:
        key = key_of(entry.result)
        groups.setdefault(key, []).append(entry) if key else without.append(entry)
    for entry in without:
        result = entry.result
        bare = Key(
            result.task,
            result.task_version,
            result.task_digest,
            result.data_digest,
            result.split_digest,
            (),
            result.evaluation_version,
        )
        fitting = [key for key in groups if replace(key, metric_versions=()) == bare]
        groups.setdefault(fitting[0] if fitting else bare, []).append(entry)
    found = [_board(key, rows, against) for key, rows in groups.items()]
    if against and not any(row.rank and _holds(row, against) for one in found for row in one.rows):
        raise UsageError(
            "a row without a rank is nothing to compare with; name a run that is done, of a board "
            "that is shown"
        )
    found = [replace(board, elsewhere=_elsewhere(board, found)) for board in found]
    return sorted(found, key=lambda board: (-len(board.rows), board.key.task, board.data))


def board_of(entries: Sequence[Entry], result: Result) -> Board:
    """Return the board on which a result stands."""
    for board in boards(entries):
        if any(_holds(row, result.recipe) for row in board.rows):
            return board
    raise LookupError(f"no board holds {result.method}")


def _holds(row: Row, recipe: str) -> bool:
    return any(entry.result.recipe == recipe for entry in row.members)


def _elsewhere(board: Board, others: Sequence[Board]) -> tuple[str, ...]:
    """Say which rows of the same task and data are not comparable with a board's, and why."""
    near = (board.key.task, board.data)
    told = []
    for other in others:
        if other is not board and (other.key.task, other.data) == near:
            count = len(other.rows)
            reasons = ", ".join(_differences(board.key, other.key))
            told.append(f"{count} {'row' if count == 1 else 'rows'} with {reasons}")
    return tuple(told)


def _differences(here: Key, there: Key) -> list[str]:
    found = []
    if there.task_version != here.task_version:
        found.append(f"version {there.task_version} of the task")
    elif there.task_digest != here.task_digest:
        found.append("another task of that name")
    if there.data_digest != here.data_digest:
        found.append("other pixels")
    if there.split_digest != here.split_digest:
        found.append("another split")
    if there.metric_versions != here.metric_versions:
        metrics = ", ".join(f"{name} v{number}" for name, number in there.metric_versions)
        found.append(f"the metrics {metrics}" if metrics else "no scores")
    if there.evaluation_version != here.evaluation_version:
        found.append(f"version {there.evaluation_version} of the evaluation")
    return found


def _judged(entries: Sequence[Entry]) -> list[Entry]:
    """Mark what may not rank: scored on fewer slices than others, or otherwise when verified."""
    most = max(entry.result.n_slices for entry in _trusted(entries))
    found = []
    for entry in entries:
        result, again = entry.result, entry.verification
        marked: dict[str, str | None] = {}
        if result.n_slices < most:
            reason = f"scored on {result.n_slices} of {most} slices"
            marked = {"status": "partial", "reason": reason}
        elif again and not again.passed:
            marked = {"status": "unverified", "reason": again.reason}
        elif entry.submitted and not again:
            marked = {"status": "unverified", "reason": NOT_MEASURED}
        if marked and result.status == "done":
            result = result.model_copy(update=marked)
        found.append(replace(entry, result=result))
    return found


def _trusted(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Those by which others are judged: what strangers sent counts once it was measured here."""
    found = [e for e in entries if not e.submitted or (e.verification and e.verification.passed)]
    return found or entries


def _board(key: Key, entries: Sequence[Entry], against: str | None) -> Board:
    ruling = next((e.result for e in _trusted(entries) if e.result.metrics), None)
    metrics = tuple(ruling.metrics) if ruling else ()
    entries = named(nested(_judged(entries)))
    primary = metrics[0] if metrics else ""

    def value(entry: Entry) -> float | None:
        metric = entry.result.metrics.get(primary)
        if metric is None or metric.mean is None or entry.result.status != "done":
            return None
        return metric.mean if metric.better == "higher" else -metric.mean

    by_folder = sorted(entries, key=lambda entry: entry.folder)
    valued = [(found, entry) for entry in by_folder if (found := value(entry)) is not None]
    ranked = [entry for _, entry in sorted(valued, key=lambda pair: -pair[0])]
    others = [entry for entry in by_folder if value(entry) is None]
    rows = [Row(place, entry) for place, entry in enumerate(ranked, 1)]
    rows, detectable = _compared(rows, ranked, primary, against)
    rows += [Row(None, entry) for entry in others]
    return Board(key, entries[0].result.data, primary, metrics, tuple(rows), detectable)


def _compared(
    rows: list[Row], entries: Sequence[Entry], metric: str, against: str | None
) -> tuple[list[Row], float | None]:
    """Add what the patients say of ranked rows; as they are where a row has no scores."""
    known = [patient_means(entry.scores, metric) for entry in entries]
    patients = sorted(known[0] or ()) if known else []
    if not patients or any(means is None or sorted(means) != patients for means in known):
        return rows, None
    means = np.array([[each[name] for name in patients] for each in known if each is not None])
    higher = rows[0].result.metrics[metric].better == "higher"
    methods = {row.result.method: place for place, row in enumerate(rows)}
    runs = {entry.result.recipe: entry for row in rows for entry in row.members}
    shown = {name: methods[name] for name in _references(rows[0].result) if name in methods}
    shown |= {row.name: place for place, row in enumerate(rows) if against and _holds(row, against)}
    compared = []
    for place, (row, still) in enumerate(zip(rows, ranks(means, higher=higher), strict=True)):
        versus = {
            name: difference(means[place], means[other])
            for name, other in {**shown, "best": 0}.items()
            if other != place
        }
        pairs = [(one, runs[twin]) for one in row.members if (twin := one.result.twin) in runs]
        if pairs:
            versus["twin"] = _between(pairs, metric, patients)
        several = pairs if len(pairs) > 1 else ()
        by_seed = tuple(_between([pair], metric, patients).mean for pair in several)
        compared.append(replace(row, ranks=still, versus=versus, twin_by_seed=by_seed))
    return compared, smallest_detectable(means)


def _between(pairs: Sequence[tuple[Entry, Entry]], metric: str, patients: list[str]) -> Difference:
    """Compare runs with their twins, each seed with its own, patient by patient."""
    sides = []
    for side in zip(*pairs, strict=True):
        known = [patient_means(entry.scores, metric) or {} for entry in side]
        sides.append(np.array([[each[name] for name in patients] for each in known]).mean(axis=0))
    return difference(*sides)


def _references(result: Result) -> tuple[str, ...]:
    """Baselines that stand on every board of a result's task; none for a task from elsewhere."""
    # A result's word is not a path: the task is one that comes with denoisebench, or unknown.
    return load_task(result.task).references if result.task in task_names() else ()
