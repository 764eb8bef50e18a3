"""The 236 real slices through the whole command, from a stand-in that serves them."""

import csv
import sys

import pytest

from denoisebench.cli import main as cli
from denoisebench.data.fetch import download, idc, known
from denoisebench.data.named import open_data


@pytest.fixture
def served(archive, ct_folder):
    with open(ct_folder / "manifest.csv", newline="") as file:
        for line in csv.DictReader(file):
            archive.files[line["sop_uid"]] = (ct_folder / line["path"]).read_bytes()
    return archive


def test_tcia_mini_is_fetched_and_verified_slice_by_slice(served, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download, "READERS", None)
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path))
    words = ["denoisebench", "data", "fetch", "tcia-mini", "--from", served.url]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 0
    assert "tcia-mini: 236 of 236 slices, 236 new" in capsys.readouterr().out
    data = open_data("tcia-mini")
    assert data.name == "tcia-mini"
    assert [len(data.slices(name)) for name in ("train", "val", "test")] == [144, 41, 51]


def test_real_slices_come_from_the_folders_that_the_index_of_idc_names(
    archive, ct_folder, tmp_path
):
    facts, rows = known.choose("tcia-mini")
    chosen = rows[::30]
    url = f"{archive.url}/{{bucket}}"
    folders = idc.bucket_folders(chosen, facts, url)
    with open(ct_folder / "manifest.csv", newline="") as file:
        path_of = {line["sop_uid"]: line["path"] for line in csv.DictReader(file)}
    for row in chosen:
        key = f"{folders[row.series_uid].rpartition('/')[2]}/{row.sop_uid[-8:]}.dcm"
        archive.files[key] = (ct_folder / path_of[row.sop_uid]).read_bytes()
    done = download.fetch(facts, chosen, tmp_path / "some", via="idc", url=url)
    assert (done.here, done.failures) == (8, ())
