"""A sweep: its jobs, what is done of them already, and the rest until each has a row."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from denoisebench import lock
from denoisebench.errors import Unavailable, UsageError
from denoisebench.fleet.job import Executor, Job, News, Setting, State
from denoisebench.fleet.work import reason_of
from denoisebench.plugins.expression import resolve
from denoisebench.scoring import classical
from denoisebench.scoring import run as runs
from denoisebench.scoring.environment import device_name
from denoisebench.scoring.result import Result, read_result
from denoisebench.training import log
from denoisebench.training.log import Record
from denoisebench.training.recipe import Plan, told_apart

PAUSE_SECONDS = 2.0  # before a job is tried again that another process is at

Stage = Literal["done", "diverged", "failed", "unfinished", "to do"]


@dataclass(frozen=True)
class Standing:
    """What the runs folder says of a job.

    Attributes:
        last: the last line of its log, where it has one.
        reason: why it diverged or failed; a failed one is tried again.
    """

    stage: Stage
    last: Record | None = None
    reason: str | None = None

    @property
    def state(self) -> State:
        """Where its job stands at the beginning: over, or waiting to be done or tried again."""
        return self.stage if self.stage in ("done", "diverged") else "waiting"


def jobs_of(plans: Iterable[Plan], baselines: Iterable[str], bench: runs.Bench) -> list[Job]:
    """Tie plans to data: the task's reference baselines, other baselines, then trainings.

    Equal recipes are one job.
    """
    found: dict[str, Job] = {}
    for text in (*bench.task.references, *baselines):
        (part,) = resolve(text, "baseline", bench.catalogue)
        name = f"{part.card.name}-{classical.baseline_key(bench, part)[:8]}"
        found.setdefault(name, Job(name, part.text, baseline=text))
    for one in plans:
        recipe = one.recipe(bench.task, bench.dataset)
        name = runs.run_folder(bench, recipe).name
        found.setdefault(name, Job(name, recipe.method, recipe))
    return list(found.values())


def labels(jobs: Sequence[Job]) -> dict[str, str]:
    """Say in what the recipes of one method differ: job → `patch3, learning_rate 0.001`.

    Empty where the method tells all.
    """
    told = told_apart([job.recipe for job in jobs])
    return {job.name: words for job, words in zip(jobs, told, strict=True)}


def standing(job: Job, bench: runs.Bench) -> Standing:
    """Look up what is there of a job; one whose result cannot be read is a failed one."""
    folder = bench.runs / job.name
    records = log.read(folder / "log.jsonl")
    last = records[-1] if records else None
    try:
        result, incomplete = runs.known_result(bench, folder)
    except UsageError as error:
        return Standing("failed", last, str(error))
    if result and not incomplete:
        stages: dict[str, Stage] = {"done": "done", "diverged": "diverged"}
        return Standing(stages.get(result.status, "failed"), last, result.reason)
    if result or (folder / "checkpoint.pt").exists():  # a row lacks what weights would give
        return Standing("unfinished", last)
    if (folder / "result.json").exists():
        return Standing("failed", last, read_result(folder / "result.json").reason)
    return Standing("to do")


def sweep(
    jobs: Sequence[Job],
    setting: Setting,
    bench: runs.Bench,
    execute: Executor,
    *,
    standings: Mapping[str, Standing],
    tell: Callable[[News], None],
    stopping: Callable[[], bool],
) -> dict[str, News]:
    """Do what is not done yet; a job that fails leaves a row with its reason, and costs no other.

    Args:
        jobs: all of the sweep.
        setting, bench: on what they run; the same twice, for here and for elsewhere.
        execute: does them, somewhere.
        standings: of each job, before.
        tell: hears of each.
        stopping: True ends it, with checkpoints.
    Returns:
        The last news of each job by its name; "waiting" where it was stopped.
    """
    named = {job.name: job for job in jobs}
    last: dict[str, News] = {}
    for name in named:
        before = standings[name]
        last[name] = News(name, before.state, record=before.last, reason=before.reason)

    def hear(news: News) -> None:
        if news.state == "failed":
            try:
                _leave_row(named[news.job], bench, news.reason or "it gave no reason")
            except (UsageError, Unavailable) as refusal:
                news = replace(news, reason=f"{news.reason} (no row was written: {refusal})")
        last[news.job] = news
        tell(news)

    def free(job: Job) -> bool:
        try:
            lock.refuse_held(bench.runs / job.name)
        except lock.Held as held:
            news = News(job.name, "waiting", reason=reason_of(held))
            if news != last[job.name]:
                hear(news)
            return False
        return True

    while todo := [job for job in jobs if last[job.name].state in ("waiting", "running")]:
        # Looked at before: executors may start much for a job that has to wait.
        if now := [job for job in todo if free(job)]:
            execute(now, setting, tell=hear, stopping=stopping)
        if stopping():
            break
        if any(last[job.name].state == "waiting" for job in todo):
            time.sleep(PAUSE_SECONDS)
    return last


def _leave_row(job: Job, bench: runs.Bench, reason: str) -> None:
    """Write a result without scores, unless there is one that says more."""
    folder = bench.runs / job.name
    recipe, test = job.recipe, bench.dataset.test
    result = Result(
        method=job.method,
        kind="network" if recipe else "baseline",
        task=bench.task.name,
        task_version=bench.task.version,
        task_digest=bench.task.digest,
        data=bench.dataset.name,
        data_digest=bench.dataset.digest,
        split_digest=bench.dataset.split_digest,
        recipe=recipe.hash if recipe else _key(job, bench),
        family=recipe.family if recipe else None,
        twin=recipe.twin if recipe else None,
        seeds=(recipe.seed,) if recipe else (),
        n_slices=len(test),
        n_patients=len({one.patient for one in test}),
        parameters=0,
        device=device_name(bench.device),
        status="failed",
        reason=reason,
    )
    with lock.alone(folder):
        if runs.known_result(bench, folder)[0] is None:
            result.write(folder / "result.json")


def _key(job: Job, bench: runs.Bench) -> str:
    (part,) = resolve(str(job.baseline), "baseline", bench.catalogue)
    return classical.baseline_key(bench, part)
