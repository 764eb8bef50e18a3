"""One process in a folder: a second is refused, or waits; no lock outlives its process."""

import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from denoisebench import Unavailable, UsageError, lock

HOLDING = """
import sys, time
from pathlib import Path
from denoisebench import lock
with lock.alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the folder `tmp_path / "run"`."""
    command = [sys.executable, "-c", HOLDING, str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_at_once_by_number_and_time_of_the_first(holder, tmp_path):
    began = time.monotonic()
    for refuse in (lock.refuse_held, lambda folder: lock.alone(folder).__enter__()):
        with pytest.raises(UsageError) as told:
            refuse(tmp_path / "run")
        assert re.search(
            rf"run is in use by another denoisebench \(process {holder.pid}, "
            r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\); wait for it, or stop it",
            str(told.value),
        )
    assert time.monotonic() - began < 2  # 0.2 s, on a busy machine


def test_the_lock_of_a_killed_process_is_nobodys(holder, tmp_path):
    (tmp_path / "run" / "checkpoint.pt.4711.writing").write_text("half of")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run" / lock.OWNER).exists()  # the dead one's
    lock.refuse_held(tmp_path / "run")
    with lock.alone(tmp_path / "run"):
        assert [path.name for path in (tmp_path / "run").glob("*.writing")] == []
    assert not (tmp_path / "run" / lock.OWNER).exists()


def test_one_that_waits_is_told_for_whom_and_gets_the_folder(holder, tmp_path):
    told = []
    threading.Timer(0.5, holder.kill).start()
    with lock.alone(tmp_path / "run", waiting=told.append):
        assert holder.wait() == -signal.SIGKILL
    assert told[0].startswith(f"process {holder.pid}, since ")


def test_the_lock_holds_a_number_and_a_time_and_nothing_else(tmp_path):
    with lock.alone(tmp_path):
        owner = (tmp_path / lock.OWNER).read_text()
        assert re.fullmatch(r"process \d+, since [-\d]+ [:\d]+ UTC", owner)
        assert (tmp_path / lock.LOCK).read_text() == ""


def test_a_look_makes_nothing(tmp_path):
    lock.refuse_held(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, small_disk):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        lock.alone(tmp_path / "file" / "run").__enter__()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(Unavailable, match="Read-only file system"):
        lock.alone(small_disk / "run").__enter__()
