"""How rows of a board differ, patient by patient, and which ranks that leaves open."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from denoisebench.scoring.result import Score
from denoisebench.scoring.statistics import by_patient, detectable, holm, p_values

LEVEL = 0.05
Means = NDArray[np.float64]


def patient_means(scores: Sequence[Score], metric: str) -> Mapping[str, float] | None:
    """Average a metric over each patient's slices; None where a slice has no value."""
    own = [score for score in scores if score.metric == metric]
    values = [score.value for score in own if score.value is not None]
    if not own or len(values) < len(own) or not np.all(np.isfinite(values)):
        return None
    patients = [score.patient for score in own]
    means = by_patient(values, patients)
    return dict(zip(dict.fromkeys(patients), means.tolist(), strict=True))


def ranks(means: NDArray[np.float64], *, higher: bool) -> list[tuple[int, int]]:
    """Say between which ranks each method stands.

    A method is behind those that a paired test over patients finds better than it, after Holm's
    correction for all pairs, and ahead of those found worse; with all others it shares its ranks.

    Args:
        means: (methods, patients) of one metric.
        higher: whether more is better.
    Returns:
        (best, worst) rank of each method, from 1.
    """
    count, patients = means.shape
    first, second = np.triu_indices(count, 1)
    better = np.zeros((count, count), dtype=bool)  # row is better than column
    if patients > 1 and len(first):
        apart = (means[first] - means[second]) * (1 if higher else -1)
        sure = holm(p_values(apart)) < LEVEL
        ahead = apart.mean(axis=1) > 0
        better[first, second] = sure & ahead
        better[second, first] = sure & ~ahead
    return [
        (1 + int(better[:, method].sum()), count - int(better[method].sum()))
        for method in range(count)
    ]


def smallest_detectable(means: NDArray[np.float64]) -> float | None:
    """The difference that would be found between two neighbours on a board; None for too few.

    The median over neighbours of `detectable`, for a single test at 5 % with a power of 80 %.

    Args:
        means: (methods, patients), best method first.
    """
    if len(means) < 2 or means.shape[1] < 2:
        return None
    return float(np.median([detectable(apart) for apart in means[:-1] - means[1:]]))
