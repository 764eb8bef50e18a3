"""Means and intervals over patients: slices of one patient are not independent."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

ENOUGH_TO_RESAMPLE = 20  # patients; below, the bootstrap is too narrow and the t interval is used
RESAMPLES = 10_000


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; the interval is None where it cannot be known."""

    mean: float
    low: float | None
    high: float | None


def by_patient(values: Sequence[float], patients: Sequence[str]) -> NDArray[np.float64]:
    """Average slices within each patient.

    Args:
        values, patients: one entry a slice.
    Returns:
        One mean a patient, in the order in which patients first appear.
    """
    groups: dict[str, list[float]] = {}
    for value, patient in zip(values, patients, strict=True):
        groups.setdefault(patient, []).append(value)
    return np.array([float(np.mean(group)) for group in groups.values()])


def estimate(values: Sequence[float], patients: Sequence[str]) -> Estimate:
    """Mean over patients and its 95 % interval.

    Bootstrap (BCa, 10,000 resamples of patients, always the same ones) from 20 patients on, t
    interval below; no interval for one patient or for values that are not finite.

    Args:
        values, patients: one entry a slice, at least one.
    Source: Efron (1987), doi:10.1080/01621459.1987.10478410, for BCa.
    """
    means = by_patient(values, patients)
    mean = float(np.mean(means))
    if len(means) < 2 or not np.all(np.isfinite(means)):
        return Estimate(mean, None, None)
    if np.ptp(means) == 0:
        return Estimate(mean, mean, mean)
    if len(means) < ENOUGH_TO_RESAMPLE:
        low, high = stats.t.interval(0.95, len(means) - 1, mean, stats.sem(means))
    else:
        found = stats.bootstrap(
            (means,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(0)
        )
        low, high = found.confidence_interval
    return Estimate(mean, float(low), float(high))
