"""Copies of slices are found, whatever was done to them, and nothing else is taken for one."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from denoisebench.data.intake.dicom import Raw, slices
from denoisebench.data.leaks import Copy, candidates, confirm, near_copies, thumbnail
from denoisebench.data.leaks.means import SIDE, turned
from denoisebench.data.phantom import draw
from tests.data.planted_leaks import LEAKS, Planted, plant

HU = NDArray[np.int16]
Places = dict[Path, Raw]  # a slice a file
EVERY = {leak.name for leak in LEAKS}


def copies(slices: list[HU], groups: list[int] | None = None) -> list[Copy]:
    """Each slice in a group of its own, unless told otherwise."""
    groups = list(range(len(slices))) if groups is None else groups
    thumbnails = np.stack([thumbnail(hu) for hu in slices])
    return near_copies(thumbnails, np.array(groups), slices.__getitem__)


def pairs(found: list[Copy]) -> set[tuple[int, int]]:
    return {(copy.first, copy.second) for copy in found}


def opened(folder: Path) -> Places:
    return {path: next(slices(path)) for path in sorted(folder.rglob("*.dcm"))}


def hunt(places: Places, planted: list[Planted]) -> tuple[set[str], int]:
    """Seek copies between patients: the names of leaks found, and how many false alarms."""
    patients = sorted({raw.patient_id for raw in places.values()})
    found = copies(
        [raw.hu for raw in places.values()],
        [patients.index(raw.patient_id) for raw in places.values()],
    )
    paths = list(places)
    got = {frozenset((paths[copy.first], paths[copy.second])) for copy in found}
    wanted = {frozenset((leak.original, leak.copy)): leak.name for leak in planted}
    return {wanted[pair] for pair in got & wanted.keys()}, len(got - wanted.keys())


@pytest.fixture(scope="module")
def phantom() -> list[HU]:
    """Ten patients at four levels."""
    return [draw(patient, level, size=256) for patient in range(10) for level in range(4)]


@pytest.fixture(scope="module")
def neighbours() -> list[HU]:
    """Seven slices of one patient, 0.2 mm apart."""
    return [draw(3, index, slices=4000, size=256) for index in range(1000, 1007)]


@pytest.fixture(scope="module")
def planted(
    phantom: list[HU], made: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Places, list[Planted]]:
    """The phantom's patients as DICOM, and twenty leaks beside them."""
    folder = tmp_path_factory.mktemp("phantom")
    for number, hu in enumerate(phantom):
        made.write(folder / f"{number:02}.dcm", hu + 1024, PatientID=f"patient {number // 4}")
    sown = plant(sorted(folder.glob("*.dcm")), folder, made)
    return opened(folder), sown


@pytest.fixture(scope="module")
def real(ct_folder: Path) -> Places:
    return opened(ct_folder)


def test_twenty_of_twenty_planted_leaks_are_found_and_nothing_else(
    planted: tuple[Places, list[Planted]],
) -> None:
    assert len(LEAKS) == len(EVERY) == 20
    assert hunt(*planted) == (EVERY, 0)


def test_no_two_slices_of_real_ct_are_copies_even_of_one_scan(real: Places) -> None:
    # those of one scan lie at least 6 mm apart
    assert len(real) == 236
    assert copies([raw.hu for raw in real.values()]) == []


def test_neighbours_are_no_copies(neighbours: list[HU]) -> None:
    assert copies(neighbours) == []


