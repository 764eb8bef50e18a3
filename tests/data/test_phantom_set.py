"""The embedded data set: the same clean and noisy test pixels on every machine."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from denoisebench.data.dataset import SPLITS
from denoisebench.data.phantom import draw
from denoisebench.data.phantom.data_set import members, open_phantom
from denoisebench.data.scan import Slice
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice

KNOWN = Path(__file__).with_name("phantom_digests.json")


def noisy_digest(noisy: np.ndarray) -> str:
    """SHA-256 of grey levels to 1/256: the logarithm inside ndtri may differ in its last bits."""
    return hashlib.sha256(np.rint(noisy * 256).astype("<i4").tobytes()).hexdigest()


def digests_of_the_test_split() -> dict[str, list[str]]:
    task = load_task("ct-sigma50")
    found = {}
    for split, patient, index in members():
        if split == "test":
            one = Slice(draw(patient, index), str(patient), str(patient))
            noisy = noisy_slice(task, task.to_grey(one.hu), one.digest)
            found[f"{patient}/{index}"] = [one.digest, noisy_digest(noisy)]
    return found


def test_clean_and_noisy_test_slices_are_the_known_ones():
    assert digests_of_the_test_split() == json.loads(KNOWN.read_text())


def test_patients_are_split_50_25_25():
    patients = {split: {p for s, p, _ in members() if s == split} for split in SPLITS}
    assert {split: len(those) for split, those in patients.items()} == {
        "train": 32, "val": 16, "test": 16,
    }  # fmt: skip


def test_test_patients_show_all_levels_between_them():
    levels = [index for split, _, index in members() if split == "test"]
    assert {index: levels.count(index) for index in range(4)} == dict.fromkeys(range(4), 8)


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path))
    return lambda: open_phantom(patients=4, slices=2, size=64, workers=1)


def test_the_phantom_is_drawn_once_and_then_read(small, monkeypatch):
    first = small()
    monkeypatch.setattr("denoisebench.data.phantom.data_set._draw", None)
    second = small()
    assert second.digest == first.digest
    assert second.split_digest == first.split_digest


def test_no_patient_is_in_two_splits(small):
    dataset = small()
    groups = [set(dataset.patients(split)) for split in ("train", "val", "test")]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 4


def test_the_noisy_test_split_has_14_15_db():
    task, errors = load_task("ct-sigma50"), []
    for patient in (3, 9):
        one = Slice(draw(patient, 1), "p", "p")
        clean = task.to_grey(one.hu)
        errors.append(np.mean((noisy_slice(task, clean, one.digest) - clean) ** 2))
    assert 10 * np.log10(255**2 / np.mean(errors)) == pytest.approx(14.15, abs=0.05)


def test_a_smaller_phantom_has_larger_pixels(tmp_path, monkeypatch):
    """The same body on fewer of them: a frequency in 1/mm is that of the full size."""
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path))
    fields = []
    for size in (64, 128):
        one = open_phantom(patients=4, slices=1, size=size, workers=1).train[0]
        fields.append(one.spacing_mm[0] * size)
    assert fields[0] == pytest.approx(fields[1])
    assert 250 < fields[0] < 550  # mm
