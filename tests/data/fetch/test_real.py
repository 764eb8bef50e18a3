"""The 236 real slices through the whole command, from a stand-in that serves them."""

import csv
import sys

import pytest

from denoisebench.cli import main as cli
from denoisebench.data.fetch import download
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
