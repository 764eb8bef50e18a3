"""Which slices train, which validate, which test.

By patient: patients stand in the order of SHA-256(SALT + PatientID) and are cut after one half and
three quarters of them, both rounded down, so that from 3 patients on no split is empty. The salt is
fixed: the same patients give the same split on every machine, and nobody chooses it by scores.

One or two patients cannot fill three splits. Each is then cut by slice: the first half of the body,
from the feet, trains, the next quarter validates, the last tests, and slices between the blocks are
left out, as neighbours look alike. Scores from such a split say nothing about other patients.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median

from denoisebench.errors import UsageError

SPLITS = ("train", "val", "test")
SALT = "denoisebench-split-v1:"
FEWEST_PATIENTS = 3
GAP_SLICES = 3


def by_patient(patients: Iterable[str]) -> dict[str, str]:
    """Return each patient's split.

    Raises:
        UsageError: fewer than 3 patients.
    """
    order = sorted(set(patients), key=lambda name: hashlib.sha256((SALT + name).encode()).digest())
    if len(order) < FEWEST_PATIENTS:
        raise UsageError(f"{len(order)} patients cannot fill train, val and test; 3 can")
    half, quarters = len(order) // 2, 3 * len(order) // 4
    cuts = {"train": order[:half], "val": order[half:quarters], "test": order[quarters:]}
    return {patient: split for split, members in cuts.items() for patient in members}


def by_blocks(
    positions_mm: Sequence[float], series: Sequence[str], thickness_mm: float
) -> list[str | None]:
    """Return each slice's split, None in the gaps between blocks, for one patient.

    All series are cut at the same places: two kernels of one scan show the same anatomy.

    Args:
        positions_mm: of each slice, along the patient.
        series: of each slice.
        thickness_mm: of the thickest slice; no gap is thinner.

    Raises:
        UsageError: too few slices for three blocks and two gaps.
    """
    gap = max(thickness_mm, GAP_SLICES * _widest_step(positions_mm, series))
    low, high = min(positions_mm), max(positions_mm)
    body = high - low - 2 * gap
    first, second = low + body / 2, low + body / 2 + gap + body / 4
    tolerance = 1e-6  # mm: sums of decimal positions

    def split(position: float) -> str | None:
        if position <= first + tolerance:
            return "train"
        if position > second + gap + tolerance:
            return "test"
        return "val" if first + gap + tolerance < position <= second + tolerance else None

    found = [split(position) for position in positions_mm] if body > 0 else []
    if not set(SPLITS) <= set(found):
        raise UsageError(
            f"{len(positions_mm)} slices of one patient are too few for three blocks with gaps of "
            f"{GAP_SLICES}; give about 12 slices, 3 patients, or a manifest.csv that says the split"
        )
    return found


def _widest_step(positions_mm: Sequence[float], series: Sequence[str]) -> float:
    """Return the widest of the series' median steps from slice to slice."""
    places: Mapping[str, set[float]] = defaultdict(set)
    for position, name in zip(positions_mm, series, strict=True):
        places[name].add(round(position, 3))
    widest = 0.0
    for found in places.values():
        order = sorted(found)
        if len(order) > 1:
            widest = max(widest, median(after - before for before, after in pairwise(order)))
    return widest
