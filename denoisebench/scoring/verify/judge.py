"""The verdict: what was reported beside what was measured again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from denoisebench.scoring.result import Result, Score, Verification
from denoisebench.scoring.statistics import by_patient

ALLOWED_DB = 0.05
ALLOWED_SHARE = 0.01  # of the reported value, for metrics in other units
ALLOWED_FALL_DB = 0.5  # three times the most that an honest method fell (docs/verify.md)
LEAST_ERROR = 1e-6  # grey², 108 dB: an answer without error has a finite fall


@dataclass
class Measured:
    """What two children answered.

    Attributes:
        patients: slice (16 digits of its digest) → patient.
        values: metric → slice → value, on slices as they are.
        errors: mean squared error in grey²: whether altered → slice → value.
        unmeasured: metric → why it cannot be measured here.
        confined: whether the children could read nothing but Python.
    """

    patients: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    errors: dict[bool, dict[str, float]] = field(default_factory=lambda: {False: {}, True: {}})
    unmeasured: dict[str, str] = field(default_factory=dict)
    confined: bool = False


def verdict(result: Result, scores: Sequence[Score], metric: str, found: Measured) -> Verification:
    """Compare a run's scores with what was measured on the same slices.

    Args:
        result, scores: as reported; they agree (`books.contradiction`).
        metric: the one that ranks.
        found: under fresh noise.
    Returns:
        `passed` where every metric is within its tolerance and altered slices are denoised as well
        as the others; `reported` and `measured` are means over patients of the slices shown.
    """
    told: dict[str, dict[str, Any]] = {}
    reasons: list[str] = []
    for name, values in found.values.items():
        reported = {s.slice: s.value for s in scores if s.metric == name and s.slice in values}
        unit, ranks = result.metrics[name].unit, name == metric
        told[name] = _compared(reported, values, found.patients, unit, ranks=ranks)
        if not told[name]["passed"]:
            reasons.append(_apart(name, told[name], unit))
    reasons.sort(key=lambda reason: not reason.startswith(f"{metric} "))  # what ranks comes first
    fall = _fall(found)
    if fall > ALLOWED_FALL_DB:
        known = (
            f"altered slices are denoised {fall:.2f} dB worse than the test slices themselves, "
            f"more than {ALLOWED_FALL_DB} dB: it knows them"
        )
        reasons.insert(0, known)
    return Verification(
        recipe=result.recipe,
        metric=metric,
        reported=told[metric]["reported"],
        measured=told[metric]["measured"],
        passed=not reasons,
        reason=reasons[0] if reasons else None,
        details={
            "metrics": told,
            "unmeasured": found.unmeasured,
            "altered_fall_db": round(fall, 4),
            "allowed_fall_db": ALLOWED_FALL_DB,
            "slices": len(found.patients),
            "of_slices": result.n_slices,
            "patients": len(set(found.patients.values())),
            "confined": found.confined,
        },
    )


def _compared(
    reported: Mapping[str, float | None],
    measured: Mapping[str, float],
    patients: Mapping[str, str],
    unit: str,
    *,
    ranks: bool,
) -> dict[str, Any]:
    """Means over patients of the same slices, and whether they are the same number.

    What ranks gets no allowance for chance: fewer slices are no way to a larger claim.
    """
    slices = [name for name in measured if reported.get(name) is not None]
    ours = _means([measured[name] for name in slices], slices, patients)
    theirs = _means([float(reported[name] or 0) for name in slices], slices, patients)
    apart = ours - theirs
    chance = float(stats.sem(apart)) if len(apart) > 1 else 0.0
    allowed = ALLOWED_DB if unit == "dB" else ALLOWED_SHARE * abs(float(theirs.mean()))
    if not ranks:
        allowed = max(allowed, 3 * chance)
    return {
        "reported": float(theirs.mean()),
        "measured": float(ours.mean()),
        "difference": float(apart.mean()),
        "allowed": allowed,
        "chance": chance,
        "passed": bool(abs(apart.mean()) <= allowed),
    }


def _apart(name: str, told: Mapping[str, Any], unit: str) -> str:
    text = (
        f"{name} is {told['measured']:.4g} {unit}".rstrip()
        + f" under fresh noise, {told['reported']:.4g} as reported"
    )
    if abs(told["difference"]) < 4 * told["chance"]:
        text += "; so few pixels leave much to chance: try more slices"
    return text


def _fall(found: Measured) -> float:
    """How many dB more error altered slices have: the mean over patients of their slices' means."""
    slices = list(found.patients)
    decibels = [
        10 * np.log10(max(found.errors[True][name], LEAST_ERROR)
                      / max(found.errors[False][name], LEAST_ERROR))
        for name in slices
    ]  # fmt: skip
    return float(_means(decibels, slices, found.patients).mean())


def _means(
    values: Sequence[float], slices: Sequence[str], patients: Mapping[str, str]
) -> NDArray[np.float64]:
    return by_patient(values, [patients[name] for name in slices])
