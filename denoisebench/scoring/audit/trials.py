"""Slices under several noises, denoised in one stream."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.scan import Slice
from denoisebench.scoring.denoisers import Denoiser, Image
from denoisebench.scoring.result import MetricResult
from denoisebench.scoring.statistics import estimate
from denoisebench.task import Task
from denoisebench.task.noise import noisy_slice


@dataclass(frozen=True)
class Trial:
    """A slice and its noisy versions; (H, W) grey levels each."""

    slice: Slice
    clean: Image
    noisy: list[Image]


Kind = TypeVar("Kind", bound=Trial)


def under_seeds(task: Task, one: Slice, seeds: int) -> Trial:
    """Make noisy versions of a slice under the test noise of the first seeds."""
    clean = task.to_grey(one.hu)
    return Trial(one, clean, [noisy_slice(task, clean, one.digest, k) for k in range(seeds)])


def denoised(
    denoiser: Denoiser, trials: Iterable[Kind]
) -> Iterator[tuple[Kind, NDArray[np.float64]]]:
    """Denoise all noisy versions, in one stream, so that a baseline's workers are never idle.

    Returns:
        Each trial with its outputs, (versions, H, W) grey levels.
    """
    waiting: deque[Kind] = deque()

    def stream() -> Iterator[Image]:
        for trial in trials:
            waiting.append(trial)
            yield from trial.noisy

    outputs = (each.image for each in denoiser(stream()))
    for first in outputs:
        trial = waiting.popleft()
        yield trial, np.stack([first, *islice(outputs, len(trial.noisy) - 1)])


def by_turns(slices: Sequence[Slice], count: int) -> list[Slice]:
    """Take slices of as many patients as possible: each one's first before anyone's second."""
    of_patient: dict[str, list[Slice]] = {}
    for one in slices:
        of_patient.setdefault(one.patient, []).append(one)
    turns = sorted(
        ((turn, patient) for patient, own in of_patient.items() for turn in range(len(own))),
    )
    return [of_patient[patient][turn] for turn, patient in turns[:count]]


def column(
    values: Sequence[float | None],
    patients: Sequence[str],
    unit: str,
    better: str,
    reason: str | None = None,
) -> MetricResult:
    """Average one value a slice over patients, with the 95 % t interval.

    Args:
        values: None where a slice has none.
        patients: of the same slices.
        unit, better: see `MetricResult`.
        reason: why values are missing, where some are.
    """
    known = [(v, p) for v, p in zip(values, patients, strict=True) if v is not None]
    found = estimate([v for v, _ in known], [p for _, p in known]) if known else None
    missing = len(values) - len(known)
    return MetricResult(
        mean=found.mean if found else None,
        lo=found.low if found else None,
        hi=found.high if found else None,
        unit=unit,
        better="higher" if better == "higher" else "lower",
        version=1,
        n=len(known),
        missing=missing,
        reason=reason if missing else None,
    )
