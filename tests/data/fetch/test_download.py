"""Data sets that are fetched from a stand-in which fails in every way that archives do."""

import csv
from itertools import repeat
from pathlib import Path

import pytest

from denoisebench import UsageError
from denoisebench.data.fetch import download, transfer
from denoisebench.data.fetch.ledger import NAME as LEDGER
from denoisebench.data.store.prepare import open_folder
from denoisebench.lock import LOCK

BESIDE = {"manifest.csv", LEDGER, "LICENCES.md", "CITATION.bib", LOCK}


def by_collection(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def wrong(small, made, tmp_path):
    """A slice of the right series whose pixels are others."""
    path = made.write(
        tmp_path / "wrong.dcm", made.body(99), PatientID="P0", SeriesInstanceUID="1.2.0"
    )
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["slices", "series"])
def test_a_fetched_folder_is_a_data_set_with_terms_beside_it(kind, request):
    small = request.getfixturevalue(kind)
    done = small.fetch()
    total = sum(row.slices for row in small.rows)
    assert (done.wanted, done.here, done.new, done.failures) == (total, total, total, ())
    assert by_collection(small.folder) == BESIDE | {"Some-CT"}
    data = open_folder(small.folder, workers=0)
    assert [len(data.slices(split)) for split in ("train", "val", "test")] == [total // 3] * 3
    assert data.set_aside == ()
    lines = (small.folder / "manifest.csv").read_text().splitlines()
    assert all(line.endswith(",CC BY 3.0") for line in lines[1:])
    terms = (small.folder / "LICENCES.md").read_text()
    assert "https://creativecommons.org/licenses/by/3.0/" in terms
    assert "https://doi.org/10.7937/some" in terms
    assert "10.1007/s10278-013-9622-7" in (small.folder / "CITATION.bib").read_text()


@pytest.mark.parametrize("kind", ["slices", "series"])
def test_a_second_fetch_asks_the_archive_for_nothing(kind, request):
    small = request.getfixturevalue(kind)
    small.fetch()
    asked, before = small.archive.requests(), small.standing()
    done = small.fetch()
    assert (done.new, done.here) == (0, done.wanted)
    assert small.archive.requests() == asked
    assert small.standing() == before


def test_what_comes_is_read_by_children_and_never_in_this_process(slices, monkeypatch):
    def refuse(path):
        raise AssertionError("bytes from a network were parsed in this process")

    monkeypatch.setattr(download, "READERS", None)
    monkeypatch.setattr("denoisebench.data.intake.dicom.slices", refuse)
    assert slices.fetch().here == 6


def test_files_stand_under_the_archives_own_names(slices, series):
    assert slices.places()[0] == "Some-CT/P0/1.2.0/1.2.0.0.dcm"
    series.fetch()
    assert "Some-CT/P2/1.2.2/2-3.dcm" in series.standing()


def test_progress_counts_slices_up_to_all(slices, monkeypatch):
    monkeypatch.setattr(download, "BATCH", 2)
    seen = []
    slices.fetch(progress=lambda *counts: seen.append(counts))
    assert seen == [(count, 6) for count in range(1, 7)]


@pytest.mark.parametrize(
    "fault", ["cut", "cut chunked", 503, b"<html>Not now</html>", "other pixels"]
)
def test_what_goes_wrong_once_is_mended(slices, fault, made, tmp_path):
    fault = wrong(slices, made, tmp_path) if fault == "other pixels" else fault
    slices.archive.faults["1.2.0.0"] = iter([fault])
    done = slices.fetch()
    assert (done.here, done.failures) == (6, ())
    assert slices.archive.requests("1.2.0.0") == 2


@pytest.mark.parametrize(
    ("fault", "reason", "asked"),
    [
        ("cut", "the connection was cut", 2 * (transfer.RETRIES + 1)),
        (404, "the archive answers 404", 2),
        (503, "the archive answers 503", 2 * (transfer.RETRIES + 1)),
        (b"<html>Not now</html>", "what came cannot be read: not DICOM", 2),
        (b"", "what came cannot be read: zero bytes", 2),
        ("other pixels", "what came has other pixels than the manifest says", 2),
        ("neighbour", "what came has other pixels than the manifest says", 2),
        ("trickle", "too slow", 2),
    ],
)
def test_what_goes_wrong_always_is_named_and_the_rest_comes(
    slices, fault, reason, asked, made, tmp_path, monkeypatch
):
    monkeypatch.setattr(transfer, "FILE_SECONDS", 0.5)
    if fault == "other pixels":
        fault = wrong(slices, made, tmp_path)
    if fault == "neighbour":
        fault = slices.archive.files["1.2.0.1"]
    slices.archive.faults["1.2.0.0"] = repeat(fault)
    done = slices.fetch()
    (failure,) = done.failures
    assert failure.path == "Some-CT/P0/1.2.0/1.2.0.0.dcm"
    assert reason in failure.reason
    assert (done.here, done.wanted) == (5, 6)
    assert sorted(slices.standing()) == slices.places()[1:]
    assert slices.archive.requests("1.2.0.0") == asked
    assert not (slices.folder / "manifest.csv").exists()

    slices.archive.faults.clear()
    assert slices.fetch().new == 1
    assert len(open_folder(slices.folder, workers=0).train) == 2


def test_the_checks_see_a_fetch_that_compares_nothing(slices, made, tmp_path, monkeypatch):
    """The negative control: a build that trusts what comes is caught by what the tests look at."""
    monkeypatch.setattr(
        download.Job,
        "_judge",
        lambda self, wanted, part, answer: download.Entry(
            wanted.path, part.stat().st_size, wanted.digest, ""
        ),
    )
    slices.archive.faults["1.2.0.0"] = repeat(wrong(slices, made, tmp_path))
    assert slices.fetch().failures == ()
    with pytest.raises(UsageError, match="other pixels than its pixel_sha256"):
        open_folder(slices.folder, workers=0)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("cut", "the connection was cut"),
        (404, "the archive answers 404"),
        ("same length", "its bytes have another MD5 than the archive says"),
    ],
)
def test_a_series_keeps_what_came_of_it(series, fault, reason):
    if fault == "same length":
        content = bytearray(series.archive.files["0f/0-1.dcm"])
        content[-1] ^= 1  # a flipped bit in a pixel
        fault = bytes(content)
    series.archive.faults["0f/0-1.dcm"] = repeat(fault)
    done = series.fetch()
    (failure,) = done.failures
    assert failure.path == "Some-CT/P0/1.2.0/0-1.dcm"
    assert reason in failure.reason
    assert (done.here, done.wanted) == (11, 12)
    series.archive.faults.clear()
    asked = series.archive.requests(".dcm")
    assert series.fetch().new == 1
    assert series.archive.requests(".dcm") == asked + 1


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        (404, "the archive answers 404"),
        (b"<html>", "listing of it cannot be read"),
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>', "listing of it cannot be read"),
        (b"<x/>", "the archive lists 0 files of 0 bytes; known are 4 of"),
    ],
)
def test_a_series_that_cannot_be_listed_is_named(series, listing, reason):
    series.archive.faults["listing"] = iter([listing, None, None, listing])
    (failure,) = series.fetch().failures
    assert failure.path == "Some-CT/P0/1.2.0"
    assert reason in failure.reason


