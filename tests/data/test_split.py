"""Splits by patient and, for one or two of them, by blocks of slices."""

import hashlib
from collections import Counter

import pytest

from denoisebench.data.split import SALT, SPLITS, by_blocks, by_patient
from denoisebench.errors import UsageError


@pytest.mark.parametrize(
    ("patients", "sizes"),
    [(3, (1, 1, 1)), (4, (2, 1, 1)), (5, (2, 1, 2)), (8, (4, 2, 2)), (100, (50, 25, 25))],
)
def test_patients_are_cut_at_half_and_three_quarters(
    patients: int, sizes: tuple[int, int, int]
) -> None:
    found = Counter(by_patient(f"patient {i}" for i in range(patients)).values())
    assert tuple(found[name] for name in SPLITS) == sizes


def test_no_split_is_empty_from_three_patients_on() -> None:
    for patients in range(3, 60):
        assert set(by_patient(map(str, range(patients))).values()) == set(SPLITS)


def test_the_split_is_a_function_of_the_names_alone() -> None:
    names = ["Iris", "Oleg", "Ada", "Noor"]
    assert by_patient(names) == by_patient([*reversed(names), *names])
    # sorted by sha256sum of the salt and the name, then cut 2 / 1 / 1
    order = sorted(names, key=lambda name: hashlib.sha256(f"{SALT}{name}".encode()).hexdigest())
    assert [by_patient(names)[name] for name in order] == ["train", "train", "val", "test"]


def test_the_split_of_known_names_never_changes() -> None:
    # A new salt or rule is another split: every published score on a folder would move.
    assert SALT == "denoisebench-split-v1:"
    frozen = {"Ada": "train", "Iris": "train", "Noor": "val", "Oleg": "test"}
    assert by_patient(["Iris", "Oleg", "Ada", "Noor"]) == frozen


def test_two_patients_cannot_be_split_by_patient() -> None:
    with pytest.raises(UsageError, match="2 patients cannot fill"):
        by_patient(["Iris", "Oleg"])


def blocks(positions: list[float], thickness: float = 1.0, series: str = "") -> dict[str, list]:
    found = by_blocks(positions, list(series) or ["s"] * len(positions), thickness)
    return {
        str(name): [at for at, split in zip(positions, found, strict=True) if split == name]
        for name in (*SPLITS, None)
    }


def test_one_patient_is_cut_into_blocks_with_gaps() -> None:
    # 23 slices 1 mm apart: 22 mm, less two gaps of 3 mm, is 16: train 0-8, val 8-12, test 12-16
    assert blocks([float(z) for z in range(23)]) == {
        "train": [0, 1, 2, 3, 4, 5, 6, 7, 8],
        "None": [9, 10, 11, 16, 17, 18],
        "val": [12, 13, 14, 15],
        "test": [19, 20, 21, 22],
    }


def test_the_order_of_files_does_not_matter_to_blocks() -> None:
    forth, back = [float(z) for z in range(23)], [float(z) for z in range(22, -1, -1)]
    assert {k: sorted(v) for k, v in blocks(back).items()} == blocks(forth)


def test_no_gap_is_thinner_than_a_slice() -> None:
    # 1 mm apart but 8 mm thick: neighbours within 8 mm share anatomy
    found = blocks([float(z) for z in range(60)], thickness=8.0)
    assert min(found["val"]) - max(found["train"]) > 8
    assert min(found["test"]) - max(found["val"]) > 8


def test_all_series_of_a_patient_are_cut_at_the_same_places() -> None:
    # two kernels of one scan, and a coarser series
    positions = [float(z) for z in range(40)] * 2 + [float(z) for z in range(0, 40, 5)]
    found = blocks(positions, series="a" * 40 + "b" * 40 + "c" * 8)
    for earlier, later in (("train", "val"), ("val", "test")):
        assert min(found[later]) - max(found[earlier]) >= 15  # 3 steps of the coarsest series


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_too_few_slices_are_a_usage_error(count: int) -> None:
    with pytest.raises(UsageError, match=f"{count} slices of one patient are too few"):
        blocks([float(z) for z in range(count)])


def test_twelve_slices_are_enough() -> None:
    assert all(blocks([float(z) for z in range(12)])[name] for name in SPLITS)
