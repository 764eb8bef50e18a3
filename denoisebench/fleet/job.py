"""One run of a sweep as data that can travel: what is asked for, where, and what is heard of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from denoisebench.training.device import Speedup
from denoisebench.training.log import Record
from denoisebench.training.recipe import Recipe

State = Literal["waiting", "running", "done", "diverged", "failed"]


@dataclass(frozen=True)
class Job:
    """A run that is wanted: of a recipe, or of a baseline where `recipe` is None.

    Attributes:
        name: of its folder in the runs folder.
        method: what boards call it: `unet7 · cgan + 100*l1`.
    """

    name: str
    method: str
    recipe: Recipe | None = None
    baseline: str | None = None


@dataclass(frozen=True)
class Setting:
    """What all runs of a sweep share.

    Attributes:
        data: phantom, a known name, or a folder; the same on each machine.
        data_digest, split_digest: what it must hold, wherever it is read.
        task: name, or a TOML file.
        plugins: files with plug-ins of the user's own.
        device: cpu, cuda, cuda:1, or auto.
        track: names of trackers that are told.
        runs: the folder where run folders end.
        workers: processes that a baseline may use; one a core where None.
        speedup: none, compile, or graphs; see `training.device.Fast`.
    """

    data: str
    data_digest: str
    split_digest: str
    task: str
    plugins: tuple[Path, ...]
    device: str
    track: tuple[str, ...]
    runs: Path
    workers: int | None = None
    speedup: Speedup = "none"


@dataclass(frozen=True)
class News:
    """What is heard of a job.

    Attributes:
        job: its name.
        where: which machine and device; empty while it waits.
        record: the last line of its log, where one is new.
        reason: why it failed, diverged, or waits again.
        doing: what it is at where that is no training: `scoring, 3 of 40`.
        note: what a reader should know, once: that a network could not be compiled.
    """

    job: str
    state: State
    where: str = ""
    record: Record | None = None
    reason: str | None = None
    doing: str = ""
    note: str = ""


class Executor(Protocol):
    """Does jobs, somewhere: one after another here, or several on a Ray cluster."""

    def __call__(
        self,
        jobs: Sequence[Job],
        setting: Setting,
        *,
        tell: Callable[[News], None],
        stopping: Callable[[], bool],
    ) -> None:
        """Do each job, and tell how it goes; when `stopping`, leave checkpoints and return.

        The last news of a job is "done", "diverged" or "failed"; or "waiting", where it was
        stopped, or where another process is at it: whoever called may then call again.
        Raises nothing for a job that fails: that is news. Writes no row for it: the caller does.
        """
