"""manifest.csv: what is accepted, and one line for what is not."""

import os
from pathlib import Path

import pytest

from denoisebench.data.intake.manifest import Row, read_manifest
from denoisebench.errors import UsageError

DIGEST = "ab" * 32


def rows(folder: Path, text: str | bytes, *names: str) -> list[Row]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    data = text.encode() if isinstance(text, str) else text
    (folder / "manifest.csv").write_bytes(data)
    return read_manifest(folder)


def problem(folder: Path, text: str | bytes, *names: str) -> str:
    with pytest.raises(UsageError) as wrong:
        rows(folder, text, *names)
    message = str(wrong.value)
    assert "\n" not in message
    return message


def test_path_and_split_are_enough(tmp_path: Path) -> None:
    text = "path,split\na.dcm,train\nb/c.dcm,test\n"
    assert rows(tmp_path, text, "a.dcm", "b/c.dcm") == [
        Row(2, "a.dcm", "train", "", "", None),
        Row(3, "b/c.dcm", "test", "", "", None),
    ]


def test_all_columns_in_any_order_with_others_between(tmp_path: Path) -> None:
    text = f"doi,frame, patient,split,pixel_sha256,path\nx,2,Iris,val,{DIGEST.upper()},./a.dcm\n"
    assert rows(tmp_path, text, "a.dcm") == [Row(2, "a.dcm", "val", "Iris", DIGEST, 2)]


def test_what_spreadsheets_write_is_read(tmp_path: Path) -> None:
    text = b'\xef\xbb\xbfpath,split\r\n"a, b.dcm",train\r\n'
    assert rows(tmp_path, text, "a, b.dcm")[0].path == "a, b.dcm"


def test_names_that_are_no_utf8_can_be_listed(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.dcm")
    try:
        found = rows(tmp_path, b"path,split\ncaf\xe9.dcm,train\n", name)
    except OSError as refused:
        pytest.skip(f"this file system has UTF-8 names only: {refused}")
    assert found[0].path == name


@pytest.mark.parametrize(
    "path",
    ["../a.dcm", "b/../../a.dcm", "/etc/passwd", "C:\\a.dcm", "C:a.dcm", "..\\a.dcm", "\\a.dcm",
     "//server/a.dcm", "a\0.dcm", ""],
)  # fmt: skip
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    message = problem(tmp_path, f"path,split\n{path},train\n", "b/x.dcm")
    assert message.startswith("manifest.csv, line 2: path '")
    assert "is not inside the folder" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,set\na.dcm,train\n", "has no column 'split'"),
        ("path;split\na.dcm;train\n", "has no column 'path'"),
        ("", "has no column 'path'"),
        ("path,split\n", "lists no file"),
        ("path,split\na.dcm,validation\n", "line 2: no split 'validation'; there are train, val"),
        ("path,split\na.dcm\n", "line 2: no split ''"),
        ("path,split\nb.dcm,train\n", "line 2: 'b.dcm' is not in the folder; add it"),
        ("path,split\na.dcm,train\na.dcm,test\n", "line 3: 'a.dcm' is listed twice"),
        ("path,split,frame\na.dcm,train,\na.dcm,train,1\n", "line 3: 'a.dcm' is listed twice"),
        ("path,split,frame\na.dcm,train,0\n", "frame is not a whole number from 1"),
        ("path,split,pixel_sha256\na.dcm,train,abc\n", "pixel_sha256 is not 64 hex digits"),
        ('path,split\n"a.dcm,train\n', "cannot be read as CSV"),
        ("path,split\n\x1b[31m,train\n", r"'\x1b[31m' is not in the folder"),
        ("path,split\na.dcm,tr\x1b[31m\n", r"no split 'tr\x1b[31m'"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert message in problem(tmp_path, text, "a.dcm")


def test_a_patient_in_two_splits_is_refused_by_file(tmp_path: Path) -> None:
    text = "path,split,patient\na.dcm,train,Iris\nb.dcm,test,Iris\n"
    message = problem(tmp_path, text, "a.dcm", "b.dcm")
    assert message == (
        "manifest.csv, line 3: the patient of 'b.dcm' is in train and in test; "
        "put all slices of a patient in one split"
    )


def test_a_listed_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").mkdir()
    assert "'a.dcm' is not in the folder" in problem(tmp_path, "path,split\na.dcm,train\n")


def test_the_shipped_shape_of_manifest_is_read(ct_folder: Path) -> None:
    found = read_manifest(ct_folder)
    assert len(found) == 236
    assert all(row.digest and row.patient for row in found)