@pytest.mark.parametrize("name", ["../../escape.dcm", "a/b.dcm", ".dcm", "x.exe"])
def test_a_listing_cannot_name_a_file_outside(series, name):
    series.archive.files[f"0f/{name}"] = series.archive.files.pop("0f/0-0.dcm")
    (failure,) = series.fetch().failures
    assert failure.reason == "the archive lists something else than DICOM files in it"
    assert by_collection(series.folder.parent) == {"archive", "small"}


def test_a_listing_of_several_pages_is_read_to_its_end(series):
    series.archive.page = 3
    assert series.fetch().failures == ()
    assert series.archive.requests("list-type") == 6


def test_an_etag_that_is_no_md5_leaves_the_size_and_the_reader(series):
    series.archive.tags["0f/0-1.dcm"] = "d41d8cd98f00b204e9800998ecf8427e-2"
    assert series.fetch().failures == ()


def test_a_slice_of_another_series_is_not_let_in(series, made, tmp_path):
    path = made.write(tmp_path / "x.dcm", made.body(7), PatientID="P0", SeriesInstanceUID="9.9.9")
    series.archive.files["0f/0-1.dcm"] = path.read_bytes()
    row = series.rows[0]
    size = sum(len(file) for key, file in series.archive.files.items() if key[0] == "0")
    series.rows = (type(row)(**{**row.__dict__, "bytes": size}), *series.rows[1:])
    (failure,) = series.fetch().failures
    assert failure.reason == "what came is of another series or patient"


