"""One job in this process: whatever goes wrong is its last news, and says nothing private."""

import socket
from dataclasses import replace

import pytest
import torch

from denoisebench import lock
from denoisebench.data.phantom.data_set import open_phantom
from denoisebench.errors import UsageError
from denoisebench.fleet import work as works
from denoisebench.fleet.job import Job, Setting
from denoisebench.fleet.work import reason_of, work
from denoisebench.plugins.find import find
from denoisebench.scoring.result import read_result
from denoisebench.task import load_task
from denoisebench.training.recipe import plan

PLUGIN = '''
"""A loss of a user's own."""

from denoisebench import loss


@loss("own")
def own(output, target):
    """l1."""
    return (output - target).abs().mean()
'''

TASK = """
name = "tiny-task"
version = 1
summary = "What a test can afford"
window_hu = [-160, 240]
metrics = ["psnr"]
references = ["noisy"]
noise = {protocol = "tiny", sigma = 50}
"""


@pytest.fixture
def setting(tmp_path, monkeypatch):
    """A sweep's setting on small phantoms."""
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    dataset = open_phantom(patients=8, slices=1, size=64, workers=1)
    monkeypatch.setattr(works, "_open", lambda name: dataset)  # a stand-in for the full phantom
    (tmp_path / "task.toml").write_text(TASK)
    (tmp_path / "own.py").write_text(PLUGIN)
    return Setting(
        data="phantom",
        data_digest=dataset.digest,
        split_digest=dataset.split_digest,
        task=str(tmp_path / "task.toml"),
        plugins=(tmp_path / "own.py",),
        device="cpu",
        track=(),
        runs=tmp_path / "runs",
    )


@pytest.fixture
def job(setting):
    planned = plan(
        find(setting.plugins), generator="resunet(width=8, blocks=1)", loss="own", steps=3, batch=1,
        patch=32,
    )  # fmt: skip
    recipe = planned.recipe(load_task(setting.task), works._open("phantom"))
    return Job("resunet-own", recipe.method, recipe)


def done(job, setting, stopping=lambda: False):
    """Do a job: its last news, and all that was told before."""
    told = []
    return work(job, setting, told.append, stopping), told


def test_a_job_tells_its_log_and_ends_done_and_again_without_training(setting, job):
    last, told = done(job, setting)
    assert (last.state, last.reason, last.where) == ("done", None, "cpu"), last
    assert [news.record.step for news in told if news.record][-1] == 3
    assert read_result(setting.runs / job.name / "result.json").status == "done"
    last, told = done(job, setting)
    assert last.state == "done"
    assert not [news for news in told if news.record]


def test_a_stopped_job_waits_with_a_checkpoint(setting, job):
    last, _ = done(job, setting, stopping=lambda: True)
    assert last.state == "waiting"
    assert (setting.runs / job.name / "checkpoint.pt").exists()
    assert done(job, setting)[0].state == "done"


def test_a_job_in_a_folder_that_another_holds_waits(setting, job):
    with lock.alone(setting.runs / job.name):
        last, _ = done(job, replace(setting, track=("tensorboard",)))
    assert last.state == "waiting"
    assert "in use by another denoisebench" in last.reason
    assert not (setting.runs / job.name / "tensorboard").exists()
    assert str(setting.runs) not in last.reason


def test_the_row_of_a_run_that_failed_goes_when_it_is_tried_again_and_not_while_it_is_held(
    setting, job
):
    folder = setting.runs / job.name
    assert done(job, setting)[0].state == "done"
    row = folder / "result.json"
    result = read_result(row)
    for path in folder.iterdir():
        path.unlink()
    result.model_copy(update={"status": "failed", "metrics": {}, "reason": "memory"}).write(row)
    with lock.alone(folder):
        assert done(job, setting)[0].state == "waiting"
        assert row.exists()
    assert done(job, setting, stopping=lambda: True)[0].state == "waiting"
    assert (folder / "checkpoint.pt").exists()
    assert not row.exists()


@pytest.mark.parametrize(("change", "told"), [
    ({"data_digest": "0" * 64}, "another pixels digest"),
    ({"split_digest": "0" * 64}, "another split digest"),
    ({"device": "tpu"}, "no device named 'tpu'"),
    ({"task": "nothing"}, "no task named 'nothing'"),
    ({"plugins": ()}, "no loss named 'own'"),
])  # fmt: skip
def test_what_is_not_as_the_sweep_says_fails_with_a_reason(setting, job, change, told):
    last, _ = done(job, replace(setting, **change))
    assert last.state == "failed"
    assert told in last.reason
    assert not (setting.runs / job.name).exists()


def test_a_plugin_that_was_edited_since_is_not_trained_under_the_old_name(setting, job):
    (plugin,) = setting.plugins
    plugin.write_text(PLUGIN.replace(".mean()", ".sum()"))
    last, _ = done(job, setting)
    assert (last.state, last.reason) == (
        "failed", "the loss own was edited since; run the sweep again",
    )  # fmt: skip


def test_a_baseline_is_a_job_and_stops_between_slices(setting):
    assert done(Job("noisy-x", "noisy", baseline="noisy"), setting)[0].state == "done"
    other = Job("median-x", "tv", baseline="tv")
    last, _ = done(other, setting, stopping=lambda: True)
    assert last.state == "waiting"


def test_a_reason_is_one_line_without_paths_uids_and_names_of_the_machine(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ward-seven")
    monkeypatch.setenv("LOGNAME", "jane.doe")
    monkeypatch.setattr(socket, "gethostname", lambda: "reading-room-7.clinic")  # a stand-in
    told = "no /home/ward-seven/ct/x.dcm\nfor jane.doe at Reading-Room-7 of 1.2.840.113619.2.55"
    assert reason_of(ValueError(told)) == "ValueError: no … for … at … of …"
    assert reason_of(UsageError(told)) == "no … for … at … of …"
    long = reason_of(ValueError("long " * 100))
    assert len(long) == len("ValueError: ") + works.LONGEST_REASON


def test_a_reason_says_what_to_do_where_that_is_known():
    assert "smaller --batch" in reason_of(torch.OutOfMemoryError("CUDA out of memory. Tried …"))
    assert "smaller --batch" in reason_of(MemoryError())
    assert "smaller --batch" in reason_of(RuntimeError("[enforce fail] can't allocate memory: …"))
    assert reason_of(UsageError("use --patch 64")) == "use --patch 64"
    assert reason_of(RuntimeError()) == "RuntimeError"


def test_ctrl_c_is_no_news_of_a_job(setting, job):
    def interrupt(news):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(job, setting, interrupt, lambda: False)