# Controls: with one part broken, the checks above see it.
EQUAL = {
    "renamed", "implicit VR", "big endian", "deflated", "RLE", "JPEG 2000", "JPEG-LS",
    "JPEG lossless", "mirrored", "a quarter turn",
}  # fmt: skip
BROKEN: dict[str, tuple[dict[str, object], set[str]]] = {
    "only equal thumbnails": ({"CANDIDATE_HU": 0.0}, EQUAL),
    "nothing confirmed": ({"COPY_HU": -1.0, "COPY_STEPS": -1.0}, set()),
    "only equal bodies": (
        {"COPY_HU": 0.0, "COPY_STEPS": 0.0},
        EQUAL | {"cropped by a pixel", "padded by -2000 HU"},
    ),
    "upright only": (
        {"ORIENTATIONS": candidates.ORIENTATIONS[:1]},
        EVERY - {"mirrored", "a quarter turn"},
    ),
    "no crops": ({"CROP": 0}, EVERY - {"cropped by a pixel"}),
    "edges seen": (
        {"EDGE": 0, "ORIENTATIONS": candidates.orientations(SIDE)},
        EVERY - {"annotated, ± 1 HU a pixel"},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_without_one_part_its_leaks_are_missed(
    name: str, planted: tuple[Places, list[Planted]], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, found = BROKEN[name]
    for constant, value in changes.items():
        monkeypatch.setattr(
            candidates if hasattr(candidates, constant) else confirm, constant, value
        )
    assert hunt(*planted) == (found, 0)


def test_neighbours_are_told_apart_by_the_second_look_alone(
    neighbours: list[HU], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirm, "COPY_STEPS", 1.0)
    assert copies(neighbours) != []


def test_groups_keep_their_own_copies(phantom: list[HU]) -> None:
    slices = [phantom[0], phantom[1], phantom[0], phantom[1]]
    assert copies(slices, [5, 5, 5, 5]) == []
    assert copies(slices, [5, 5, 5, -7]) == [Copy(1, 3, 0.0)]


def test_the_difference_is_in_hu(phantom: list[HU]) -> None:
    (found,) = copies([phantom[5], phantom[5] + np.int16(1)])
    assert found == Copy(0, 1, 1.0)


def test_a_copy_is_found_though_cropped_and_turned(phantom: list[HU]) -> None:
    hu = phantom[6][:192, :240]
    assert copies([hu, np.rot90(hu[1:-1, 1:-1])]) == [Copy(0, 1, 0.0)]


@pytest.mark.parametrize("turn", range(8))
@pytest.mark.parametrize("shape", [(256, 256), (192, 240)])
def test_a_copy_is_found_in_every_orientation(
    turn: int, shape: tuple[int, int], phantom: list[HU]
) -> None:
    hu = phantom[6][: shape[0], : shape[1]]
    other = np.rot90(hu.T if turn >= 4 else hu, turn)
    assert copies([hu, other]) == [Copy(0, 1, 0.0)]


def test_every_slice_with_a_copy_is_named_though_not_every_pair(phantom: list[HU]) -> None:
    reads = []

    def read(row: int) -> HU:
        reads.append(row)
        return phantom[row % 2]

    count = 1000
    thumbnails = np.stack([thumbnail(phantom[row % 2]) for row in range(2)] * (count // 2))
    found = near_copies(thumbnails, np.arange(count), read)
    assert {row for pair in pairs(found) for row in pair} == set(range(count))
    assert len(found) == count - 2
    assert len(reads) < 2 * count


def test_slices_that_show_next_to_nothing_are_copies_only_where_equal() -> None:
    air = np.random.default_rng(0).normal(-1000, 15, (2, 128, 128)).astype(np.int16)
    assert copies([air[0], air[1], air[0]]) == [Copy(0, 2, 0.0)]


def test_no_pair_is_lost_by_sorting_blocks_and_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    # one image brightened by 0 to 400 HU: neighbours along the very direction that is sorted by
    seed = random.integers(-4000, 4000, (16, 16))
    brighter = random.uniform(0, 400 * 16, (150, 1, 1)) + random.normal(0, 3 * 16, (150, 16, 16))
    turns = random.integers(0, 8, 150)
    thumbnails = np.stack(
        [turned(one, turn) for one, turn in zip(seed + brighter, turns, strict=True)]
    ).astype(np.int16)
    groups = random.integers(0, 4, 150)
    inner = thumbnails[:, 2:-2, 2:-2].astype(np.float64) / 16
    wanted = set()
    for first in range(150):
        for second in range(first):
            seen = [turned(inner[second], turn) for turn in range(8)]
            apart = min(np.sqrt(np.mean((inner[first] - other) ** 2)) for other in seen)
            if groups[first] != groups[second] and apart <= candidates.CANDIDATE_HU:
                wanted.add((second, first))
    monkeypatch.setattr(candidates, "BLOCK", 37)
    found = set()
    for some in candidates.near_some_way(thumbnails, groups):
        assert len(some) <= 37
        for first, second, _ in candidates.near(thumbnails, some).tolist():
            found.add((min(first, second), max(first, second)))
    assert 200 < len(wanted) < 2000  # of some 8,000
    assert found == wanted


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_one_slice_hold_no_copies(count: int, phantom: list[HU]) -> None:
    thumbnails = np.zeros((count, 16, 16), np.int16)
    assert near_copies(thumbnails, np.zeros(count, int), phantom.__getitem__) == []


@pytest.mark.parametrize("shape", [(64, 64), (65, 127), (131, 80)])
def test_a_thumbnail_holds_the_means_of_blocks(shape: tuple[int, int]) -> None:
    hu = np.random.default_rng(1).integers(-3024, 3072, shape, dtype=np.int16)
    found = thumbnail(hu)
    assert (found.shape, found.dtype) == ((16, 16), np.int16)
    fine = np.clip(hu, -950, 950).repeat(16, axis=0).repeat(16, axis=1).astype(np.int64)
    tall, wide = shape  # sixteen times as fine, every block is a whole number of pixels
    blocks = fine.reshape(16, tall, 16, wide).mean(axis=(1, 3))
    # 1/32 HU: half of the unit it is rounded to
    np.testing.assert_allclose(found / 16, blocks, rtol=0, atol=1 / 32 + 1e-9)


@pytest.mark.parametrize("padding", [-32768, -3024, -2000, -1024])
def test_a_thumbnail_does_not_see_padding(padding: int, phantom: list[HU]) -> None:
    air = phantom[9] <= -960
    assert air.any()
    again = thumbnail(np.where(air, np.int16(padding), phantom[9]))
    np.testing.assert_array_equal(again, thumbnail(phantom[9]))