def test_a_file_of_the_archive_without_ct_is_kept_and_set_aside(series, made, tmp_path):
    path = made.write(tmp_path / "x.dcm", made.body(7), Modality="MR")
    series.archive.files["0f/0-1.dcm"] = path.read_bytes()
    row = series.rows[0]
    size = sum(len(file) for key, file in series.archive.files.items() if key[0] == "0")
    series.rows = (type(row)(**{**row.__dict__, "bytes": size}), *series.rows[1:])
    done = series.fetch()
    assert (done.here, done.set_aside, done.failures) == (12, 1, ())
    assert len(open_folder(series.folder, workers=0).train) == 3
    with open(series.folder / LEDGER) as file:
        (aside,) = [line for line in csv.DictReader(file) if line["set_aside"]]
    assert aside["path"] == "Some-CT/P0/1.2.0/0-1.dcm"
    assert aside["set_aside"] == "not CT: modality MR"


def test_pixels_that_changed_since_the_first_fetch_are_refused(series, made, tmp_path):
    series.fetch()
    key = "0f/0-1.dcm"
    before = len(series.archive.files[key])
    path = made.write(
        tmp_path / "x.dcm", made.body(7), PatientID="P0", SeriesInstanceUID="1.2.0"
    )  # fmt: skip
    assert len(path.read_bytes()) == before  # so the listing fits what is known
    series.archive.files[key] = path.read_bytes()
    (series.folder / "Some-CT/P0/1.2.0/0-1.dcm").unlink()
    (failure,) = series.fetch().failures
    assert failure.reason == "what came has other pixels than when it was fetched first"


@pytest.mark.parametrize("ranges", [True, False])
def test_slices_are_found_in_their_series_by_their_uids(both, ranges):
    both.archive.ranges = ranges
    done = both.fetch(via="idc")
    assert (done.here, done.failures) == (6, ())
    assert sorted(both.standing()) == sorted(both.places())
    assert both.archive.requests("getSingleImage") == 0
    assert both.archive.requests("list-type") == 3
    whole = [path for path, headers in both.archive.asked if "Range" not in headers]
    assert len([path for path in whole if ".dcm" in path]) == 6


def test_a_slice_that_a_series_lacks_is_named(both):
    del both.archive.files["0f/b0.dcm"]
    (failure,) = both.fetch(via="idc").failures
    assert failure.path == "Some-CT/P0/1.2.0/1.2.0.0.dcm"
    assert failure.reason == "the archive's series has no such slice"


def test_what_one_archive_began_the_other_ends(both):
    both.archive.faults["1.2.0.0"] = repeat(404)
    assert both.fetch().here == 5
    done = both.fetch(via="idc")
    assert (done.here, done.new, done.failures) == (6, 1, ())


def test_an_archive_that_does_not_have_a_data_set_is_said_so(series):
    with pytest.raises(UsageError, match="small comes via idc, not via tcia"):
        series.fetch(via="tcia")
    assert not series.folder.exists()
