"""A fetch that was interrupted, by the archive, by the disk or by SIGKILL, and goes on."""

import pickle
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from denoisebench import Unavailable, UsageError
from denoisebench.data.fetch import download, transfer
from denoisebench.data.fetch.ledger import NAME as LEDGER
from denoisebench.data.fetch.wanted import place
from denoisebench.data.intake.dicom import read
from denoisebench.lock import LOCK

BESIDE = {"manifest.csv", LEDGER, "LICENCES.md", "CITATION.bib", LOCK}


def by_collection(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_an_archive_that_goes_away_leaves_what_came(slices, monkeypatch):
    monkeypatch.setattr(download, "BATCH", 2)
    monkeypatch.setattr(transfer, "CONNECTIONS", 1)
    monkeypatch.setattr(download, "CONNECTIONS", 1)
    ask = transfer.Transfer._ask

    def unplugged(self, url, headers=None):
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))  # bound and not listening
            away = f"http://127.0.0.1:{held.getsockname()[1]}"
            late = "1.2.1.3" in url or "1.2.2" in url
            return ask(self, url.replace(slices.archive.url, away) if late else url, headers)

    monkeypatch.setattr(transfer.Transfer, "_ask", unplugged)
    with pytest.raises(Unavailable) as told:
        slices.fetch()
    assert str(told.value) == (
        "small: the archive cannot be reached (127.0.0.1: Connection refused); 3 of 6 slices are "
        "here, and the same command goes on, as does --via idc"
    )
    assert sorted(slices.standing()) == slices.places()[:3]
    monkeypatch.setattr(transfer.Transfer, "_ask", ask)
    assert slices.fetch().new == 3


def test_a_series_that_came_is_kept_when_the_next_cannot_be_listed(series, monkeypatch):
    monkeypatch.setattr(download, "BATCH", 1)
    page = transfer.Transfer.page

    def unplugged(self, url):
        if "prefix=2f" in url:
            raise transfer.Away("the patch says so")
        return page(self, url)

    monkeypatch.setattr(transfer.Transfer, "page", unplugged)
    with pytest.raises(Unavailable, match="8 of 12 slices are here"):
        series.fetch()
    assert len(series.standing()) == 8


def test_a_machine_without_a_network_is_left_as_it_was(slices):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        slices.url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(Unavailable, match="cannot be reached"):
            slices.fetch()
    assert by_collection(slices.folder) == {LOCK}


def test_files_that_are_there_are_read_and_not_fetched(slices):
    slices.fetch()
    (slices.folder / LEDGER).unlink()
    (slices.folder / "manifest.csv").unlink()
    bad = slices.folder / slices.places()[2]
    bad.write_bytes(bad.read_bytes()[:-1] + b"\xff")
    asked = slices.archive.requests()
    assert slices.fetch().here == 6
    assert slices.archive.requests() == asked + 1
    assert read(bad)[0].digest == slices.rows[2].digest


def test_a_file_that_lost_bytes_is_fetched_again(series):
    series.fetch()
    path = series.folder / "Some-CT/P1/1.2.1/1-2.dcm"
    path.write_bytes(path.read_bytes()[:-100])
    asked = series.archive.requests(".dcm")
    assert series.fetch().new == 1
    assert series.archive.requests(".dcm") == asked + 1


def test_a_ledger_whose_last_line_is_half_is_read_up_to_it(slices):
    slices.fetch()
    ledger = slices.folder / LEDGER
    ledger.write_bytes(ledger.read_bytes()[:-40])
    asked = slices.archive.requests()
    assert slices.fetch().new == 1
    assert slices.archive.requests() == asked


def test_a_disk_without_room_is_named_before_anything_is_asked(slices, monkeypatch):
    usage = shutil.disk_usage(slices.folder.parent)._replace(free=10**7)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(Unavailable, match=r"small needs 0.1 GB and 0.0 GB are free in"):
        slices.fetch()
    assert slices.archive.requests() == 0


def test_two_fetches_do_not_share_a_folder(slices):
    slices.folder.mkdir()
    with (
        FileLock(slices.folder / LOCK),
        pytest.raises(UsageError, match="in use by another denoisebench"),
    ):
        slices.fetch()
    assert slices.fetch().here == 6  # a lock file without its holder is no lock


def test_a_folder_of_somebody_elses_data_is_left_alone(slices):
    slices.folder.mkdir()
    (slices.folder / "manifest.csv").write_text("path,split\n")
    with pytest.raises(UsageError, match=r"holds a manifest.csv of its own; give an empty folder"):
        slices.fetch()
    assert by_collection(slices.folder) == {"manifest.csv"}


def test_a_file_where_the_folder_should_be_is_said_so(slices):
    slices.folder.write_text("")
    with pytest.raises(UsageError, match="is a file; give a folder"):
        slices.fetch()


DRIVER = """
import pickle, sys
from denoisebench.data.fetch import download, known
if __name__ == "__main__":
    facts, rows, folder, url = pickle.loads(bytes.fromhex(sys.argv[1]))
    download.BATCH, download.CONNECTIONS, download.READERS = 2, 1, 0
    download.fetch(facts, rows, folder, url=url)
"""


def test_a_fetch_killed_at_random_moments_goes_on_to_the_same_folder(slices, tmp_path):
    undisturbed = slices.fetch().folder
    slices.folder, slices.archive.pause = tmp_path / "killed", 0.2
    digests = {place(row): row.digest for row in slices.rows}
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    given = pickle.dumps((slices.facts, slices.rows, slices.folder, slices.url)).hex()
    moments = random.Random(12)
    for requests in (1, 2, 2):  # so that there is always something left to do
        seen = slices.archive.requests()
        child = subprocess.Popen([sys.executable, str(script), given])
        while slices.archive.requests() < seen + requests:
            assert child.poll() is None
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.4))
        child.kill()
        assert child.wait() == -signal.SIGKILL
        for path in slices.standing():
            if not path.startswith(download.INCOMING):
                assert read(slices.folder / path)[0].digest == digests[path]
        assert not (slices.folder / "manifest.csv").exists()
    slices.archive.pause = 0.0
    assert slices.fetch().failures == ()
    for name in BESIDE - {LEDGER}:  # whose lines stand in the order in which files came
        assert (slices.folder / name).read_bytes() == (undisturbed / name).read_bytes()
    assert slices.standing().keys() == digests.keys()
    assert not (slices.folder / download.INCOMING).exists()
