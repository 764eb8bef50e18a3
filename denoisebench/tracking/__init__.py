"""Tell experiment trackers how a run goes: none unless asked for, offline unless told otherwise.

with open_trackers(names, recipe, folder, report=report, note=print) as trackers:
    result = run_network(bench, recipe, folder, report=trackers.report)
    trackers.finish(result)
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from denoisebench.errors import UsageError
from denoisebench.plugins.find import nearest
from denoisebench.scoring.result import Result
from denoisebench.training import log
from denoisebench.training.log import Record, Reporter
from denoisebench.training.recipe import Recipe

KNOWN = {
    "tensorboard": "denoisebench.tracking.tensorboard:TensorBoard",
    "wandb": "denoisebench.tracking.wandb:WeightsAndBiases",
}


class Tracker(Protocol):
    """What `Tracker(recipe, folder)` gives, before the training of that recipe in that folder.

    It may raise what it likes: it is closed then and told nothing more, and the run goes on.
    """

    def lines(self, records: Sequence[Record]) -> None:
        """Take lines of the log: first all that there are by then, then each as it is written.

        A run that is resumed tells its log from the first line again: what an earlier process told
        of steps after the checkpoint is not part of it.
        """

    def result(self, result: Result, preview: Path | None) -> None:
        """Take the scores, and the picture where there is one."""

    def close(self) -> None:
        """End; without a result the run was interrupted."""


Opener = Callable[[Recipe, Path], Tracker]


class Trackers:
    """All trackers of one run; one that fails is let go with a note."""

    def __init__(
        self,
        openers: dict[str, Opener],
        recipe: Recipe,
        folder: Path,
        report: Reporter,
        note: Callable[[str], None],
    ) -> None:
        self._openers, self._recipe, self._folder = openers, recipe, folder
        self._report, self._note = report, note
        self._open: dict[str, Tracker] = {}
        self._told_earlier_lines = False

    def __enter__(self) -> "Trackers":
        with ExitStack() as stack:
            stack.push(self)  # where a later one is interrupted while it begins
            for name, opener in self._openers.items():
                try:
                    self._open[name] = opener(self._recipe, self._folder)
                except Exception as error:
                    self._say(name, error)
            stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name, tracker in self._open.items():
            try:
                tracker.close()
            except Exception as failure:
                self._say(name, failure)

    def report(self, record: Record) -> None:
        """Pass on a line of the log."""
        self._report(record)
        self._lines([record])

    def finish(self, result: Result) -> None:
        """Pass on the result; of a run that was done already, its log before."""
        self._lines([])
        preview = self._folder / "preview.png"
        found = preview if preview.exists() else None
        self._tell(lambda tracker: tracker.result(result, found))

    def _lines(self, records: list[Record]) -> None:
        if not self._told_earlier_lines:
            steps = {record.step for record in records}
            earlier = log.read(self._folder / "log.jsonl") if self._open else []
            records = [record for record in earlier if record.step not in steps] + records
            self._told_earlier_lines = True
        if records:
            self._tell(lambda tracker: tracker.lines(records))

    def _tell(self, tell: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._open.items()):
            try:
                tell(tracker)
            except Exception as error:
                del self._open[name]
                self._say(name, error)
                with suppress(Exception):
                    tracker.close()

    def _say(self, name: str, error: Exception) -> None:
        first, *_ = str(error).splitlines() or [""]
        reason = f"{type(error).__name__}: {first:.200}"
        self._note(f"{name} is told nothing more ({reason}); the run goes on")


def open_trackers(
    names: Sequence[str],
    recipe: Recipe,
    folder: Path,
    *,
    report: Reporter = lambda record: None,
    note: Callable[[str], None] = lambda text: None,
) -> Trackers:
    """Return what tells the trackers of one run; its `report` is that of `run_network`.

    Example:
        with open_trackers(names, recipe, folder, report=shown, note=said) as trackers:
            trackers.finish(run_network(bench, recipe, folder, report=trackers.report))

    Args:
        names: see `find_trackers`.
        recipe, folder: of the run.
        report: told of each line of the log before they are.
        note: told when one of them fails; the run goes on without it.
    Raises:
        UsageError: see `find_trackers`.
    """
    return Trackers(find_trackers(names), recipe, folder, report, note)


def find_trackers(names: Sequence[str]) -> dict[str, Opener]:
    """Import the trackers that are asked for.

    Args:
        names: tensorboard, wandb, or `module:Class` of one's own that is a `Tracker`.
    Raises:
        UsageError: there is no such tracker, or its package is not installed.
    """
    return {name: _find(name) for name in names}


def _find(name: str) -> Opener:
    if name not in KNOWN and ":" not in name:
        near = nearest(name, KNOWN)
        hint = f"; nearest: {near}" if near else ""
        raise UsageError(
            f"no tracker named {name!r}{hint}. Trackers: {', '.join(KNOWN)}, or module:Class"
        )
    module, _, attribute = KNOWN.get(name, name).partition(":")
    try:
        opener: Any = getattr(import_module(module), attribute)
    except Exception as error:  # a module of anybody, or one that its own packages do not fit
        mend = "pip install 'denoisebench[trackers]'" if name in KNOWN else "give module:Class"
        raise UsageError(f"cannot track with {name}: {error!s:.200}; {mend}") from None
    return opener  # type: ignore[no-any-return]
