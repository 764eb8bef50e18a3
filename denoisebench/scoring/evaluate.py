"""Score a denoiser on the test split."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import Slice
from denoisebench.errors import Unavailable
from denoisebench.plugins.expression import Part, resolve
from denoisebench.plugins.find import Catalogue
from denoisebench.plugins.load import build
from denoisebench.scoring.denoisers import Denoiser
from denoisebench.scoring.result import MetricResult, Score
from denoisebench.scoring.statistics import estimate
from denoisebench.scoring.submission.private import discreet
from denoisebench.task import Task
from denoisebench.task.noise import noisy_slice


@dataclass(frozen=True)
class Example:
    """One test slice for the preview: (H, W) grey levels each."""

    digest: str
    clean: NDArray[np.float64]
    noisy: NDArray[np.float64]
    output: NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """Scores of a method, by metric (its canonical text) and by slice."""

    metrics: dict[str, MetricResult]
    scores: list[Score]
    seconds_per_slice: float
    example: Example
    failure: str | None
    """Why the outputs cannot be ranked: a slice came out with NaN or infinite pixels."""


def evaluate(
    denoiser: Denoiser,
    dataset: DataSet,
    task: Task,
    catalogue: Catalogue,
    *,
    advance: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Denoise the test split and measure it by the task's metrics.

    Args:
        denoiser: see `denoisers`; it is given noisy pixels and nothing else.
        dataset: whose test split.
        task: window, noise, metrics.
        catalogue: where the metrics are looked up.
        advance: called after each slice.
    """
    slices = dataset.test
    metrics = _metric_parts(task, catalogue)
    measures = [(part.text, build(filled(part, task))) for part in metrics]
    scores: list[Score] = []
    reasons: dict[str, str] = {}
    seconds: list[float] = []
    example: Example | None = None
    shown, failure = richest(slices, task), None
    outputs = denoiser(_noisy(slices, task))
    for one, denoised in zip(slices, outputs, strict=True):
        seconds.append(denoised.seconds)
        clean = task.to_grey(one.hu)
        if one.digest == shown.digest:
            noisy = noisy_slice(task, clean, one.digest)
            example = Example(one.digest, clean, noisy, denoised.image)
        if not np.all(np.isfinite(denoised.image)):
            failure = f"output of test slice {one.digest[:12]} has pixels that are not finite"
        output, target = (torch.from_numpy(image)[None, None] for image in (denoised.image, clean))
        for name, measure in measures:
            value = _measure(measure, output, target, name, reasons)
            scores.append(
                Score(slice=one.digest[:16], patient=one.patient, metric=name, value=value)
            )
        advance()
    assert example is not None
    summary = {part.text: _summary(part, scores, reasons) for part in metrics}
    return Evaluation(summary, scores, float(np.median(seconds)), example, failure)


def richest(slices: Sequence[Slice], task: Task) -> Slice:
    """The slice that stands in the preview: the one of most contrast, whatever was scored."""
    return max(slices, key=lambda one: float(task.to_grey(one.hu).std()))


def metric_versions(task: Task, catalogue: Catalogue) -> dict[str, int]:
    """Version of each of the task's metrics, by canonical text."""
    return {p.text: p.card.version for p in _metric_parts(task, catalogue)}


def _metric_parts(task: Task, catalogue: Catalogue) -> list[Part]:
    return [part for text in task.metrics for part in resolve(text, "metric", catalogue)]


def filled(part: Part, task: Task) -> Part:
    """Fill the knobs of a metric or baseline that are the task's to say, unless they are set."""
    facts = {
        "window_hu": task.window_hu,
        "channels": task.noise.channels,
        "eight_bit": task.noise.eight_bit,
    }
    defaults = {knob.name: knob.default for knob in part.card.knobs}
    told = {name: facts[name] for name in facts if name in defaults and name not in part.given}
    knobs = {name: value for name, value in told.items() if value != defaults[name]}
    return replace(part, knobs={**part.knobs, **knobs})


def _noisy(slices: Sequence[Slice], task: Task) -> Iterator[NDArray[np.float64]]:
    for one in slices:
        yield noisy_slice(task, task.to_grey(one.hu), one.digest)


def _measure(
    measure: Any, output: torch.Tensor, target: torch.Tensor, name: str, reasons: dict[str, str]
) -> float | None:
    """One value, or None with its reason noted."""
    try:
        with torch.inference_mode():
            value = float(measure(output, target)[0])
    except Unavailable as reason:
        reasons[name] = discreet(str(reason))
        return None
    if math.isnan(value) or math.isinf(value):
        reasons[name] = f"{name} is {value} on some slices"
        return None
    return value


def _summary(part: Part, scores: Sequence[Score], reasons: dict[str, str]) -> MetricResult:
    own = [score for score in scores if score.metric == part.text]
    known = [(s.value, s.patient) for s in own if s.value is not None]
    missing = len(own) - len(known)
    # A mean over the easier half of the slices would flatter: it is a value of all, or none.
    found = None if missing else estimate([v for v, _ in known], [p for _, p in known])
    return MetricResult(
        mean=found.mean if found else None,
        lo=found.low if found else None,
        hi=found.high if found else None,
        unit=str(part.card.facts.get("unit", "")),
        better=part.card.facts["better"],  # type: ignore[arg-type]
        version=part.card.version,
        n=len(known),
        missing=missing,
        reason=reasons.get(part.text),
    )
