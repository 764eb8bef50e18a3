"""A cluster of machines that share no disk: what is lost with one of them, and what is not."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from small_jobs import Stage
from two_nodes import TwoNodes, until

from denoisebench.fleet.cluster import freight
from denoisebench.fleet.cluster.executor import on_ray
from denoisebench.fleet.cluster.freight import FILES, SCRATCH
from denoisebench.fleet.job import Job
from denoisebench.fleet.work import work
from denoisebench.training import log

pytestmark = pytest.mark.xdist_group("ray")

DRIVER = Path(__file__).with_name("small_jobs.py")


def rising(steps: list[int]) -> bool:
    """Without gap or repeat."""
    return steps == list(range(steps[0], steps[0] + len(steps)))


def sweep(nodes: TwoNodes, jobs: list[Job], stage: Stage, runs: Path, **asked) -> None:
    """Do jobs on the two nodes; checkpoints come home often."""
    execute = on_ray(nodes.address, 2, home_seconds=0.3)
    asked = {"tell": stage.tell, "stopping": lambda: False} | asked
    execute(jobs, stage.setting(runs), **asked)


def scratch_of(nodes: TwoNodes) -> set[Path]:
    """What processes have written on the nodes."""
    places = [nodes.scratch(name) for name in ("first", "other")]
    return {folder for place in places for folder in place.glob(f"{SCRATCH}*")}


def test_runs_on_a_node_that_dies_go_on_elsewhere_from_what_came_home(
    stage, own_runs, nodes, capfd, monkeypatch
):
    monkeypatch.setattr(freight, "HOME_SHARE", 1.0)  # checkpoints come home often, at any load
    jobs = [stage.job(seed=seed, steps=300) for seed in (0, 1)]
    folders = [own_runs / job.name for job in jobs]

    def well_under_way() -> bool:
        there = {process.pid for process in nodes.processes(nodes.other)}
        return any(
            there & set(stage.workers(job))
            and len(log.read(own_runs / job.name / "log.jsonl")) >= 2
            for job in jobs
        )

    def kill() -> None:
        until(well_under_way)
        nodes.kill(nodes.other)

    killer = threading.Thread(target=kill)
    killer.start()
    sweep(nodes, jobs, stage, own_runs)
    killer.join()
    nodes.other = nodes.add("other")

    assert [stage.last(job).state for job in jobs] == ["done", "done"], stage.heard
    reasons = {news.reason for news in stage.heard if news.state == "waiting"}
    lost = {f"its {what} died; it goes on elsewhere" for what in ("process", "machine")}
    assert reasons  # more than one where a job was given to the dead node again
    assert reasons <= lost
    (undisturbed,), (first, second) = sorted((stage.sessions(job) for job in jobs), key=len)
    assert undisturbed == list(range(300))
    assert rising(first)
    assert rising(second)
    assert first[0] == 0 < second[0] <= first[-1] + 1
    assert second[-1] == 299
    for folder in folders:
        steps = [record.step for record in log.read(folder / "log.jsonl")]
        assert steps == sorted(set(steps))
        assert set(range(30, 301, 30)) <= set(steps)  # where it was validated
        assert set(FILES) - {"best.safetensors"} <= {path.name for path in folder.iterdir()}
    out, err = capfd.readouterr()
    assert out == ""
    assert "Traceback" not in err

    (moved,) = (job for job in jobs if len(stage.sessions(job)) == 2)
    alone = own_runs.parent / "alone"
    work(moved, stage.setting(alone, "cpu"), lambda news: None, lambda: False)
    ours, undisturbed = (
        (runs / moved.name / "model.safetensors").read_bytes() for runs in (own_runs, alone)
    )
    assert ours == undisturbed


def test_a_sweep_that_is_stopped_leaves_checkpoints_at_home_and_goes_on_without_a_repeat(
    stage, own_runs, nodes
):
    job = stage.job(steps=120)
    litter = scratch_of(nodes)

    def stopping() -> bool:
        return any(news.record and news.record.step > 20 for news in stage.heard)

    stage.fail(job, own_runs)
    sweep(nodes, [job], stage, own_runs, stopping=stopping)
    assert stage.last(job).state == "waiting"
    assert not (own_runs / job.name / "result.json").exists()

    stage.heard.clear()
    sweep(nodes, [job], stage, own_runs)
    assert stage.last(job).state == "done"
    first, second = stage.sessions(job)
    assert first + second == list(range(120))
    assert scratch_of(nodes) <= litter  # what a killed one left goes when the next comes there


def test_jobs_of_a_driver_that_was_killed_end_and_the_next_goes_on(stage, own_runs, nodes):
    job = stage.job(steps=300)
    place = stage.plugins.parent
    words = [place, stage.data, nodes.address, "/proc/self/cwd/runs", 300]
    driver = subprocess.Popen([sys.executable, "-P", DRIVER, *map(str, words)], cwd=Path.cwd())
    until((Path.cwd() / "runs" / job.name / "checkpoint.pt").exists)
    worker = psutil.Process(int(stage.ledger.read_text().split()[0]))
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    worker.wait(180)  # Ray ends the workers of a driver that is gone

    sweep(nodes, [job], stage, own_runs)
    assert stage.last(job).state == "done"
    first, second = stage.sessions(job)
    assert rising(first)
    assert second == list(range(second[0], 300))
    assert 0 < second[0] <= first[-1] + 1


@pytest.mark.slow
def test_nodes_without_the_data_or_denoisebench_are_left_alone(stage, own_runs, nodes):
    jobs = [stage.job(seed=seed, steps=10) for seed in range(4)]
    bare = nodes.add("bare", DENOISEBENCH_HOME=str(nodes.scratch("nothing")))
    (nodes.scratch("nothing") / "denoisebench.py").write_text("")
    broken = nodes.add("broken", PYTHONPATH=str(nodes.scratch("nothing")))
    setting = stage.setting(own_runs, data=stage.dataset.name)  # prepared in the others' cache
    on_ray(nodes.address, 4)(jobs, setting, tell=stage.tell, stopping=lambda: False)
    for node in (bare, broken):
        nodes.kill(node)

    assert [stage.last(job).state for job in jobs] == ["done"] * 4, stage.heard
    reasons = sorted(news.reason for news in stage.heard if news.state == "waiting")
    # A job that was under way to a node when another found out may find out too.
    assert {reason[:19] for reason in reasons} == {"a node cannot begin", "a node lacks the da"}
    assert all((own_runs / job.name / "result.json").exists() for job in jobs)


@pytest.mark.slow
def test_where_no_node_has_the_data_the_job_fails_and_says_what_to_do(stage, own_runs, nodes):
    job = stage.job()
    execute = on_ray(nodes.address, 1)
    other = stage.setting(own_runs, data_digest="0" * 64)
    execute([job], other, tell=stage.tell, stopping=lambda: False)
    assert stage.last(job).state == "failed"
    assert "give this machine the same data" in stage.last(job).reason
