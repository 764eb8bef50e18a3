"""Several processes train one recipe: torchrun starts them, as users would."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from safetensors.torch import load_file

from denoisebench.scoring.result import read_result
from denoisebench.training import log

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="children are found in /proc")
WORDS = ["--gen", "resunet(width=4, blocks=1)", "--patch", "32"]
GAN = ["--loss", "cgan+l1", "--disc", "patch3(width=8)"]


@pytest.fixture
def start(tiny_ct, tiny_task, tmp_path):
    """Start a run in a session of its own: (processes, runs folder, *words) → process."""
    processes = []

    def start(count, runs, *more):
        words = ["run", *WORDS, "--data", tiny_ct, "--task", tiny_task, "--out", tmp_path / runs]
        alone = [sys.executable, "-m"]
        together = [
            *alone,
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            count,
            "-m",
        ]
        command = [*(together if count > 1 else alone), "denoisebench", *words, *more]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore",
                       "DENOISEBENCH_HOME": str(tmp_path / "home")}  # fmt: skip
        pipe = subprocess.PIPE
        process = subprocess.Popen(list(map(str, command)), stdout=pipe, stderr=pipe, text=True,
                                   env=environment, start_new_session=True)  # fmt: skip
        processes.append(process)
        return process

    yield start
    for process in processes:
        for number in [*children(process.pid), process.pid]:  # each is in a session of its own
            with suppress(ProcessLookupError):
                os.killpg(number, signal.SIGKILL)
        process.communicate()


def children(number):
    found = []
    for path in Path("/proc").glob(f"{number}/task/*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def run_in(runs):
    (folder,) = (path.parent for path in runs.glob("*/recipe.toml"))
    return folder


def test_two_processes_train_what_one_trains(start, tmp_path):
    words = [*GAN, "--steps", 12, "--batch", 4]
    said = []
    for count, runs in ((1, "one"), (2, "two")):
        process = start(count, runs, *words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        said.append((out, err))
    one, two = run_in(tmp_path / "one"), run_in(tmp_path / "two")
    assert one.name == two.name  # the same recipe
    assert two.joinpath("model.safetensors").exists()
    mine, its = (load_file(folder / "model.safetensors") for folder in (two, one))
    for name, value in its.items():
        # Sums in another order, float32, twelve steps of Adam, which divides by small numbers.
        assert (mine[name] - value).abs().max() < 1e-4
    records = [log.read(folder / "log.jsonl") for folder in (two, one)]
    for here, there in zip(*records, strict=True):
        assert here.step == there.step
        assert here.losses == pytest.approx(there.losses, rel=1e-4)
    psnr = [read_result(folder / "result.json").metrics["psnr"].mean for folder in (two, one)]
    assert psnr[0] == pytest.approx(psnr[1], abs=1e-3)
    # One of them prints: the board comes once.
    assert said[1][0].count("GAN health") == said[0][0].count("GAN health") == 1
    assert said[1][1].count("training resunet") == 1


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_is_written(start, tmp_path):
    process = start(2, "runs", "--loss", "l1", "--steps", 3, "--batch", 4, "--accumulate", 4)
    _, err = process.communicate(timeout=120)
    assert "a batch of 4 has no 8 equal parts, for 2 processes and --accumulate 4" in err
    assert "use --batch 8" in err
    assert not (tmp_path / "runs").exists()


def steps(folder):
    return [record.step for record in log.read(folder / "log.jsonl")]


def begun(runs, wanted=20):
    """Wait until some steps are in the log, and return the run's folder."""
    for _ in range(1200):
        with suppress(ValueError):
            folder = run_in(runs)
            if (folder / "checkpoint.pt").exists() and steps(folder)[-1:] > [wanted]:
                return folder
        time.sleep(0.1)
    raise AssertionError("it trained no step")


def test_stopped_by_a_signal_all_leave_and_the_same_command_goes_on(start, tmp_path):
    words = [*GAN, "--batch", 4, "--steps"]
    first = start(2, "runs", *words, 100_000)
    folder = begun(tmp_path / "runs")
    os.kill(first.pid, signal.SIGTERM)
    first.communicate(timeout=30)
    assert not (folder / "result.json").exists()
    stopped = steps(folder)
    again = start(2, "runs", *words, 100_000, "--resume")
    for _ in range(600):
        time.sleep(0.1)
        if steps(folder)[-1] > stopped[-1]:
            break
    os.kill(again.pid, signal.SIGTERM)
    again.communicate(timeout=30)
    assert steps(folder) == sorted(set(steps(folder)))
    assert steps(folder)[: len(stopped)] == stopped
    assert steps(folder)[-1] > stopped[-1]


def test_when_one_dies_the_others_end(start, tmp_path):
    process = start(2, "runs", "--loss", "l1", "--batch", 4, "--steps", 100_000)
    begun(tmp_path / "runs")
    ranks = children(process.pid)
    os.kill(max(ranks), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not any(os.path.exists(f"/proc/{pid}/stat") for pid in ranks)
