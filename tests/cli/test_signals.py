"""Ctrl-C, SIGTERM and SIGHUP in each phase of a run; training by itself is in test_run.py."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from denoisebench.workers import cores

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="children are found in /proc")

STUCK = '''
"""A step and a baseline that take for ever."""

import os
import time

import torch

from denoisebench import baseline, loss


@loss("endless_step")
def endless_step(output, target):
    """l1 whose third step is spent inside one call of a library."""
    endless_step.called = getattr(endless_step, "called", 0) + 1
    if endless_step.called == 3:
        os.write(1, b"at it\\n")
        while True:
            torch.linalg.svd(torch.randn(4000, 4000))
    return (output - target).abs().mean()


@baseline("endless", licence="MIT")
def endless(noisy, sigma):
    """Wait."""
    os.write(1, b"at it\\n")  # at once: workers say it beside each other
    time.sleep(600)
    return noisy
'''


@pytest.fixture
def start(plugin, tiny_ct, tiny_task, tmp_path):
    """Start a run in a session of its own: (*words, reference, data) → process."""
    (tmp_path / "stuck.py").write_text(STUCK)
    environment = {**os.environ, "DENOISEBENCH_HOME": str(tmp_path / "home"),
                   "OMP_NUM_THREADS": "1"}  # fmt: skip
    processes = []

    def start(*more, reference="noisy", data=tiny_ct):
        tiny_task.write_text(tiny_task.read_text().replace('["noisy"]', f'["{reference}"]'))
        words = ["--gen", "tiny", "--batch", "2", "--patch", "32", "--steps", "9", *more]
        words += ["--plugin", plugin, "--plugin", tmp_path / "stuck.py", "--task", tiny_task]
        words += ["--data", data, "--out", tmp_path / "runs"]
        command = [sys.executable, "-m", "denoisebench", "run", *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(list(map(str, command)), stdout=pipe, stderr=pipe, text=True,
                                   env=environment, start_new_session=True)  # fmt: skip
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        for child in of_session(process.pid):
            os.kill(child, signal.SIGKILL)
        process.communicate()


def of_session(number: int) -> list[int]:
    """Living processes of a session but its first."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == number and fields[0] != "Z" and int(path.parent.name) != number:
            found.append(int(path.parent.name))
    return found


def left(process, sent: float) -> float:
    """Seconds from a signal to the end of a process and all its children."""
    process.wait(timeout=60)
    while of_session(process.pid):
        assert time.monotonic() - sent < 60
        time.sleep(0.02)
    return time.monotonic() - sent


def test_a_first_signal_ends_a_step_that_takes_for_ever_within_ten_seconds(start):
    process = start("--loss", "endless_step")
    assert process.stdout.readline() == "at it\n"
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert left(process, sent) < 10
    assert process.returncode == 130
    assert "Traceback" not in process.stderr.read()


def test_a_second_signal_ends_it_at_once(start):
    process = start("--loss", "endless_step")
    assert process.stdout.readline() == "at it\n"
    process.send_signal(signal.SIGINT)
    time.sleep(1)  # two within half a second are taken for one
    assert process.poll() is None
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert left(process, sent) < 3  # 0.2 s on a machine that is not busy
    assert process.returncode == 130
    assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGINT, *(
    pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGTERM, signal.SIGHUP)
)])  # fmt: skip
def test_while_references_are_scored_the_first_ends_it_and_no_worker_stays(start, number):
    process = start("--loss", "l1", reference="endless")
    for _ in range(min(cores(), 4)):  # a worker a core, for four slices
        assert process.stdout.readline() == "at it\n"
    sent = time.monotonic()
    # a terminal's Ctrl-C and its end reach all processes in it, a scheduler's signal the first
    os.kill(process.pid, number) if number == signal.SIGTERM else os.killpg(process.pid, number)
    assert left(process, sent) < 10
    assert process.returncode == 130
    if number != signal.SIGHUP:  # which Python's own resource tracker does not expect
        assert "Traceback" not in process.stderr.read()


@pytest.mark.slow
def test_what_runs_under_nohup_outlives_its_terminal(start):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does, for what it starts
    try:
        process = start("--loss", "endless_step")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert process.stdout.readline() == "at it\n"
    process.send_signal(signal.SIGHUP)
    time.sleep(1)
    process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert process.poll() is None


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_while_data_are_made_the_first_ends_it_and_no_worker_stays(start, number):
    process = start("--loss", "l1", data="phantom")
    while len(of_session(process.pid)) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(2)  # the workers start
    sent = time.monotonic()
    process.send_signal(number)
    assert left(process, sent) < 10
    assert process.returncode == (130 if number == signal.SIGINT else -number)
