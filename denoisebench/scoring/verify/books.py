"""Whether what a run says of itself holds together, before anything is measured."""

from collections.abc import Sequence

import numpy as np

from denoisebench.data.dataset import DataSet
from denoisebench.errors import UsageError
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import Catalogue
from denoisebench.scoring.opened import Opened
from denoisebench.scoring.result import EVALUATION_VERSION, Result, Score
from denoisebench.scoring.statistics import estimate
from denoisebench.training.recipe import Recipe


def refuse_other_rulers(opened: Opened, catalogue: Catalogue) -> None:
    """Raise UsageError where this denoisebench would score the same pixels otherwise.

    Args:
        opened: the run.
        catalogue: where metrics are looked up; without the user's files, which could replace one.
    """
    result = opened.result
    if result.evaluation_version != EVALUATION_VERSION:
        raise UsageError(
            f"{opened.folder} was scored by evaluation {result.evaluation_version}, this "
            f"denoisebench has {EVALUATION_VERSION}; score it again, or verify with the other one"
        )
    parts = [part for text in opened.task.metrics for part in resolve(text, "metric", catalogue)]
    for part in parts:
        reported = result.metrics.get(part.text)
        if reported is None or reported.version != part.card.version:
            has = f"version {reported.version}" if reported else "none"
            raise UsageError(
                f"{opened.folder} has {has} of {part.text}, this denoisebench measures version "
                f"{part.card.version}; score it again, or verify with the other one"
            )
        told = (reported.unit, reported.better)
        if told != (part.card.facts.get("unit", ""), part.card.facts["better"]):
            raise UsageError(
                f"{opened.folder} has {part.text} in {reported.unit or 'no unit'!r}, of which "
                f"{reported.better} is better; that is another metric; score it again"
            )
    first = next(iter(result.metrics))
    if first != parts[0].text:
        raise UsageError(
            f"{opened.folder} is ranked by {first}, its task by {parts[0].text}; score it again"
        )


def contradiction(
    result: Result, recipe: Recipe | None, scores: Sequence[Score], dataset: DataSet | None = None
) -> str | None:
    """Say where result, recipe and scores of a run contradict each other; None where they agree.

    Args:
        result, recipe, scores: as in its folder; a baseline has no recipe.
        dataset: that it says it was scored on; where None, the slices of scores.csv are believed.
    """
    if recipe is not None and (recipe.hash, recipe.method) != (result.recipe, result.method):
        return "result.json is of another recipe than recipe.toml"
    # By these a board averages rows, compares them and draws lines between them.
    if (stranger := _of_others(result, recipe)) is not None:
        return f"the {stranger} in result.json is not that of its recipe"
    slices = {one.slice: one.patient for one in scores}
    if dataset is not None:
        slices = {one.digest[:16]: one.patient for one in dataset.test}
    counts = (len(slices), len(set(slices.values())))
    if (result.n_slices, result.n_patients) != counts:
        return "result.json counts other slices or patients than the test split has"
    of_metric: dict[str, list[Score]] = {}
    for score in scores:
        of_metric.setdefault(score.metric, []).append(score)
    for name, reported in result.metrics.items():
        own = of_metric.get(name, [])
        if len(own) != len(slices) or {one.slice: one.patient for one in own} != slices:
            return f"scores.csv does not have every test slice once for {name}"
        values = [score.value for score in own if score.value is not None]
        if len(values) != len(own):
            if reported.mean is not None or reported.missing != len(own) - len(values):
                return f"scores.csv lacks values of {name} that result.json has a mean of"
            continue
        found = estimate(values, [score.patient for score in own])
        told = (reported.mean, reported.lo, reported.hi)
        if not _same((found.mean, found.low, found.high), told):
            return f"the mean of {name} in result.json is not that of scores.csv"
    return None


def _of_others(result: Result, recipe: Recipe | None) -> str | None:
    """Name what ties a result to other runs than its recipe does; what is left out ties nothing."""
    if recipe is None:
        tied = {"family": result.family, "twin": result.twin, "blend": result.blend}
        return next((name for name, other in tied.items() if other is not None), None)
    twin = None if recipe.blend else recipe.twin
    seeds = result.seeds if recipe.blend else (recipe.seed,)
    agrees = {
        "family": result.family in (None, recipe.family),
        "twin": result.twin in (None, twin),
        "blend": result.blend == recipe.blend,
        "seeds": result.seeds in ((), seeds),
    }
    return next((name for name, agreed in agrees.items() if not agreed), None)


def _same(found: Sequence[float | None], told: Sequence[float | None]) -> bool:
    """Equal but for the order of additions."""
    if [value is None for value in found] != [value is None for value in told]:
        return False
    ours, theirs = ([v for v in values if v is not None] for values in (found, told))
    return bool(np.allclose(ours, theirs, rtol=1e-9, atol=1e-9))
