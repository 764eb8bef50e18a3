"""A folder becomes a data set: splits, pseudonyms, digests, notes."""

import csv
import hashlib
import hmac
import os
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from denoisebench.data.dataset import SPLITS, DataSet
from denoisebench.data.store.prepare import open_folder
from denoisebench.errors import UsageError

pytestmark = pytest.mark.usefixtures("own_home")


def opened(folder: Path) -> DataSet:
    return open_folder(folder, workers=0)


def problem(folder: Path) -> str:
    with pytest.raises(UsageError) as wrong:
        opened(folder)
    assert "\n" not in str(wrong.value)
    return str(wrong.value)


def sizes(data: DataSet) -> tuple[int, ...]:
    return tuple(len(data.slices(name)) for name in SPLITS)


def reasons(data: DataSet) -> dict[str, str]:
    return {item.path: item.reason for item in data.set_aside}


def listed(folder: Path, *lines: str) -> Path:
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_patients_fill_three_splits_and_none_is_in_two(tmp_path: Path, made: ModuleType) -> None:
    data = opened(made.patients(tmp_path, "abcdefgh"))
    assert sizes(data) == (8, 4, 4)
    everyone = [patient for name in SPLITS for patient in data.patients(name)]
    assert len(everyone) == len(set(everyone)) == 8
    assert data.notes == ()


def test_digests_are_those_of_the_definition(tmp_path: Path, made: ModuleType) -> None:
    data = opened(made.patients(tmp_path, "abc", slices=1))
    expected = []
    for number in range(3):
        hu = (made.body(1000 * number) - 1024).astype("<i2")
        expected.append(hashlib.sha256(hu.tobytes()).hexdigest())
    assert data.digest == hashlib.sha256("\n".join(sorted(expected)).encode()).hexdigest()
    lines = sorted(f"{name} {item.digest}" for name in SPLITS for item in data.slices(name))
    assert data.split_digest == hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert data.name == f"folder-{data.digest[:8]}"


def test_file_names_and_order_change_nothing(tmp_path: Path, made: ModuleType) -> None:
    one = opened(made.patients(tmp_path / "one", "abcd"))
    for index, path in enumerate(sorted((tmp_path / "one").rglob("*.dcm"), reverse=True)):
        (tmp_path / "two" / str(index % 3)).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "two" / str(index % 3) / f"{index}.IMA")
    two = opened(tmp_path / "two")
    assert (two.digest, two.split_digest, two.name) == (one.digest, one.split_digest, one.name)
    for name in SPLITS:
        for here, there in zip(one.slices(name), two.slices(name), strict=True):
            assert (here.patient, here.series, here.digest) == (
                there.patient, there.series, there.digest,
            )  # fmt: skip


def test_a_pseudonym_is_a_keyed_hash_that_only_the_data_unlock(
    tmp_path: Path, made: ModuleType
) -> None:
    data = opened(made.patients(tmp_path, "abc"))
    digests = sorted(item.digest for name in SPLITS for item in data.slices(name))
    key = hashlib.sha256(b"denoisebench-patient-key" + "".join(digests).encode()).digest()
    expected = {
        hmac.new(key, f"patient {name}".encode(), hashlib.sha256).hexdigest()[:12] for name in "abc"
    }
    assert {patient for name in SPLITS for patient in data.patients(name)} == expected
    unkeyed = {hashlib.sha256(f"patient {name}".encode()).hexdigest()[:12] for name in "abc"}
    assert not unkeyed & expected


def test_one_more_slice_is_another_data_set_with_other_pseudonyms(
    tmp_path: Path, made: ModuleType
) -> None:
    before = opened(made.patients(tmp_path, "abc"))
    made.write(tmp_path / "more.dcm", made.body(9), PatientID="patient a")
    after = opened(tmp_path)
    assert after.digest != before.digest
    for name in SPLITS:
        assert not set(before.patients(name)) & set(after.patients(name))


