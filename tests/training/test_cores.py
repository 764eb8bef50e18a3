"""The same recipe in other processes, and with another number of threads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STEPS = 100


@pytest.fixture
def train(tiny_plugins, tmp_path):
    """Train in a process of its own: (loss, threads, command before it) → its answer."""

    def train(loss, threads, *before):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        script = Path(__file__).with_name("trained_apart.py")
        command = [*before, sys.executable, script, folder, tiny_plugins, loss, STEPS]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
        done = subprocess.run([str(word) for word in command], env=environment, check=True,
                              capture_output=True, text=True)  # fmt: skip
        answer = json.loads(done.stdout)
        assert answer["threads"] == threads
        return answer

    return train


def final(answer) -> float:
    """The loss as the last line of a log shows it: averaged over a tenth of the run."""
    return sum(answer["losses"][-STEPS // 10 :]) / len(answer["losses"][-STEPS // 10 :])


@pytest.mark.slow
def test_two_processes_agree_in_every_bit_and_threads_in_the_final_loss(train):
    one, again, two = (train("l1", threads) for threads in (1, 1, 2))
    assert again == one
    assert final(two) == pytest.approx(final(one), rel=1e-6)
    # what makes them differ is the order of sums: it shows, or nothing was compared
    assert two["weights"] != one["weights"]


@pytest.mark.slow
def test_with_as_many_threads_the_number_of_cores_changes_no_bit_of_a_gan(train):
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores, and a system that can keep a process to one")
    core = str(min(os.sched_getaffinity(0)))
    assert train("cgan + l1", 2) == train("cgan + l1", 2, "taskset", "-c", core)
