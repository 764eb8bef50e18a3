"""Copies of slices are found, whatever was done to them, and nothing else is taken for one."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from denoisebench.data.intake.dicom import read
from denoisebench.data.leaks import Copy, near_copies, thumbnail
from denoisebench.data.phantom import draw
from tests.data.planted_leaks import LEAKS, Planted, plant

HU = NDArray[np.int16]


def copies(slices: list[HU], groups: list[int] | None = None) -> list[Copy]:
    """Each slice in a group of its own, unless told otherwise."""
    groups = list(range(len(slices))) if groups is None else groups
    thumbnails = np.stack([thumbnail(hu) for hu in slices])
    return near_copies(thumbnails, np.array(groups), slices.__getitem__)


def pairs(found: list[Copy]) -> set[tuple[int, int]]:
    return {(copy.first, copy.second) for copy in found}


@pytest.fixture(scope="module")
def drawn() -> list[HU]:
    """Ten patients at four levels."""
    return [draw(patient, level, size=256) for patient in range(10) for level in range(4)]


@pytest.fixture(scope="module")
def phantom_folder(
    drawn: list[HU], made: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    for number, hu in enumerate(drawn):
        path = folder / f"{number:02}.dcm"
        made.write(path, hu + 1024, PatientID=f"patient {number // 4}")
    return folder


def hunt(folders: list[Path], planted: list[Planted]) -> tuple[set[str], int]:
    """Return the names of the leaks that are found, and how many false alarms there are."""
    paths = [path for folder in folders for path in sorted(folder.rglob("*.dcm"))]
    places = [(path, raw) for path in paths for raw in read(path)]
    patients = sorted({raw.patient_id for _, raw in places})
    found = copies(
        [raw.hu for _, raw in places], [patients.index(raw.patient_id) for _, raw in places]
    )
    got = {frozenset((places[copy.first][0], places[copy.second][0])) for copy in found}
    wanted = {frozenset((leak.original, leak.copy)): leak.name for leak in planted}
    return {wanted[pair] for pair in got & wanted.keys()}, len(got - wanted.keys())


def test_twenty_of_twenty_planted_leaks_are_found_and_nothing_else(
    phantom_folder: Path, made: ModuleType, tmp_path: Path
) -> None:
    planted = plant(sorted(phantom_folder.glob("*.dcm")), tmp_path, made)
    found, alarms = hunt([phantom_folder, tmp_path], planted)
    assert found == {leak.name for leak in LEAKS}
    assert len(found) == 20
    assert alarms == 0


def test_twenty_of_twenty_planted_leaks_are_found_in_real_ct_and_nothing_else(
    ct_folder: Path, made: ModuleType, tmp_path: Path
) -> None:
    planted = plant(sorted(ct_folder.rglob("*.dcm")), tmp_path, made)
    found, alarms = hunt([ct_folder, tmp_path], planted)
    assert found == {leak.name for leak in LEAKS}
    assert alarms == 0