def test_no_text_of_a_header_nor_the_folder_name_is_in_a_data_set(
    tmp_path: Path, made: ModuleType
) -> None:
    folder = tmp_path / "CANARY"
    tags = {
        "PatientName": "CANARY", "SeriesDescription": "CANARY", "AccessionNumber": "CANARY",
        "InstitutionName": "CANARY", "StudyDescription": "CANARY", "Manufacturer": "CANARY",
        "SeriesInstanceUID": "1.22.333", "SOPInstanceUID": "1.22.333.4",
    }  # fmt: skip
    for index, name in enumerate("abcd"):
        made.write(folder / f"{name}.dcm", made.body(index), PatientID=f"CANARY{name}", **tags)
    made.write(folder / "x.dcm", Modality="MR", PatientID="CANARY", **tags)
    made.write(folder / "y.dcm", PatientID=None, **tags)
    text = repr(opened(folder))
    assert "x.dcm" in text
    assert "CANARY" not in text
    assert "1.22.333" not in text


@pytest.mark.parametrize("missing", [None, "", " "])
def test_files_without_patientid_are_set_aside_with_the_mend(
    tmp_path: Path, made: ModuleType, missing: str | None
) -> None:
    made.patients(tmp_path, "abc")
    made.write(tmp_path / "nobody.dcm", PatientID=missing)
    data = opened(tmp_path)
    assert reasons(data) == {
        "nobody.dcm": "no PatientID, so no split by patient can place it; "
        "a manifest.csv with columns path, patient, split does"
    }
    assert data.notes == ("1 slices without PatientID were set aside",)


def test_a_folder_without_any_patientid_is_refused_with_the_mend(
    tmp_path: Path, made: ModuleType
) -> None:
    for index in range(4):
        made.write(tmp_path / f"{index}.dcm", made.body(index), PatientID=None)
    message = problem(tmp_path)
    assert "no PatientID" in message
    assert "manifest.csv with columns path, patient, split" in message


def test_a_folder_without_ct_says_why(tmp_path: Path, made: ModuleType) -> None:
    assert "holds no file" in problem(tmp_path)
    made.write(tmp_path / "mr.dcm", Modality="MR")
    assert problem(tmp_path) == (
        "no slice to split: 1 set aside, 1 of them as: not CT: modality MR"
    )


def test_one_patient_is_split_by_blocks_and_says_so(tmp_path: Path, made: ModuleType) -> None:
    data = opened(made.patients(tmp_path, "a", slices=23))
    assert sizes(data) == (9, 4, 4)
    assert len(data.set_aside) == 6
    assert set(reasons(data).values()) == {"left out between two blocks of the split"}
    assert data.notes == (
        "one patient only: train, val and test are blocks of the same body, with 6 slices left "
        "out between them; scores say nothing about other patients",
    )
    positions = [[item.position_mm for item in data.slices(name)] for name in SPLITS]
    assert positions == sorted(positions)


def test_two_patients_are_both_split_by_blocks(tmp_path: Path, made: ModuleType) -> None:
    data = opened(made.patients(tmp_path, "ab", slices=23))
    assert sizes(data) == (18, 8, 8)
    assert all(len(data.patients(name)) == 2 for name in SPLITS)
    assert data.notes[0].startswith("two patients only")


def test_of_two_patients_the_one_with_few_slices_trains(tmp_path: Path, made: ModuleType) -> None:
    made.patients(tmp_path, "ab", slices=23)
    for path in sorted((tmp_path / "b").iterdir())[3:]:
        path.unlink()
    assert sizes(opened(tmp_path)) == (12, 4, 4)


def test_too_few_slices_of_one_patient_are_a_usage_error(tmp_path: Path, made: ModuleType) -> None:
    message = problem(made.patients(tmp_path, "a", slices=8))
    assert "8 slices of one patient are too few" in message


