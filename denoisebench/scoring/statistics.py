"""Means, intervals and tests over patients: slices of one patient are not independent."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; the interval is None where it cannot be known."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference(Estimate):
    """One method less another on the same slices, positive where the first has more.

    `p` is of a two-sided paired test; None where there are too few patients for one. `above` counts
    the patients on whom the first has more, of `patients`.
    """

    p: float | None
    above: int
    patients: int


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

    Student's t; no interval for one patient or for values that are not finite.

    Args:
        values, patients: one entry a slice, at least one.
    """
    return _interval(by_patient(values, patients))


def difference(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Difference:
    """Compare two methods patient by patient.

    Args:
        ours, theirs: (patients,) means of the same patients in the same order; see `by_patient`.
    Returns:
        The mean of ours - theirs, its interval as in `estimate`, and Student's paired test.
    """
    apart = ours - theirs
    found = _interval(apart)
    p = float(p_values(apart)) if len(apart) > 1 else None
    above = int(np.sum(apart > 0))
    return Difference(found.mean, found.low, found.high, p, above, len(apart))


def p_values(apart: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two-sided p of Student's t test that differences have mean 0.

    Args:
        apart: (…, patients) differences, at least two patients.
    Returns:
        (…,); 1 where all differences are 0, 0 where they are equal and are not.
    """
    mean, error = apart.mean(axis=-1), stats.sem(apart, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(mean == 0, 0.0, mean / error)
    p: NDArray[np.float64] = 2 * stats.t.sf(np.abs(t), apart.shape[-1] - 1)
    return p


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct p values for their number (Holm, 1979, Scand. J. Statist. 6, 65).

    Args:
        p: (tests,)
    Returns:
        (tests,): below α for those that may be believed together at an error rate of α.
    """
    order = np.argsort(p, kind="stable")
    steps = np.arange(len(p), 0, -1)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * steps), 1)
    return corrected


def detectable(apart: NDArray[np.float64], power: float = 0.8) -> float:
    """The smallest true difference that a paired test of this size would find.

    Args:
        apart: (patients,) differences of two methods, for their spread; at least two.
        power: how often it would be found, at a level of 5 %.
    Source: Cohen (1988), Statistical Power Analysis, sec. 2.3, with quantiles of t for those of
    the noncentral t: with four patients it is found 78 times in a hundred, from six on 80 times.
    """
    freedom = len(apart) - 1
    quantiles = stats.t.ppf(0.975, freedom) + stats.t.ppf(power, freedom)
    return float(quantiles * stats.sem(apart))


def _interval(means: NDArray[np.float64]) -> Estimate:
    """Student's t interval of the mean of patients.

    Not the bootstrap, whose intervals (BCa) hold the truth 92 to 94 times in a hundred for 20 to 50
    patients where these do 94 to 95 times, as tests/scoring/test_statistics.py repeats.
    """
    mean = float(np.mean(means))
    if len(means) < 2 or not np.all(np.isfinite(means)):
        return Estimate(mean, None, None)
    if np.ptp(means) == 0:
        return Estimate(mean, mean, mean)
    low, high = stats.t.interval(0.95, len(means) - 1, mean, stats.sem(means))
    return Estimate(mean, float(low), float(high))
