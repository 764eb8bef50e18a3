"""Whether slices have the noise that a run was trained for."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from denoisebench.deploy.method import HasHU, Method
from denoisebench.deploy.noise_level import noise_level

LOOKED_AT = 5  # slices, spread over a series
LEAST, GREATEST = 0.6, 1.5  # times the noise that a run removes


def spread(count: int) -> list[int]:
    """Choose which slices of a series are looked at, by their numbers."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, LOOKED_AT))})


@dataclass(frozen=True)
class Look:
    """What some slices of a series look like.

    Attributes:
        noise_hu: the median over slices; None without soft tissue.
        never_below_zero: no slice has a value below 0 HU.
    """

    noise_hu: float | None
    never_below_zero: bool


def look(slices: Iterable[HasHU]) -> Look:
    """Look at some slices of a series."""
    levels, lowest = [], [np.inf]
    for one in slices:
        levels.append(noise_level(one.hu, one.padding))
        lowest.append(float(one.hu.min(initial=np.inf, where=~one.padding)))
    known = [level for level in levels if level is not None]
    return Look(float(np.median(known)) if known else None, min(lowest) >= 0)


def objections(method: Method, seen: Look) -> list[str]:
    """Say what is wrong with the values of a series for a method; nothing where they fit."""
    wrong = ["values that cannot be HU: none below 0"] if seen.never_below_zero else []
    if seen.noise_hu is None:
        return [*wrong, "no soft tissue to tell its noise from"]
    low, high = LEAST * method.sigma_hu, GREATEST * method.sigma_hu
    if not low <= seen.noise_hu <= high:
        effect = "it would be over-smoothed" if seen.noise_hu < low else "much of it would stay"
        wrong.append(
            f"noise of {seen.noise_hu:.0f} HU where the run removes {method.sigma_hu:.0f} "
            f"({low:.0f} to {high:.0f} are taken); {effect}"
        )
    return wrong
