"""The data set `phantom`: procedural torsos, drawn once and kept in the cache folder."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from denoisebench import atomic
from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw, spacing_mm
from denoisebench.data.scan import Slice
from denoisebench.data.split import by_patient
from denoisebench.home import home
from denoisebench.workers import Spawning, begin

PATIENTS, SLICES = 64, 4


def open_phantom(
    *,
    patients: int = PATIENTS,
    slices: int = SLICES,
    size: int = 512,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DataSet:
    """Open the phantom; the first time it is drawn, on all cores.

    A test patient shows every other level, and the next one the levels between: BM3D takes some 7 s
    a slice on one core, and patients, not slices, make a board's intervals narrow.

    Args:
        patients, slices: how many patients, and slices of each, from neck to pelvis.
        size: rows and columns.
        workers: processes that draw.
        progress: called with slices done and slices in all.
    """
    hu = _drawn(patients, slices, size, workers, progress)
    found: dict[str, list[Slice]] = {"train": [], "val": [], "test": []}
    for split, patient, index in members(patients, slices):
        name = f"phantom-{patient:03d}"
        image = hu[patient * slices + index]
        found[split].append(Slice(image, name, name, None, spacing_mm(patient, size)))
    default = (patients, slices, size) == (PATIENTS, SLICES, 512)
    return DataSet(
        name="phantom" if default else f"phantom-{patients}x{slices}x{size}",
        train=tuple(found["train"]),
        val=tuple(found["val"]),
        test=tuple(found["test"]),
        notes=(),
        set_aside=(),
    )


def members(patients: int = PATIENTS, slices: int = SLICES) -> list[tuple[str, int, int]]:
    """Return (split, patient, slice index) of every slice of the data set.

    Patients are split by the hash that splits folders too.
    """
    names = [f"phantom-{patient:03d}" for patient in range(patients)]
    split_of, found, tested = by_patient(names), [], 0
    for patient, name in enumerate(names):
        split, chosen = split_of[name], range(slices)
        if split == "test":
            chosen = range(tested % 2, slices, 2)
            tested += 1
        found += [(split, patient, index) for index in chosen]
    return found


def _drawn(
    patients: int,
    slices: int,
    size: int,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> NDArray[np.int16]:
    """Read all slices from the cache, or draw them: (patients × slices, size, size) int16."""
    path = home() / "data" / f"phantom-{_source()}-{patients}x{slices}x{size}.npy"
    if path.exists():
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    pairs = product(range(patients), range(slices))
    wanted = [(patient, index, slices, size) for patient, index in pairs]
    result = np.empty((len(wanted), size, size), dtype=np.int16)
    with ProcessPoolExecutor(workers, Spawning(), begin) as pool:
        for row, image in enumerate(pool.map(_draw, wanted, chunksize=4)):
            result[row] = image
            if progress:
                progress(row + 1, len(wanted))
    with atomic.told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as file:
        np.save(file, result)
    return result


def _draw(what: tuple[int, int, int, int]) -> NDArray[np.int16]:
    patient, index, slices, size = what
    return draw(patient, index, slices=slices, size=size)


def _source() -> str:
    """Digest of the drawing's source, without this file: an edited phantom is drawn anew."""
    here = Path(__file__)
    digest = hashlib.sha256()
    for path in sorted(here.parent.glob("*.py")):
        if path.name != here.name:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:8]
