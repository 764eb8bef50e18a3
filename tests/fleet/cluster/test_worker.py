"""What a worker says of its job, and what its driver takes from it."""

import pytest

from denoisebench.errors import UsageError
from denoisebench.fleet.cluster import executor
from denoisebench.fleet.cluster.freight import pack
from denoisebench.fleet.cluster.worker import Worker, _refuse_misfit
from denoisebench.fleet.job import News
from denoisebench.scoring import denoisers
from denoisebench.training.log import Record


def test_each_line_and_each_note_is_heard_and_of_what_it_does_the_last():
    record = Record(1, 0.5, 1.0, 1e-3, 10.0, {"l1": 0.5}, None)
    told = [
        News("a", "running", doing="opening data"),
        News("a", "running", note="not compiled"),
        News("a", "running", doing="validating"),
        News("a", "running", record=record),
        News("a", "running", doing="scoring, 1 of 2"),
        News("a", "running", doing="scoring, 2 of 2"),
    ]
    worker = Worker()
    for news in told:
        worker._tell(news)
    assert worker.hear(0) == [told[1], told[3], told[5]]
    assert worker.hear(0) == []


def test_a_machine_that_lacks_a_tracker_lacks_what_a_training_needs(stage, tmp_path):
    setting = stage.setting(tmp_path / "runs", track=("nowhere_at_all:Tracker",))
    training, baseline = pack([stage.job(), stage.baseline()], setting, "")
    with pytest.raises(UsageError, match="a node cannot track with nowhere_at_all:Tracker"):
        _refuse_misfit(training, setting)
    _refuse_misfit(baseline, setting)


@pytest.mark.parametrize(
    ("error", "told"),
    [(ValueError("no such thing"), ["failed"]), (executor._Dropped(), [])],
)
def test_whatever_goes_wrong_with_a_job_is_its_news_and_a_sweep_that_ends_has_none(
    stage, tmp_path, monkeypatch, error, told
):
    def fail(sweep, freight):
        raise error

    monkeypatch.setattr(executor, "_attempt", fail)
    setting = stage.setting(tmp_path / "runs")
    sweep = executor._Sweep(setting, at_once=1, gpu=False, home_seconds=1.0)
    (freight,) = pack([stage.job()], setting, "")
    executor._see_to(sweep, freight)
    assert [sweep.news.get_nowait().state for _ in range(sweep.news.qsize())] == told


def test_a_machine_with_another_release_behind_a_baseline_leaves_it(stage, tmp_path, monkeypatch):
    """It would score into a folder of another name, of which nothing came home."""
    setting = stage.setting(tmp_path / "runs")
    (baseline,) = pack([stage.baseline()], setting, "")
    _refuse_misfit(baseline, setting)
    monkeypatch.setattr(denoisers, "release", lambda part: "99")
    with pytest.raises(UsageError, match="a node has another noisy, or another release"):
        _refuse_misfit(baseline, setting)
