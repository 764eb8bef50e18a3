"""Ray on this machine alone: `--jobs N`."""

import signal

from denoisebench.fleet.freight import TOKEN
from denoisebench.fleet.ray_executor import on_ray
from denoisebench.scoring.result import read_result


def test_jobs_end_in_the_runs_folder_and_nothing_is_left(stage, tmp_path):
    runs = tmp_path / "runs"
    jobs = [stage.job(seed=1, steps=30), stage.job("broken"), stage.baseline()]
    handler = signal.getsignal(signal.SIGTERM)
    on_ray(None, 2)(jobs, stage.setting(runs), tell=stage.tell, stopping=lambda: False)

    assert [stage.last(job).state for job in jobs] == ["done", "failed", "done"], stage.heard
    for job in (jobs[0], jobs[2]):
        assert read_result(runs / job.name / "result.json").status == "done"
    assert signal.getsignal(signal.SIGTERM) is handler
    assert not (runs / TOKEN).exists()
