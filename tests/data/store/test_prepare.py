"""A folder becomes prepared data once, whatever happens on the way."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from denoisebench.data.dataset import SPLITS
from denoisebench.data.store import layout
from denoisebench.data.store import prepare as preparing
from denoisebench.data.store.cache import cached, find_prepared
from denoisebench.data.store.opened import open_prepared
from denoisebench.data.store.prepare import open_folder, prepare
from denoisebench.errors import Unavailable, UsageError

pytestmark = pytest.mark.usefixtures("own_home")


def contents(place: Path) -> dict[str, bytes]:
    """Everything in prepared data but the day it was made."""
    found = {path.name: path.read_bytes() for path in place.iterdir()}
    record = json.loads(found[layout.RECORD])
    record.pop("made")
    return {**found, layout.RECORD: json.dumps(record).encode()}


def started(folder: Path, out: Path) -> "subprocess.Popen[str]":
    """Start a preparation; what it prints lands beside the result."""
    words = ["data", "prepare", str(folder), "--out", str(out)]
    with (out.parent / f"{out.name}.printed").open("w") as printed:
        return subprocess.Popen(
            [sys.executable, "-m", "denoisebench", *words],
            text=True,
            stdout=printed,
            stderr=printed,
        )


def children_of(place: Path) -> list[int]:
    """Processes that have a file below a folder open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(path) for path in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(link.startswith(str(place)) for link in links):
            found.append(int(process.name))
    return found


def test_what_is_prepared_is_what_was_read_in_the_order_of_the_data_set(
    tmp_path: Path, made: ModuleType
) -> None:
    data = prepare(made.patients(tmp_path / "ct", "abcdef", slices=3), tmp_path / "out")
    stored = {made.body(1000 * n + i).tobytes() for n in range(6) for i in range(3)}
    read = [one.hu.astype(np.int64) + 1024 for name in SPLITS for one in data.slices(name)]
    assert {hu.tobytes() for hu in read} == stored
    for name in SPLITS:
        order = [(one.patient, one.series, one.position_mm) for one in data.slices(name)]
        assert order == sorted(order)
    assert {one.spacing_mm for one in data.train} == {(0.7, 0.8)}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "index.npy", "prepared.json", *(f"shard-{n:05}.npy" for n in range(2)), "thumbnails.npy",
    ]  # fmt: skip
    shards = [np.load(tmp_path / "out" / f"shard-{n:05}.npy") for n in range(2)]
    assert [shard.shape for shard in shards] == [(16 * 64 * 64,), (2 * 64 * 64,)]


def test_killed_at_ten_random_moments_it_ends_as_if_undisturbed(
    tmp_path: Path, made: ModuleType
) -> None:
    folder = made.patients(tmp_path / "CANARY", "abcdefghijklmnopqrst", slices=40)
    calm, out = tmp_path / "calm", tmp_path / "out"
    began = time.monotonic()
    assert started(folder, calm).wait() == 0
    whole = time.monotonic() - began
    moments, kills = random.Random(20), 0
    while kills < 10:
        running = started(folder, out)
        time.sleep(whole * moments.uniform(0.2, 0.9))
        running.kill()
        if running.wait() == 0:  # it was done: what is done is not done again, so this comes
            shutil.rmtree(out)
            continue
        kills += 1
        found = {path.name: path.read_bytes() for path in tmp_path.glob("out*/*")}
        written = b"".join(found.values())
        # But for the record that comes last, which speaks of patients, as do names of columns.
        bare = b"".join(data for name, data in found.items() if name != "prepared.json")
        assert b"patient" not in bare.replace(b"'patient'", b"").replace(b'"patient_id": ""', b"")
        assert b"CANARY" not in written
        assert b"1.2.1" not in written
    done = started(folder, out)
    assert done.wait() == 0, (tmp_path / "out.printed").read_text()
    assert contents(out) == contents(calm)
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_batch_that_was_finished_is_not_read_again(tmp_path: Path, made: ModuleType) -> None:
    folder = made.patients(tmp_path / "ct", "abcdef", slices=6)  # three batches of 16, 16 and 4

    def interrupt(done: int, total: int) -> None:
        if done == 20:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        prepare(folder, out, workers=1, progress=interrupt)
    parts = sorted(path.name for path in tmp_path.glob("out.unfinished/part-*"))
    assert "part-00000.json" in parts
    before = (tmp_path / "out.unfinished" / "shard-00000.npy").stat().st_mtime_ns
    steps: list[int] = []
    data = prepare(folder, out, workers=1, progress=lambda done, total: steps.append(done))
    assert steps == list(range(16 * len(parts) + 1, 37))
    assert (out / "shard-00000.npy").stat().st_mtime_ns == before
    assert data.digest == prepare(folder, tmp_path / "calm").digest


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="asks /proc for open files")
def test_no_reader_outlives_a_parent_that_is_killed(tmp_path: Path, made: ModuleType) -> None:
    folder = made.patients(tmp_path / "ct", "abcdefgh", slices=60)
    running = started(folder, tmp_path / "out")
    while not children_of(tmp_path / "out.unfinished"):
        assert running.poll() is None
        time.sleep(0.01)
    running.kill()
    running.wait()
    until = time.monotonic() + 10  # a file at most is read to its end
    while children_of(tmp_path / "out.unfinished") and time.monotonic() < until:
        time.sleep(0.05)
    assert children_of(tmp_path / "out.unfinished") == []


