"""Score a denoiser on the test split."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
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
from denoisebench.scoring.denoisers import SLICES_AT_ONCE, Denoiser, batches
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
    device: torch.device | None = None,
) -> Evaluation:
    """Denoise the test split and measure it by the task's metrics.

    Args:
        denoiser: see `denoisers`; it is given noisy pixels and nothing else.
        dataset: whose test split.
        task: window, noise, metrics.
        catalogue: where the metrics are looked up.
        advance: called after each slice.
        device: where it is measured: on a GPU several slices of one shape at once; on a CPU, and
            where None, one by one, which takes no longer there, and leaves each digit as it is.
    """
    slices = dataset.test
    metrics = _metric_parts(task, catalogue)
    measures = [(part.text, build(filled(part, task))) for part in metrics]
    scores: list[Score] = []
    reasons: dict[str, str] = {}
    seconds: list[float] = []
    example: Example | None = None
    shown, failure = richest(slices, task), None
    gpu = None if device is None or device.type == "cpu" else device
    at_once = SLICES_AT_ONCE if gpu else 1
    pairs = zip(slices, denoiser(_noisy(slices, task)), strict=True)
    for some in batches(pairs, lambda pair: pair[0].hu.shape, lambda _: at_once):
        cleans = [task.to_grey(one.hu) for one, _ in some]
        for (one, denoised), clean in zip(some, cleans, strict=True):
            seconds.append(denoised.seconds)
            if one.digest == shown.digest:
                noisy = noisy_slice(task, clean, one.digest)
                example = Example(one.digest, clean, noisy, denoised.image)
            if not np.all(np.isfinite(denoised.image)):
                failure = f"output of test slice {one.digest[:12]} has pixels that are not finite"
        images = ([denoised.image for _, denoised in some], cleans)
        outputs, targets = (torch.from_numpy(np.stack(each))[:, None] for each in images)
        found = [measured(each, outputs, targets, name, reasons, gpu) for name, each in measures]
        for (one, _), *values in zip(some, *found, strict=True):
            scores += [
                Score(slice=one.digest[:16], patient=one.patient, metric=name, value=value)
                for (name, _), value in zip(measures, values, strict=True)
            ]
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


def measured(
    measure: Any,
    outputs: torch.Tensor,
    targets: torch.Tensor,
    name: str,
    reasons: dict[str, str],
    gpu: torch.device | None = None,
) -> list[float | None]:
    """Measure slices of one shape, (B, 1, H, W) each; None, with its reason noted, for some.

    On a GPU they are measured together. What fails there (memory ends, a metric knows CPUs only,
    or one slice at a time) is measured here.
    """
    if gpu is not None:
        # TF32 would leave ten bits of what networks see.
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with suppress(Unavailable, RuntimeError, TypeError, ValueError), exact:
            with torch.inference_mode():
                values = measure(outputs.to(gpu), targets.to(gpu)).tolist()
            if len(values) == len(outputs):
                return [_finite(value, name, reasons) for value in values]
    pairs = zip(outputs[:, None], targets[:, None], strict=True)
    return [_measure(measure, output, target, name, reasons) for output, target in pairs]


def _measure(
    measure: Any, output: torch.Tensor, target: torch.Tensor, name: str, reasons: dict[str, str]
) -> float | None:
    try:
        with torch.inference_mode():
            return _finite(float(measure(output, target)[0]), name, reasons)
    except Unavailable as reason:
        reasons[name] = discreet(str(reason))
        return None


def _finite(value: float, name: str, reasons: dict[str, str]) -> float | None:
    if math.isfinite(value):
        return value
    reasons[name] = f"{name} is {value} on some slices"
    return None


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
