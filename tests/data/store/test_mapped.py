"""Prepared data opened: the same slices, and damage that is found before it is scored."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from denoisebench.data.dataset import SPLITS, DataSet
from denoisebench.data.patches import crops
from denoisebench.data.scan import Slice
from denoisebench.data.store import layout
from denoisebench.data.store.opened import open_prepared
from denoisebench.data.store.prepare import prepare
from denoisebench.data.store.verify import verify_prepared
from denoisebench.errors import UsageError
from denoisebench.task import load_task


@pytest.fixture
def place(tmp_path: Path, made: ModuleType) -> Path:
    prepare(made.patients(tmp_path / "ct", "abcdefgh", slices=3), tmp_path / "out", workers=0)
    return tmp_path / "out"


def flip(place: Path, split: str) -> None:
    """Change one value of a split's first slice."""
    slices = layout.split_rows(layout.read_record(place), split)
    row = layout.read_array(place / "index.npy")[slices[0]]
    with (place / layout.shard_name(row["shard"])).open("r+b") as file:
        file.seek(int(row["offset"]) + 100)
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def test_slices_by_number_by_range_and_in_turn_are_the_same(place: Path) -> None:
    train = open_prepared(place).train
    assert len(train) == 12
    by_turns = [one.digest for one in train]
    assert [train[number].digest for number in range(12)] == by_turns
    assert [one.digest for one in train[3:9:2]] == by_turns[3:9:2]
    assert train[-1].digest == by_turns[-1]
    with pytest.raises(IndexError):
        train[12]


def test_data_that_are_prepared_anew_while_they_are_open_give_no_other_pixels(
    tmp_path: Path, place: Path, made: ModuleType
) -> None:
    data = open_prepared(place)
    before = data.test[0].digest  # its shard is open, and stays
    made.write(tmp_path / "ct" / "more.dcm", made.body(77), PatientID="patient a")
    prepare(tmp_path / "ct", place, workers=0)
    assert data.test[0].digest == before
    with pytest.raises(UsageError, match="prepared anew while they were in use; start again"):
        list(data.train[2:])


def test_crops_of_the_map_are_crops_of_the_slices(place: Path) -> None:
    task, data = load_task("ct-sigma50"), open_prepared(place)
    held = [Slice(np.array(one.hu), one.patient, one.series) for one in data.train]
    for step in range(7):
        drawn = [
            crops(slices, task, seed=3, step=step, batch=5, patch=32)
            for slices in (data.train, held)
        ]
        assert np.array_equal(*drawn)


def test_digests_and_patients_are_those_of_the_slices(place: Path) -> None:
    data = open_prepared(place)
    held = DataSet(data.name, *(tuple(data.slices(name)) for name in SPLITS))
    assert (data.digest, data.split_digest) == (held.digest, held.split_digest)
    assert [data.patients(name) for name in SPLITS] == [held.patients(name) for name in SPLITS]


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_damaged_slice_is_never_scored(place: Path, split: str) -> None:
    flip(place, split)
    with pytest.raises(UsageError, match=r"shard-0000.\.npy of the prepared data .* is damaged"):
        open_prepared(place).slices(split)[0]


@pytest.mark.parametrize("split", SPLITS)
def test_verify_names_a_damaged_slice(place: Path, split: str) -> None:
    assert verify_prepared(place).right == 24
    assert verify_prepared(place).problems == ()
    flip(place, split)
    found = verify_prepared(place)
    assert (found.slices, found.right) == (24, 23)
    assert len(found.problems) == 1
    assert found.problems[0].startswith(f"slice 1 of {split} (shard-")


def test_a_shard_that_is_cut_short_or_gone_is_named(place: Path) -> None:
    shard = place / "shard-00001.npy"
    shard.write_bytes(shard.read_bytes()[:-10])
    assert "has 65654 bytes, not 65664" in verify_prepared(place).problems[0]
    with pytest.raises(UsageError, match=r"shard-00001.npy .* cannot be read \(damaged\)"):
        list(open_prepared(place).train) + list(open_prepared(place).val)
    shard.unlink()
    with pytest.raises(UsageError, match=r"cannot be read \(No such file or directory\)"):
        list(open_prepared(place).train) + list(open_prepared(place).val)


def test_an_index_of_another_kind_or_length_is_refused(place: Path) -> None:
    index = np.load(place / "index.npy")
    np.save(place / "index.npy", index[:-1])
    with pytest.raises(UsageError, match=r"does not fit its prepared.json"):
        open_prepared(place)
    np.save(place / "index.npy", index["offset"])
    with pytest.raises(UsageError, match=r"does not fit its prepared.json"):
        open_prepared(place)


def test_an_index_that_points_outside_its_shard_reads_nothing(place: Path) -> None:
    index = np.load(place / "index.npy")
    index["offset"] = 2**40
    np.save(place / "index.npy", index)
    with pytest.raises(UsageError, match="cut short"):
        open_prepared(place).train[0]
    assert any("is not the one that" in problem for problem in verify_prepared(place).problems)


def test_a_patient_in_two_splits_is_a_problem(place: Path) -> None:
    index = np.load(place / "index.npy")
    index["patient"][-1] = index["patient"][0]
    np.save(place / "index.npy", index)
    assert verify_prepared(place).problems[1:] == ("1 patients are in train and in test",)


@pytest.mark.parametrize(
    "text", ["", "{", '{"format": 2}', "[" * 100_000, '{"format": 1, "name": 7}']
)
def test_a_damaged_record_is_one_line(place: Path, text: str) -> None:
    (place / "prepared.json").write_text(text)
    with pytest.raises(UsageError, match="is damaged or of another version") as wrong:
        open_prepared(place)
    assert "\n" not in str(wrong.value)
