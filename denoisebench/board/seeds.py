"""Runs that differ by their seed only are one row: their mean, with their spread."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev

from denoisebench.errors import UsageError
from denoisebench.scoring.result import Best, Finding, MetricResult, Result, Score, Verification
from denoisebench.scoring.statistics import estimate
from denoisebench.training.recipe import Recipe, told_apart


@dataclass(frozen=True)
class Entry:
    """A run as a board finds it: its folder's name, its result, and what else is known of it.

    Attributes:
        scores: by slice; none where there is no scores.csv.
        verification: what it scored when it was measured again.
        audit, physics: what was found out about its pictures.
        submitted: whether it came as a submission, from somebody else.
        path: of the folder; None where there is none.
        members: the runs that it is the mean of, one a seed; none for a single run.
        apart: in what its recipe differs from others of its method on the board.
    """

    folder: str
    result: Result
    scores: tuple[Score, ...] = ()
    verification: Verification | None = None
    audit: Finding | None = None
    physics: Finding | None = None
    submitted: bool = False
    path: Path | None = field(default=None, compare=False)
    members: "tuple[Entry, ...]" = ()
    apart: str = ""

    @property
    def name(self) -> str:
        """The method, and what tells it from others of that method."""
        return f"{self.result.method} ({self.apart})" if self.apart else self.result.method

    @cached_property
    def recipe(self) -> Recipe | None:
        """Read from its folder; None where there is none, or it is of another run."""
        try:
            found = Recipe.read(self.path / "recipe.toml") if self.path else None
        except UsageError:
            return None
        return found if found and found.hash == self.result.recipe else None

    @property
    def spread(self) -> dict[str, float]:
        """Standard deviation over seeds of each metric's mean; nothing for a single run."""
        found = {}
        for name in self.result.metrics if self.members else ():
            means = [one.result.metrics[name].mean for one in self.members]
            known = [mean for mean in means if mean is not None]
            if len(known) == len(means):
                found[name] = stdev(known)
        return found


def nested(entries: Sequence[Entry]) -> list[Entry]:
    """Put runs of one family into one entry; those that are not done stay on their own.

    A family is a recipe but for its seed, on one device: seconds of two are not averaged. A run
    that is there twice counts once, and its copy stays on its own.
    """
    families: dict[tuple[object, ...], dict[str, Entry]] = {}
    for entry in entries:
        result = entry.result
        seeded = result.family is not None and result.status == "done" and entry.scores
        key = (result.family, result.device) if seeded else (entry.folder, result.recipe)
        family = families.setdefault(key, {})
        if result.recipe in family:
            families[entry.folder, result.recipe, "copy"] = {result.recipe: entry}
        else:
            family[result.recipe] = entry
    groups = (list(family.values()) for family in families.values())
    return [_one(group) if len(group) > 1 else group[0] for group in groups]


def named(entries: Sequence[Entry]) -> list[Entry]:
    """Tell rows of one method apart by their recipes; seeds are no difference."""
    methods = [entry.result.method for entry in entries]
    shared = [entry.recipe if methods.count(entry.result.method) > 1 else None for entry in entries]
    told = told_apart(shared)
    return [replace(entry, apart=words) for entry, words in zip(entries, told, strict=True)]


def _one(entries: Sequence[Entry]) -> Entry:
    """Average runs that differ by their seed: slice by slice, then as for any run."""
    entries = sorted(entries, key=lambda entry: entry.result.seeds)
    first, results = entries[0], [entry.result for entry in entries]
    scores = _mean_scores(entries)
    changes = {
        "seeds": tuple(seed for result in results for seed in result.seeds),
        "metrics": {name: _mean_metric(name, results, scores) for name in first.result.metrics},
        "train_seconds": fmean(result.train_seconds for result in results),
        "train_images": round(fmean(result.train_images for result in results)),
        "train_steps": round(fmean(result.train_steps for result in results)),
        "peak_memory": max((r.peak_memory for r in results if r.peak_memory), default=None),
        "seconds_per_slice": _mean([result.seconds_per_slice for result in results]),
        # One seed whose game is lost is what a reader must know.
        "health": next((r.health for r in results if r.health and r.health.collapsed), None)
        or first.result.health,
        "best": _mean_best(results),
    }
    return replace(
        first,
        result=first.result.model_copy(update=changes),
        scores=tuple(scores),
        verification=_mean_verification([entry.verification for entry in entries]),
        audit=_mean_finding([entry.audit for entry in entries]),
        physics=_mean_finding([entry.physics for entry in entries]),
        members=tuple(entries),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _mean_scores(entries: Sequence[Entry]) -> list[Score]:
    values: dict[tuple[str, str, str], list[float | None]] = {}
    for entry in entries:
        for score in entry.scores:
            values.setdefault((score.slice, score.patient, score.metric), []).append(score.value)
    return [
        Score(slice=name, patient=patient, metric=metric, value=_mean(found))
        for (name, patient, metric), found in values.items()
        if len(found) == len(entries)
    ]


def _mean_metric(name: str, results: Sequence[Result], scores: Sequence[Score]) -> MetricResult:
    own = [score for score in scores if score.metric == name]
    known = [(score.value, score.patient) for score in own if score.value is not None]
    first = results[0].metrics[name]
    if not own or len(known) < len(own):
        reason = next((r.metrics[name].reason for r in results if r.metrics[name].reason), None)
        return first.model_copy(update={"mean": None, "lo": None, "hi": None, "reason": reason})
    found = estimate([value for value, _ in known], [patient for _, patient in known])
    return first.model_copy(update={"mean": found.mean, "lo": found.low, "hi": found.high})


def _mean_best(results: Sequence[Result]) -> Best | None:
    """Average the best weights' scores; a seed whose last weights were best counts with those."""
    if all(result.best is None for result in results):
        return None
    chosen = [result.best.metrics if result.best else result.metrics for result in results]
    metrics = {
        name: _bare(metric, _mean([each[name].mean for each in chosen]))
        for name, metric in chosen[0].items()
    }
    bests = [result.best for result in results if result.best]
    psnr = fmean(best.validation_psnr for best in bests)
    return Best(step=bests[0].step, validation_psnr=psnr, metrics=metrics)


def _mean_finding(findings: Sequence[Finding | None]) -> Finding | None:
    known = [finding for finding in findings if finding is not None]
    if len(known) < len(findings):
        return None
    columns = {
        name: _bare(metric, _mean([each.columns[name].mean for each in known]))
        for name, metric in known[0].columns.items()
        if all(name in each.columns for each in known)
    }
    return known[0].model_copy(update={"columns": columns, "curves": {}, "places": []})


def _bare(metric: MetricResult, mean: float | None) -> MetricResult:
    """The same quantity with another mean, whose interval is not known."""
    return metric.model_copy(update={"mean": mean, "lo": None, "hi": None})


def _mean_verification(found: Sequence[Verification | None]) -> Verification | None:
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    means = {
        "reported": fmean(each.reported for each in known),
        "measured": _mean([each.measured for each in known]),
    }
    return known[0].model_copy(update=means)
