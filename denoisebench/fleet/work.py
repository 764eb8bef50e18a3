"""Do one job of a sweep in this process, wherever that is."""

import re
import traceback
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch

from denoisebench import lock
from denoisebench.data.dataset import DataSet
from denoisebench.data.named import open_data
from denoisebench.errors import Unavailable, UsageError
from denoisebench.fleet.job import Job, News, Setting, State
from denoisebench.plugins.find import Catalogue, find
from denoisebench.scoring import run as runs
from denoisebench.scoring.classical import run_baseline
from denoisebench.scoring.environment import torch_device
from denoisebench.scoring.result import Result
from denoisebench.scoring.submission.private import discreet, own_names
from denoisebench.task import load_task
from denoisebench.tracking import open_trackers
from denoisebench.training.inference import memory_ended
from denoisebench.training.log import Record
from denoisebench.training.recipe import Recipe

LONGEST_REASON = 300  # characters


def work(
    job: Job, setting: Setting, tell: Callable[[News], None], stopping: Callable[[], bool]
) -> News:
    """Train or score what a job asks for; a run that is done is read, an unfinished one resumed.

    Args:
        job: what.
        setting: on what, and where.
        tell: hears of it while it runs.
        stopping: asked before each step; True leaves a checkpoint and returns.
    Returns:
        The last news: done, diverged, failed with its reason, or waiting where it was stopped or
        another process is at it. Nothing that goes wrong with the job is raised.
    """
    where = ""
    try:
        device = torch_device(setting.device)
        where = str(device)
        if device.type == "cuda":  # what an earlier job has left
            torch.cuda.empty_cache()
        tell(News(job.name, "running", where, doing="opening data"))
        result = _run(job, setting, device, tell, stopping)
    except (runs.Interrupted, lock.Held) as reason:
        return News(job.name, "waiting", where, reason=_in_one_line(str(reason)))
    except (Exception, SystemExit) as error:  # a plug-in's, a library's: none costs another job
        return News(job.name, "failed", where, reason=reason_of(error, setting.plugins))
    states: dict[str, State] = {"done": "done", "diverged": "diverged"}
    return News(job.name, states.get(result.status, "failed"), where, reason=result.reason)


def _run(
    job: Job,
    setting: Setting,
    device: torch.device,
    tell: Callable[[News], None],
    stopping: Callable[[], bool],
) -> Result:
    def advance(what: str, done: int, total: int) -> None:
        if job.recipe is None and stopping():  # a training looks after its own end
            raise runs.Interrupted("stopped, and not scored yet")
        phase = what.replace(f" {job.method}", "")
        tell(News(job.name, "running", str(device), doing=f"{phase}, {done} of {total}"))

    def note(text: str) -> None:
        tell(News(job.name, "running", str(device), note=_in_one_line(text)))

    def report(record: Record) -> None:
        tell(News(job.name, "running", str(device), record=record))

    catalogue = find(setting.plugins)
    if job.recipe is not None:
        _refuse_edited(job.recipe, catalogue)
    bench = runs.Bench(
        opened(setting),
        load_task(setting.task),
        catalogue,
        device,
        setting.runs,
        setting.workers,
        speedup=setting.speedup,
        note=note,
        advance=advance,
    )
    if job.recipe is None:
        assert job.baseline is not None
        return run_baseline(bench, job.baseline)
    folder = setting.runs / job.name
    known, _ = runs.known_result(bench, folder)
    if known and known.status == "diverged":  # the news of it was lost
        return known
    lock.refuse_held(folder)  # before trackers write there
    names = setting.track
    with open_trackers(names, job.recipe, folder, report=report, note=note) as trackers:
        result = runs.run_network(
            bench, job.recipe, folder, resume=True, report=trackers.report, stopping=stopping
        )
        trackers.finish(result)
    return result


def opened(setting: Setting) -> DataSet:
    """Open the data of a setting; UsageError where they are absent here, or others."""
    dataset = _open(setting.data)
    for what, here, wanted in (
        ("pixels", dataset.digest, setting.data_digest),
        ("split", dataset.split_digest, setting.split_digest),
    ):
        if here != wanted:
            raise UsageError(
                f"the data have another {what} digest here ({here[:12]}, expected {wanted[:12]}); "
                "give this machine the same data"
            )
    return dataset


@lru_cache(maxsize=1)
def _open(name: str) -> DataSet:
    """Open data once for all jobs that this process does."""
    return open_data(name)


def _refuse_edited(recipe: Recipe, catalogue: Catalogue) -> None:
    """Raise UsageError where a plug-in is another than when the recipe was made."""
    for text, digest in recipe.plugins.items():
        kind, name = text.split(" ", 1)
        if catalogue.get(kind, name).digest != digest:
            raise UsageError(f"the {kind} {name} was edited since; run the sweep again")


def reason_of(error: BaseException, plugins: tuple[Path, ...] = ()) -> str:
    """Say in one line why a job failed, without a path, or a name of this machine or its user.

    Args:
        error: what it raised.
        plugins: the user's own files; the last line of one that led to the error is named.
    """
    text = _in_one_line(str(error))
    if isinstance(error, runs.OutOfMemory | MemoryError) or (
        isinstance(error, RuntimeError) and memory_ended(error)
    ):
        return "out of memory; use a smaller --batch or --patch, or a larger device"
    if isinstance(error, UsageError | Unavailable):
        return text
    place = _place(error, plugins)
    name = type(error).__name__
    return f"{name}: {text}{place}" if text else f"{name}{place}"


def _place(error: BaseException, plugins: tuple[Path, ...]) -> str:
    own = {path.resolve() for path in plugins}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename).resolve()
        if path in own:
            return f" ({path.name}, line {frame.lineno})"
    return ""


def _in_one_line(text: str) -> str:
    text = discreet(" ".join(text.split()))
    for _, name in own_names():
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "…", text, flags=re.I)
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"