def test_two_at_once_make_one(tmp_path: Path, made: ModuleType) -> None:
    folder = made.patients(tmp_path / "ct", "abcdef", slices=10)
    both = [started(folder, tmp_path / "out") for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert contents(tmp_path / "out") == contents_of(folder, tmp_path / "calm")


def contents_of(folder: Path, out: Path) -> dict[str, bytes]:
    prepare(folder, out)
    return contents(out)


def test_a_folder_is_prepared_in_the_cache_once_and_again_when_it_changes(
    tmp_path: Path, made: ModuleType
) -> None:
    folder = made.patients(tmp_path / "ct", "abc")
    read: list[int] = []

    def opened() -> str:
        read.clear()
        return open_folder(folder, progress=lambda done, total: read.append(done)).digest

    first = opened()
    assert read == [1, 2, 3, 4, 5, 6]
    assert (opened(), read) == (first, [])
    made.write(folder / "more.dcm", made.body(77), PatientID="patient a")
    second = opened()
    assert second != first
    assert len(read) == 7
    (folder / "more.dcm").unlink()
    assert opened() == first
    there = {path.name for path in cached(folder).parent.iterdir() if path.suffix != ".lock"}
    assert there == {cached(folder).name}


def test_what_is_half_made_or_damaged_in_the_cache_is_not_opened_and_hides_nothing(
    tmp_path: Path, made: ModuleType
) -> None:
    folder = made.patients(tmp_path / "ct", "abc")
    name, place = open_folder(folder).name, cached(folder)
    for other in ("damaged", "0.unfinished", "0.old"):
        shutil.copytree(place, place.with_name(other))
    (place.with_name("damaged") / layout.RECORD).write_text("{")
    command = [sys.executable, "-m", "denoisebench", "data", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    words = [line.split()[0] for line in done.stdout.splitlines()]
    assert sorted(words[3:]) == ["damaged", name, "unfinished"]
    assert find_prepared(name) == place
    shutil.rmtree(place)
    assert find_prepared(name) is None


@pytest.mark.parametrize(
    ("patients", "said"),
    [("abc", "no patient and no slice is in two splits"), ("a", "no slice is in two splits")],
)
def test_a_folder_without_digests_is_verified_once_it_is_prepared(
    tmp_path: Path, made: ModuleType, patients: str, said: str
) -> None:
    folder = made.patients(tmp_path / "ct", patients, slices=24)
    command = [sys.executable, "-m", "denoisebench", "data", "verify", str(folder)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "data prepare keeps digests of any folder" in refused.stderr
    count = sum(len(open_folder(folder).slices(name)) for name in SPLITS)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{count} of {count} slices equal their digests", said]


def test_a_place_that_holds_something_else_is_left_alone(tmp_path: Path, made: ModuleType) -> None:
    folder = made.patients(tmp_path / "ct", "abc")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("all of it")
    with pytest.raises(UsageError, match="exists and is no prepared data; name another place"):
        prepare(folder, mine)
    assert (mine / "thesis.tex").read_text() == "all of it"
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]


def test_prepared_data_and_a_place_among_the_files_are_refused(
    tmp_path: Path, made: ModuleType
) -> None:
    folder = made.patients(tmp_path / "ct", "abc")
    with pytest.raises(UsageError, match=r"lies in '.*ct', all of which is read; name a place out"):
        prepare(folder, folder / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b", "c"]
    prepare(folder, tmp_path / "out")
    with pytest.raises(UsageError, match=r"is prepared already; --data '.*out' opens it"):
        prepare(tmp_path / "out", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_wrong_folder_leaves_nothing_at_its_place(tmp_path: Path, made: ModuleType) -> None:
    made.write(tmp_path / "ct" / "mr.dcm", Modality="MR")
    with pytest.raises(UsageError, match="not CT: modality MR"):
        prepare(tmp_path / "ct", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not shutil.which("mount") or os.geteuid() != 0, reason="only root can mount")
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(
    tmp_path: Path, made: ModuleType
) -> None:
    folder = made.patients(tmp_path / "ct", "abcdef", slices=20)
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        with pytest.raises(Unavailable, match=r"No space left on device.*the same command goes on"):
            prepare(folder, small / "out")
        assert not (small / "out").exists()
        subprocess.run(["mount", "-o", "remount,size=4m", str(small)], check=True)
        data = prepare(folder, small / "out")
        assert data.digest == prepare(folder, tmp_path / "calm").digest
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_it_opens_without_its_source_and_numbers_files_then(
    tmp_path: Path, made: ModuleType
) -> None:
    folder = made.patients(tmp_path / "ct", "abc")
    made.write(folder / "mr.dcm", Modality="MR")
    made.write(folder / "twin.dcm", made.body(0), PatientID="patient a")
    prepared = prepare(folder, tmp_path / "out")
    assert [(item.path, item.reason) for item in prepared.set_aside] == [
        ("mr.dcm", "not CT: modality MR"), ("twin.dcm", "same pixels as a/000.dcm"),
    ]  # fmt: skip
    shutil.rmtree(folder)
    data = open_prepared(tmp_path / "out")
    assert (data.digest, data.split_digest) == (prepared.digest, prepared.split_digest)
    assert [(item.path, item.reason) for item in data.set_aside] == [
        ("file 7", "not CT: modality MR"), ("file 8", "same pixels as file 1"),
    ]  # fmt: skip


def test_licences_of_the_manifest_stay_with_the_slices(tmp_path: Path, made: ModuleType) -> None:
    folder = made.patients(tmp_path / "ct", "abc", slices=1)
    lines = ["a/000.dcm,train,CC BY 3.0", "b/000.dcm,val,CC BY 4.0", "c/000.dcm,test,CC BY 3.0"]
    (folder / "manifest.csv").write_text("\n".join(["path,split,licence", *lines]) + "\n")
    prepare(folder, tmp_path / "out")
    record = layout.read_record(tmp_path / "out")
    index = layout.read_array(tmp_path / "out" / "index.npy")
    assert [record.licences[place] for place in index["licence"]] == [
        "CC BY 3.0", "CC BY 4.0", "CC BY 3.0",
    ]  # fmt: skip


def test_volumes_in_nifti_are_patients_of_a_manifest(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    folder = tmp_path / "ct"
    folder.mkdir()
    random = np.random.default_rng(3)
    for name in "abc":
        voxels = np.full((64, 64, 5), -1000, np.int16)
        voxels[16:48, 16:48] = random.integers(-80, 120, (32, 32, 5))
        nibabel.save(
            nibabel.Nifti1Image(voxels, np.diag([-0.7, -0.7, 3, 1])), folder / f"{name}.nii"
        )
    with pytest.raises(UsageError, match="no PatientID"):
        prepare(folder, tmp_path / "out")
    lines = ["path,split,patient", "a.nii,train,a", "b.nii,val,b", "c.nii,test,c"]
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    data = prepare(folder, tmp_path / "out")
    assert [len(data.slices(name)) for name in SPLITS] == [5, 5, 5]
    assert [one.position_mm for one in data.val] == [0, 3, 6, 9, 12]
    assert len({one.series for name in SPLITS for one in data.slices(name)}) == 3


def test_a_name_of_two_splits_is_refused(tmp_path: Path, made: ModuleType) -> None:
    """Else a network could be scored on slices that it was trained on in the other one."""
    for fold, splits in (("one", "train val test"), ("two", "test val train")):
        folder = made.patients(tmp_path / fold, "abc", slices=1)
        lines = [
            f"{name}/000.dcm,{split}" for name, split in zip("abc", splits.split(), strict=True)
        ]
        (folder / "manifest.csv").write_text("\n".join(["path,split", *lines]) + "\n")
        name = open_folder(folder).name
    with pytest.raises(UsageError, match="2 prepared data are called"):
        find_prepared(name)


def test_a_patient_whom_a_manifest_tears_apart_is_noted(tmp_path: Path, made: ModuleType) -> None:
    folder = made.patients(tmp_path / "ct", "abc", slices=1)
    made.write(folder / "more.dcm", made.body(77), PatientID="patient a")
    lines = ["a/000.dcm,train,s1", "more.dcm,test,s2", "b/000.dcm,val,", "c/000.dcm,test,"]
    (folder / "manifest.csv").write_text("\n".join(["path,split,patient", *lines]) + "\n")
    data = prepare(folder, tmp_path / "out")
    assert data.notes == ("1 PatientIDs of the files stand in several splits, under other names",)


def test_volumes_are_read_once_they_can_be(
    tmp_path: Path, made: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal that says what to install holds until it is installed."""
    folder = made.patients(tmp_path / "ct", "abc", slices=1)
    monkeypatch.setattr(preparing, "find_spec", lambda name: None)
    read: list[int] = []
    prepare(folder, tmp_path / "out", progress=lambda done, total: read.append(done))
    prepare(folder, tmp_path / "out", progress=lambda done, total: read.append(done))
    assert read == [1, 2, 3]
    monkeypatch.undo()
    prepare(folder, tmp_path / "out", progress=lambda done, total: read.append(done))
    assert read == [1, 2, 3, 1, 2, 3]