def test_blocks_need_positions(tmp_path: Path, made: ModuleType) -> None:
    made.patients(tmp_path, "a", slices=12)
    lost = {"ImagePositionPatient": None, "PatientID": "patient a"}
    made.write(tmp_path / "lost.dcm", made.body(99), **lost)
    assert reasons(opened(tmp_path))["lost.dcm"].startswith("no position along the patient")
    shutil.rmtree(tmp_path / "a")
    assert "no position along the patient" in problem(tmp_path)


def test_the_size_of_most_slices_of_a_series_is_kept(tmp_path: Path, made: ModuleType) -> None:
    made.patients(tmp_path, "abc", slices=2)
    for index in range(3):
        tags = {"PatientID": "patient a", "SeriesInstanceUID": "1.2.0"}
        made.write(tmp_path / f"large{index}.dcm", made.body(50 + index, 80), **tags)
    made.write(tmp_path / "other.dcm", made.body(60, 96), PatientID="patient b")
    data = opened(tmp_path)
    assert reasons(data) == {
        f"a/00{index}.dcm": "64 × 64 pixels in a series of 80 × 80" for index in range(2)
    }
    assert sum(sizes(data)) == 8  # another series may have another size


def test_copies_are_set_aside_also_when_renamed_reuided_and_recompressed(
    tmp_path: Path, made: ModuleType
) -> None:
    made.patients(tmp_path, "abc")
    before = opened(tmp_path)
    made.write(
        tmp_path / "z.dcm", made.body(1), "1.2.840.10008.1.2.4.90",
        PatientID="somebody else", SOPInstanceUID="1.9.9",
    )  # fmt: skip
    data = opened(tmp_path)
    assert reasons(data) == {"z.dcm": "same pixels as a/001.dcm"}
    assert (data.digest, data.split_digest) == (before.digest, before.split_digest)


@pytest.fixture
def three(tmp_path: Path, made: ModuleType) -> Path:
    return made.patients(tmp_path, "abc", slices=1)


FULL = ("path,split", "a/000.dcm,train", "b/000.dcm,val", "c/000.dcm,test")


def test_a_manifest_says_the_split(three: Path) -> None:
    first = opened(listed(three, *FULL))
    assert sizes(first) == (1, 1, 1)
    swapped = opened(listed(three, *FULL[:2], "c/000.dcm,val", "b/000.dcm,test"))
    assert swapped.digest == first.digest
    assert swapped.split_digest != first.split_digest
    assert swapped.patients("val") == first.patients("test")


def test_a_manifest_names_patients_whom_the_files_do_not(three: Path, made: ModuleType) -> None:
    made.write(three / "d.dcm", made.body(7), PatientID=None)
    listed(three, *FULL, "d.dcm,test")
    assert problem(three) == (
        "manifest.csv, line 5: 'd.dcm' has no PatientID; give manifest.csv a patient column"
    )
    listed(three, "path,split,patient", *(f"{line},{line[0]}" for line in FULL[1:]), "d.dcm,test,d")
    assert len(opened(three).patients("test")) == 2


def test_other_pixels_than_the_manifest_says_are_refused_by_name(three: Path) -> None:
    digest = opened(listed(three, *FULL)).train[0].digest
    lines = ("path,split,pixel_sha256", f"a/000.dcm,train,{digest}", "b/000.dcm,val,")
    assert sizes(opened(listed(three, *lines, "c/000.dcm,test,"))) == (1, 1, 1)
    assert problem(listed(three, *lines, f"c/000.dcm,test,{digest}")) == (
        "manifest.csv, line 4: 'c/000.dcm' has other pixels than its pixel_sha256; "
        "fetch the file again"
    )


