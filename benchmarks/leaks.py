"""What copies of slices differ by, what other slices differ by, and what seeking copies costs.

    python benchmarks/leaks.py                         on the phantom
    python benchmarks/leaks.py --data DIR              on a folder of DICOM CT
    python benchmarks/leaks.py --every 4               copies of every fourth slice only
    python benchmarks/leaks.py --sizes 1000 10000      the cost, on so many made-up thumbnails

Differences are those that denoisebench/data/leaks decides by: of thumbnails in HU, and of bodies in
steps between neighbouring cells. The copies are those of tests/data/planted_leaks.py. Copies are
sought between patients, and then between all slices, as though each were of another patient.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, zoom

from denoisebench.data.dataset import SPLITS
from denoisebench.data.leaks import candidates, confirm, copies, near_copies, thumbnail
from denoisebench.data.leaks.means import UNIT
from denoisebench.data.named import open_data
from denoisebench.data.scan import Slice

PLANTED = Path(__file__).parents[1] / "tests" / "data" / "planted_leaks.py"
SLICES_A_PATIENT = 600  # 110,000 slices of 176 patients have CT Lymph Nodes
NEAREST = 500

HU = NDArray[np.int16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="phantom", help="a folder, or phantom")
    parser.add_argument("--every", type=int, default=1, help="copy every N-th slice only")
    parser.add_argument("--sizes", type=int, nargs="+", help="thumbnails; prints the cost alone")
    asked = parser.parse_args()
    data = open_data(asked.data)
    slices = [item for split in SPLITS for item in data.slices(split)]
    if asked.sizes:
        cost(slices, sorted(asked.sizes))
    else:
        search(slices)
        differences(slices, asked.every)


def search(slices: Sequence[Slice]) -> None:
    thumbnails = np.stack([thumbnail(one.hu) for one in slices])
    _, patients = np.unique([one.patient for one in slices], return_inverse=True)
    for name, groups in (("patients", patients), ("slices", np.arange(len(slices)))):
        found = near_copies(thumbnails, groups, lambda row: slices[row].hu)
        say(f"{len(found)} copies between {groups.max() + 1} {name}")


def differences(slices: Sequence[Slice], every: int) -> None:
    confirm.COPY_HU = np.inf  # measure whatever is compared
    say("\n| | pairs | thumbnails differ by, HU | the body differs by, steps |")
    say("|---|---|---|---|")
    planted = planted_leaks()
    for leak in planted.LEAKS:
        if leak.alter is not planted.as_it_is:
            altered = [apart(one.hu, leak.alter(one.hu)) for one in slices[::every]]
            show(f"copies: {leak.name}", altered, max)
    for gap in (1, 3):
        pairs = [
            pair for scan in scans(slices) for pair in zip(scan[:-gap], scan[gap:], strict=True)
        ]
        show(f"{gap} apart in a scan", [apart(one.hu, other.hu) for one, other in pairs], min)
    show("two patients, nearest", [apart(one.hu, two.hu) for one, two in nearest(slices)], min)


def show(
    name: str, found: list[tuple[float, float]], worst: Callable[[Sequence[float]], float]
) -> None:
    if found:
        thumbnails, bodies = (worst(column) for column in zip(*found, strict=True))
        say(f"| {name} | {len(found)} | {thumbnails:.1f} | {bodies:.2f} |")


def apart(one: HU, other: HU) -> tuple[float, float]:
    """Return both differences, in the best orientation."""
    first, second = (candidates.inner(thumbnail(hu)[None])[0] for hu in (one, other))
    turns = [np.square(first - second[cells]).mean() ** 0.5 for cells in candidates.ORIENTATIONS]
    best = int(np.argmin(turns))
    sights = confirm.Sight.of(one), confirm.Sight.of(other)
    if confirm.nearly_one_size(*sights, best):
        hu = confirm.difference_of_crops(one, other, best)
    else:
        hu = confirm.difference(*sights, best)
    return float(turns[best]), (hu or 0.0) / min(sight.step for sight in sights)


def scans(slices: Sequence[Slice]) -> Iterator[list[Slice]]:
    """Yield the slices of each scan in order, where places are known."""
    for name in sorted({(one.patient, one.series) for one in slices}):
        scan = [one for one in slices if (one.patient, one.series) == name]
        if all(one.position_mm is not None for one in scan):
            yield sorted(scan, key=lambda one: one.position_mm or 0.0)


def nearest(slices: Sequence[Slice]) -> list[tuple[Slice, Slice]]:
    """Return the pairs of slices of two patients whose thumbnails are nearest, upright."""
    inner = candidates.inner(np.stack([thumbnail(one.hu) for one in slices]))
    squares = np.square(inner).sum(axis=1)
    distances = squares[:, None] + squares - 2 * inner @ inner.T
    patients = np.array([one.patient for one in slices])
    distances[(patients[:, None] == patients) | np.tri(len(slices), dtype=bool)] = np.inf
    order = np.argsort(distances, axis=None)[:NEAREST]
    pairs = zip(*np.unravel_index(order, distances.shape), strict=True)
    return [(slices[one], slices[other]) for one, other in pairs]


def planted_leaks() -> ModuleType:
    spec = spec_from_file_location("planted_leaks", PLANTED)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def cost(slices: Sequence[Slice], sizes: Sequence[int]) -> None:
    """Print seconds and memory by size; what a slice is read from costs nothing here."""
    say("| thumbnails | patients | pairs near by sums | slices read | seconds | peak MiB |")
    say("|---:|---:|---:|---:|---:|---:|")
    for size in sizes:
        thumbnails, groups = made_up(slices, size)
        pairs: list[int] = []
        reads: set[int] = set()

        def counted(*given: Any, pairs: list[int] = pairs) -> Iterator[candidates.Rows]:
            for some in candidates.near_some_way(*given):
                pairs.append(len(some))
                yield some

        def read(row: int, reads: set[int] = reads) -> HU:
            reads.add(row)
            one = slices[row % len(slices)].hu
            return np.roll(one, (row % 509, row % 503), (0, 1))  # so that no two are copies

        copies.near_some_way = counted
        start = time.perf_counter()
        found = near_copies(thumbnails, groups, read)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        say(
            f"| {size:,} | {groups.max() + 1} | {sum(pairs):,} | {len(reads):,} "
            f"| {seconds:.1f} | {peak:,} |"
        )
        assert not found


def made_up(slices: Sequence[Slice], count: int) -> tuple[NDArray[np.int16], NDArray[np.intp]]:
    """Make patients of 600 slices each, on the way between four real slices drawn at random.

    Each patient is zoomed, moved and turned a little, and has a smooth field of his own.
    """
    random = np.random.default_rng(0)
    real = np.stack([thumbnail(one.hu) for one in slices]).astype(np.float32)
    result = np.empty((count, 16, 16), np.int16)
    groups = np.arange(count) // SLICES_A_PATIENT
    for start in range(0, count, SLICES_A_PATIENT):
        length = min(SLICES_A_PATIENT, count - start)
        angle, scale = random.normal(0, 0.1), random.uniform(0.75, 1.25, 2)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn * scale
        offset = 7.5 - matrix @ (7.5 + random.uniform(-1.5, 1.5, 2))
        field = zoom(random.normal(0, 40 * UNIT, (4, 4)), 4, order=3)
        four = [
            affine_transform(real[row], matrix, offset, order=1, mode="nearest")
            for row in random.choice(len(real), 4, replace=False)
        ]
        place = np.linspace(0, 3, length, endpoint=False)
        part = (place % 1)[:, None, None].astype(np.float32)
        left = place.astype(int)
        between = np.stack(four)[left] * (1 - part) + np.stack(four)[left + 1] * part
        body = (between > -900 * UNIT) * field
        noise = random.normal(0, 2 * UNIT, between.shape)
        result[start : start + length] = np.clip(between + body + noise, -950 * UNIT, 950 * UNIT)
    return result, groups


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
