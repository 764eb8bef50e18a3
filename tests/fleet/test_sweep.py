"""What a sweep gives its executor, and what it takes a run folder for."""

import pytest
import torch

from denoisebench import lock
from denoisebench.data.phantom.data_set import open_phantom
from denoisebench.fleet import sweep as sweeps
from denoisebench.fleet.job import Job, News, Setting
from denoisebench.fleet.sweep import Standing, standing
from denoisebench.plugins.find import find
from denoisebench.scoring import run as runs
from denoisebench.scoring.weights import store
from denoisebench.task import load_task


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    dataset = open_phantom(patients=8, slices=1, size=64, workers=1)
    task = load_task("ct-sigma50")
    return runs.Bench(dataset, task, find([]), torch.device("cpu"), tmp_path / "runs")


def test_no_executor_is_asked_for_a_run_that_another_process_holds(bench, monkeypatch):
    monkeypatch.setattr(sweeps, "PAUSE_SECONDS", 0.0)
    jobs = [Job(name, name, baseline="noisy") for name in ("held", "free")]
    setting = Setting("phantom", "", "", "ct-sigma50", (), "cpu", (), bench.runs)
    rounds, heard, asked = [], [], 0

    def execute(jobs, setting, *, tell, stopping):
        rounds.append([job.name for job in jobs])
        for job in jobs:
            tell(News(job.name, "done"))

    def swept(stopping):
        standings = {job.name: Standing("to do") for job in jobs}
        return sweeps.sweep(jobs, setting, bench, execute, standings=standings,
                            tell=heard.append, stopping=stopping)  # fmt: skip

    def after_three_looks():
        nonlocal asked
        asked += 1
        return asked == 3

    with lock.alone(bench.runs / "held"):
        last = swept(after_three_looks)
    assert rounds == [["free"]]
    assert {name: news.state for name, news in last.items()} == {"held": "waiting", "free": "done"}
    (waiting,) = (news for news in heard if news.job == "held")  # told once
    assert "in use by another denoisebench" in waiting.reason
    assert str(bench.runs) not in waiting.reason

    rounds.clear()
    assert swept(lambda: False)["held"].state == "done"
    assert rounds == [["held", "free"]]


def test_a_row_that_lacks_what_weights_would_give_now_is_unfinished_and_not_failed(bench):
    lacked = {"mean": None, "lo": None, "hi": None, "unit": "", "better": "lower", "version": 1,
              "n": 0, "missing": 1}  # fmt: skip
    result = runs.Result(
        method="noisy", kind="baseline", task="t", task_version=1, data="d", data_digest="0",
        split_digest="0", recipe="0", n_slices=1, n_patients=1, parameters=0, device="cpu",
        status="done", metrics={"lpips": lacked},
    )  # fmt: skip
    job = Job("noisy", "noisy", baseline="noisy")
    with lock.alone(bench.runs / job.name):
        result.write(bench.runs / job.name / "result.json")
    assert standing(job, bench) == Standing("done")
    weights = store.path_of("lpips-alex")
    weights.parent.mkdir(parents=True)
    weights.touch()
    assert standing(job, bench) == Standing("unfinished")
