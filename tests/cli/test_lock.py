"""Two commands on one folder."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from denoisebench import lock

BASELINE = '''
"""A baseline that takes a moment, and says that it was called."""

import os
import time

from denoisebench import baseline


@baseline("slow", licence="MIT")
def slow(noisy, sigma):
    """Wait."""
    with open(os.environ["CALLED"], "a") as file:
        file.write("called\\n")
    time.sleep(0.3)
    return noisy * 0.9
'''


@pytest.fixture
def start(plugin, tiny_ct, tiny_task, tmp_path, monkeypatch):
    """Start `denoisebench run` on the tiny data: *words → process, whose output is a pipe."""
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    (tmp_path / "slow.py").write_text(BASELINE)
    monkeypatch.setenv("CALLED", str(tmp_path / "called"))
    words = ["--plugin", plugin, "--plugin", tmp_path / "slow.py", "--task", tiny_task, "--data",
             tiny_ct, "--out", tmp_path / "runs"]  # fmt: skip
    processes = []

    def start(*more):
        command = [sys.executable, "-m", "denoisebench", "run", *more, *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(list(map(str, command)), stdout=pipe, stderr=pipe, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


TRAINING = ("--gen", "tiny", "--loss", "l1", "--batch", 2, "--patch", 32, "--steps", 100_000)


def test_a_second_run_of_one_folder_is_refused_by_number_and_a_killed_ones_lock_is_nobodys(
    start, tmp_path
):
    first = start(*TRAINING)
    while not (found := list(tmp_path.glob("runs/tiny-*/checkpoint.pt"))):
        assert first.poll() is None
        time.sleep(0.05)
    second = start(*TRAINING, "--resume")
    out, err = second.communicate()
    assert (second.returncode, out) == (2, "")
    *_, mistake = err.splitlines()
    assert re.search(rf"in use by another denoisebench \(process {first.pid}, since ", mistake)
    assert first.poll() is None

    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    folder = found[0].parent
    assert (folder / lock.OWNER).exists()
    third = start(*TRAINING, "--resume")
    while "training" not in third.stderr.readline():
        assert third.poll() is None
    while f"process {third.pid}," not in (folder / lock.OWNER).read_text():
        assert third.poll() is None
        time.sleep(0.05)


def test_two_that_want_one_baseline_compute_it_once_and_both_get_it(start, tmp_path):
    both = [start("--baseline", "slow", "--json") for _ in range(2)]
    answers = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    rows = [json.loads(out)["rows"] for out, _ in answers]
    assert rows[0] == rows[1]
    assert Path(os.environ["CALLED"]).read_text().count("called") == 4  # test slices
