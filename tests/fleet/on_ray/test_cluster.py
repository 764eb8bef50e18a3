"""A cluster of machines that share no disk: what is lost with one of them, and what is not."""

import threading

from conftest import until

from denoisebench.fleet.freight import FILES
from denoisebench.fleet.ray_executor import on_ray
from denoisebench.fleet.work import work
from denoisebench.training import log


def rising(steps: list[int]) -> bool:
    """Without gap or repeat."""
    return steps == list(range(steps[0], steps[0] + len(steps)))


def test_runs_on_a_node_that_dies_go_on_elsewhere_from_what_came_home(stage, own_runs, nodes):
    jobs = [stage.job(seed=seed, steps=150) for seed in (0, 1)]
    folders = [own_runs / job.name for job in jobs]

    def kill() -> None:
        until(lambda: all((folder / "checkpoint.pt").exists() for folder in folders))
        nodes.kill(nodes.other)

    killer = threading.Thread(target=kill)
    killer.start()
    execute = on_ray(nodes.address, 2, home_seconds=0.3)
    execute(jobs, stage.setting(own_runs), tell=stage.tell, stopping=lambda: False)
    killer.join()
    nodes.other = nodes.add("other")

    assert [stage.last(job).state for job in jobs] == ["done", "done"], stage.heard
    sessions = sorted((stage.sessions(job) for job in jobs), key=len)
    assert [len(each) for each in sessions] == [1, 2]
    (undisturbed,), (first, second) = sessions
    assert undisturbed == list(range(150))
    assert first[0] == 0 < second[0] <= first[-1] + 1
    assert second[-1] == 149
    assert rising(first)
    assert rising(second)
    for job, folder in zip(jobs, folders, strict=True):
        steps = [record.step for record in log.read(folder / "log.jsonl")]
        assert steps == sorted(set(steps))
        assert steps[-1] == 150
        assert set(FILES) - {"best.safetensors"} <= {path.name for path in folder.iterdir()}
        assert "waiting" in {news.state for news in stage.heard}

    (moved,) = (job for job in jobs if len(stage.sessions(job)) == 2)
    alone = own_runs.parent / "alone"
    work(moved, stage.setting(alone, "cpu"), lambda news: None, lambda: False)
    weights = "model.safetensors"
    assert (own_runs / moved.name / weights).read_bytes() == (
        alone / moved.name / weights
    ).read_bytes()
