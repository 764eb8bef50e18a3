"""Which results a reader asked for."""

from collections.abc import Sequence
from pathlib import Path

from denoisebench.board.render.plain import plain
from denoisebench.board.seeds import Entry
from denoisebench.errors import UsageError


def existing(folder: Path) -> Path:
    """Return a folder of runs, or raise UsageError where it is none."""
    if not folder.is_dir():
        raise UsageError(f"no folder {str(folder)!r}; denoisebench run makes one, or name another")
    return folder


def chosen(entries: Sequence[Entry], task: str | None, data: str | None, below: str) -> list[Entry]:
    """Keep the results of a task and a data set.

    Args:
        entries: see `board.collect`.
        task, data: as boards name them; all where None.
        below: where the entries were found, in words.
    Raises:
        UsageError: there are none; the message says which there are.
    """
    shown = [
        entry
        for entry in entries
        if task in (None, entry.result.task) and data in (None, entry.result.data)
    ]
    if not shown:
        what = "".join(f" of {word}" for word in (task, data) if word)
        there = told(entries) or "none"
        raise UsageError(f"no results{what} below {below!r}; there are: {there}")
    return shown


def told(entries: Sequence[Entry]) -> str:
    """Say on which tasks and data there are results."""
    there = dict.fromkeys(f"{one.result.task} on {one.result.data}" for one in entries)
    return plain("; ".join(there))
