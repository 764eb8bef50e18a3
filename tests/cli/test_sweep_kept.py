"""What a sweep keeps when its process ends in the middle, or another one runs beside it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
import torch

COUNTED = '''
"""A loss that says on disk that it was called, once a step."""

import os
import time

from denoisebench import loss
from denoisebench.training import loop

loop.CHECKPOINT_SECONDS = 0.5  # a test has no five


@loss("counted")
def counted(output, target, *, tag: int = 0, seconds: float = 0.0):
    """l1, slowly."""
    with open(os.environ["CALLED"], "a") as file:
        file.write(f"{tag}\\n")
    time.sleep(seconds)
    return (output - target).abs().mean()
'''
STEPS = 40
WAIT_SECONDS = 180  # for what takes ten on an idle machine
SLOW = "counted(tag=2, seconds=0.15)"  # six seconds: time for several checkpoints


@pytest.fixture
def start(plugin, tiny_ct, tiny_task, tmp_path, monkeypatch):
    """Start `denoisebench sweep` in a process of its own: losses → process."""
    (tmp_path / "counted.py").write_text(COUNTED)
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CALLED", str(tmp_path / "called"))
    words = ["--gen", "tiny", "--batch", 1, "--patch", 16, "--steps", STEPS, "--task", tiny_task,
             "--plugin", plugin, "--plugin", tmp_path / "counted.py", "--data", tiny_ct, "--out",
             tmp_path / "runs"]  # fmt: skip
    processes = []

    def start(losses):
        command = [sys.executable, "-m", "denoisebench", "sweep", "--loss", losses, *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(list(map(str, command)), stdout=pipe, stderr=pipe, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate(timeout=WAIT_SECONDS)


def calls(tmp_path) -> Counter[str]:
    path = tmp_path / "called"
    return Counter(path.read_text().split()) if path.exists() else Counter()


def wait_until(found, process):
    """Wait for something while a process runs."""
    while not found():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def folder_of(tmp_path, loss):
    """The run folder of a loss; None where there is none yet."""
    for path in tmp_path.glob("runs/*/recipe.toml"):
        if loss in path.read_text():
            return path.parent
    return None


def has_checkpoint(tmp_path, loss) -> bool:
    folder = folder_of(tmp_path, loss)
    return folder is not None and (folder / "checkpoint.pt").exists()


def whole_log(folder) -> list[int]:
    steps = [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    return steps


def test_ctrl_c_leaves_checkpoints_and_the_same_command_goes_on_without_a_step_twice(
    start, tmp_path
):
    losses = f"counted(tag=1),{SLOW},counted(tag=3)"
    process = start(losses)
    wait_until(lambda: calls(tmp_path)["2"] >= 8, process)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert time.monotonic() - sent < 10
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("stopped; 4 runs: 2 done, 2 waiting · ")
    assert err.splitlines()[-1].endswith("; the same command goes on")
    interrupted = folder_of(tmp_path, "tag=2")
    step = torch.load(interrupted / "checkpoint.pt", weights_only=True)["step"]
    assert step == calls(tmp_path)["2"]  # the step that was under way is in it
    assert folder_of(tmp_path, "tag=3") is None

    resumed = start(losses)
    out, err = resumed.communicate(timeout=WAIT_SECONDS)
    assert resumed.returncode == 0, err
    assert "2 of 4 runs are over already, and skipped" in err
    assert calls(tmp_path) == {"1": STEPS, "2": STEPS, "3": STEPS}
    assert whole_log(interrupted)[-1] == STEPS


def test_a_killed_sweep_goes_on_from_its_checkpoint_and_trains_nothing_anew(start, tmp_path):
    losses = f"counted(tag=1),{SLOW}"
    process = start(losses)
    wait_until(lambda: has_checkpoint(tmp_path, "tag=2"), process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=WAIT_SECONDS)
    killed = folder_of(tmp_path, "tag=2")
    step = torch.load(killed / "checkpoint.pt", weights_only=True)["step"]
    done_once = calls(tmp_path)
    assert done_once["1"] == STEPS
    assert 0 < step <= done_once["2"] < STEPS

    resumed = start(losses)
    _, err = resumed.communicate(timeout=WAIT_SECONDS)
    assert resumed.returncode == 0, err
    again = calls(tmp_path)
    assert again["1"] == STEPS
    assert again["2"] - done_once["2"] == STEPS - step  # from the checkpoint, not from zero
    assert whole_log(killed)[-1] == STEPS


def test_two_sweeps_beside_each_other_train_each_run_once_and_both_end_well(start, tmp_path):
    losses = ",".join(f"counted(tag={tag}, seconds=0.03)" for tag in range(1, 5))
    both = [start(losses), start(losses)]
    answers = [process.communicate(timeout=WAIT_SECONDS) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert calls(tmp_path) == {str(tag): STEPS for tag in range(1, 5)}
    for _, err in answers:
        assert err.splitlines()[-1].startswith("5 runs: 5 done · "), err
    assert len(os.listdir(tmp_path / "runs")) == 5
