"""Small data sets of either kind, served by a stand-in for the archives."""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from denoisebench.data.fetch import download, idc, transfer
from denoisebench.data.fetch.download import Fetched
from denoisebench.data.fetch.known import Collection, Known, Row
from denoisebench.data.fetch.wanted import place
from denoisebench.data.intake.dicom import read

SPLITS = ("train", "val", "test")


def _load(name: str) -> ModuleType:
    path = Path(__file__).parent / f"{name}.py"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A stand-in for the archives; no pauses between retries, no child processes, no cache."""
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(transfer, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(download, "READERS", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with _load("stand_in").serving() as served:
        yield served


@dataclass
class Small:
    """A small data set: what is known of it, its manifest, who serves it, and where it goes."""

    facts: Known
    rows: tuple[Row, ...]
    archive: Any
    folder: Path
    url: str

    def fetch(self, **changes: Any) -> Fetched:
        return download.fetch(self.facts, self.rows, self.folder, url=self.url, **changes)

    def places(self) -> list[str]:
        """Where its slices or series stand."""
        return [place(row) for row in self.rows]

    def standing(self) -> dict[str, bytes]:
        """What stands in the folder under a DICOM file's name, anywhere."""
        found = self.folder.rglob("*.dcm")
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}


def facts(kind: str, rows: list[Row], size: int) -> Known:
    return Known(
        name="small",
        summary="Made for tests",
        archives=("tcia", "idc") if kind == "tcia" else ("idc",),
        patients=3,
        slices=sum(row.slices for row in rows),
        bytes=size,
        split="as the test says",
        collections=(Collection(name="Some CT", doi="10.7937/some", licence="CC BY 3.0"),),
    )


@pytest.fixture
def slices(archive, made, tmp_path) -> Small:
    """Three patients with two slices each, one by one from TCIA."""
    rows = []
    for number in range(6):
        patient, uid = f"P{number // 2}", f"1.2.{number // 2}.{number}"
        path = made.write(
            tmp_path / "archive" / f"{uid}.dcm",
            made.body(number),
            PatientID=patient,
            SeriesInstanceUID=f"1.2.{number // 2}",
            SOPInstanceUID=uid,
        )
        archive.files[uid] = path.read_bytes()
        digest = read(path)[0].digest
        rows.append(Row("Some CT", patient, f"1.2.{number // 2}", SPLITS[number // 2], uid, digest))
    size = sum(map(len, archive.files.values()))
    return Small(
        facts("tcia", rows, size), tuple(rows), archive, tmp_path / "small", archive.url
    )  # fmt: skip


@pytest.fixture
def series(archive, made, tmp_path, monkeypatch) -> Small:
    """Three patients with a series of four slices each, from a bucket of IDC.

    A patch stands for the index of IDC, which knows real series only.
    """
    rows = []
    for number, patient in enumerate(("P0", "P1", "P2")):
        for index in range(4):
            path = made.write(
                tmp_path / "archive" / f"{number}-{index}.dcm",
                made.body(100 * number + index),
                PatientID=patient,
                SeriesInstanceUID=f"1.2.{number}",
            )
            archive.files[f"{number}f/{number}-{index}.dcm"] = path.read_bytes()
        size = sum(len(file) for key, file in archive.files.items() if key[0] == str(number))
        rows.append(
            Row("Some CT", patient, f"1.2.{number}", SPLITS[number], slices=4, bytes=size)
        )  # fmt: skip
    folders = in_buckets(rows, archive)
    monkeypatch.setattr(idc, "bucket_folders", lambda *asked: folders)
    size = sum(row.bytes for row in rows)
    return Small(facts("idc", rows, size), tuple(rows), archive, tmp_path / "small", archive.url)


def in_buckets(rows: list[Row], archive: Any) -> dict[str, str]:
    """Where each series is: series 1.2.N in folder Nf."""
    bucket = f"{archive.url}/idc-open-data"
    return {row.series_uid: f"{bucket}/{row.series_uid[-1]}f" for row in rows}


@pytest.fixture
def both(slices, made, tmp_path, monkeypatch) -> Small:
    """The slices again, and their series in buckets of IDC, with slices that nobody wants.

    A patch stands for the index of IDC.
    """
    files = slices.archive.files
    for number, row in enumerate(slices.rows):
        folder = f"{row.series_uid[-1]}f"
        files[f"{folder}/b{number}.dcm"] = files[row.sop_uid]
        for side in "ac":  # listed before and after it
            other = made.write(
                tmp_path / "archive" / "other.dcm",
                made.body(50 + number),
                PatientID=row.patient,
                SeriesInstanceUID=row.series_uid,
                SOPInstanceUID=f"{row.sop_uid}{number}",  # begins as the wanted one does
            )
            files[f"{folder}/{side}{number}.dcm"] = other.read_bytes()
    folders = in_buckets(list(slices.rows), slices.archive)
    monkeypatch.setattr(idc, "bucket_folders", lambda *asked: folders)
    return slices