def test_a_damaged_file_is_an_error_where_its_digest_is_known_and_set_aside_elsewhere(
    three: Path,
) -> None:
    (three / "bad.dcm").write_bytes(b"")
    data = opened(listed(three, *FULL, "bad.dcm,test"))
    assert reasons(data) == {"bad.dcm": "zero bytes"}
    listed(three, "path,split,pixel_sha256", *(f"{line}," for line in FULL[1:]),
           f"bad.dcm,test,{'0' * 64}")  # fmt: skip
    assert "'bad.dcm' cannot be read: zero bytes; fetch the file again" in problem(three)


def test_a_patient_of_the_files_in_two_splits_is_refused(three: Path, made: ModuleType) -> None:
    made.write(three / "d.dcm", made.body(7), PatientID="patient a")
    message = problem(listed(three, *FULL, "d.dcm,test"))
    assert message == (
        "manifest.csv: the patient of 'd.dcm' is in train and in test; keep a patient in one split"
    )


def test_equal_pixels_in_two_splits_are_refused(three: Path, made: ModuleType) -> None:
    made.write(three / "d.dcm", made.body(0), PatientID="somebody else")
    message = problem(listed(three, *FULL, "d.dcm,test"))
    assert message == (
        "manifest.csv: 'a/000.dcm' in train and 'd.dcm' in test have the same pixels; drop one"
    )


def test_an_empty_split_is_refused(three: Path) -> None:
    assert problem(listed(three, *FULL[:3])).startswith("no slice in test")


def test_dicom_beside_the_manifest_is_counted_and_left_alone(three: Path, made: ModuleType) -> None:
    (three / "README.md").write_text("notes")
    made.write(three / "d.dcm", made.body(7))
    data = opened(listed(three, *FULL))
    assert data.notes == ("1 DICOM files are not in manifest.csv and were not read",)
    assert sum(sizes(data)) == 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_beside_the_manifest_is_not_waited_for(three: Path) -> None:
    os.mkfifo(three / "pipe.dcm")
    assert opened(listed(three, *FULL)).notes == ()


def test_frames_of_a_file_are_listed_one_by_one(three: Path, made: ModuleType) -> None:
    stored = np.stack([made.body(70), made.body(71), made.body(72)])
    made.write(three / "e.dcm", **made.enhanced(stored, [(1, -1024)] * 3, PatientID="e"))
    everything = opened(listed(three, *FULL, "e.dcm,test"))
    assert sizes(everything) == (1, 1, 4)
    digests = {item.digest for item in everything.test}
    lines = [f"{line},," for line in FULL[1:]]
    top = "path,split,pixel_sha256,frame"
    two = opened(listed(three, top, *lines, "e.dcm,test,,1", "e.dcm,test,,3"))
    assert sizes(two) == (1, 1, 3)
    assert "has no frame 4; it has 3" in problem(listed(three, top, *lines, "e.dcm,test,,4"))
    assert "has 3 frames and one pixel_sha256" in problem(
        listed(three, top, *lines, f"e.dcm,test,{digests.pop()},")
    )


def test_real_ct_is_read_whole_and_equals_its_manifest(ct_folder: Path) -> None:
    data = open_folder(ct_folder)
    assert sizes(data) == (144, 41, 51)
    assert [len(data.patients(name)) for name in SPLITS] == [30, 15, 19]
    assert data.set_aside == ()
    assert data.notes == ()
    with open(ct_folder / "manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for name in SPLITS:
        assert {item.digest for item in data.slices(name)} == {
            row["pixel_sha256"] for row in rows if row["split"] == name
        }


def test_odd_files_together_leave_the_slices_that_can_be_split(ct_odd_folder: Path) -> None:
    data = open_folder(ct_odd_folder)
    # two of the eight slices in HU are copies, one has no PatientID
    assert sum(sizes(data)) == 5
    assert len([path for path in reasons(data) if path.endswith(".dcm")]) == 29
    assert reasons(data)["ct_rle.dcm"] == "same pixels as ct_jpegls_lossless.dcm"
    assert reasons(data)["ct_no_preamble.dcm"].startswith("no PatientID")
