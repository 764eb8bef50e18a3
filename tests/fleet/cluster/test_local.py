"""Ray on this machine alone: `--jobs N`."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from two_nodes import until

from denoisebench.errors import Unavailable, UsageError
from denoisebench.fleet.cluster import executor, freight
from denoisebench.fleet.cluster.executor import on_ray
from denoisebench.fleet.cluster.freight import TOKEN
from denoisebench.scoring.result import read_result

pytestmark = pytest.mark.xdist_group("ray")  # two at a time would wait for each other's cores

DRIVER = Path(__file__).with_name("small_jobs.py")


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="no test runs beside it")
def test_tests_with_ray_run_one_after_the_other(request):
    assert request.node.nodeid.endswith("@ray")


def no_telling(news):
    raise AssertionError(news)


def test_jobs_end_in_the_runs_folder_and_one_that_fails_or_dies_costs_no_other(
    stage, tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(executor, "RETRIES", 1)  # each takes seconds
    litter = tmp_path / "litter"
    litter.mkdir()
    (litter / "torch.py").write_text(f"open({str(litter / 'imported')!r}, 'w')")
    monkeypatch.chdir(litter)
    runs = tmp_path / "runs"
    good, baseline = stage.job(seed=1, steps=30), stage.baseline()
    broken, deadly = stage.job("broken"), stage.job("deadly")
    handler = signal.getsignal(signal.SIGTERM)
    jobs = [deadly, broken, good, baseline]
    on_ray(None, 2)(jobs, stage.setting(runs), tell=stage.tell, stopping=lambda: False)

    states = [stage.last(job).state for job in jobs]
    assert states == ["failed", "failed", "done", "done"], stage.heard
    assert stage.last(deadly).reason == "its worker was lost 2 times; at last, its process died"
    assert stage.last(broken).reason.startswith("RuntimeError: as it was made to (mine.py, line ")
    words = [line.split()[1] for line in stage.ledger.read_text().splitlines()]
    assert (words.count("deadly"), words.count("broken")) == (2, 1)
    for job in (good, baseline):
        assert read_result(runs / job.name / "result.json").status == "done"

    assert not (litter / "imported").exists()
    assert not list(runs.glob(f"{TOKEN}*"))
    assert signal.getsignal(signal.SIGTERM) is handler
    out, err = capfd.readouterr()
    assert out == ""
    assert "Traceback" not in err


def test_a_job_that_no_machine_can_do_leaves_the_machines_to_the_others(
    stage, tmp_path, monkeypatch
):
    lacking, good = stage.job(seed=0), stage.job(seed=1, steps=10)

    def pack(jobs, setting, token):
        packed = freight.pack(jobs, setting, token)
        return [replace(packed[0], weights=("nowhere",)), *packed[1:]]

    monkeypatch.setattr(executor, "pack", pack)  # else weights that are here would be needed
    jobs = [lacking, good]
    setting = stage.setting(tmp_path / "runs")
    on_ray(None, 1)(jobs, setting, tell=stage.tell, stopping=lambda: False)
    assert stage.last(lacking).state == "failed"
    assert "a node lacks the weights nowhere" in stage.last(lacking).reason
    assert stage.last(good).state == "done", stage.heard


def test_the_torch_that_lies_there_would_have_been_imported(tmp_path):
    (tmp_path / "torch.py").write_text("open('imported', 'w')")
    subprocess.run([sys.executable, "-c", "import torch"], cwd=tmp_path, check=True)
    assert (tmp_path / "imported").exists()


@pytest.mark.slow
def test_a_driver_that_is_killed_takes_ray_and_its_workers_along(stage, tmp_path):
    words = [stage.plugins.parent, stage.data, "here", tmp_path / "runs", 1000]
    driver = psutil.Popen([sys.executable, "-P", DRIVER, *map(str, words)])
    until(stage.ledger.exists)
    processes = driver.children(recursive=True)
    worker = psutil.Process(int(stage.ledger.read_text().split()[0]))
    assert worker in processes
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    _, alive = psutil.wait_procs(processes, 30)
    # Ray's two agents of a node try for a minute to report its death.
    assert {process.name()[-5:] for process in alive} <= {"Agent"}, alive
    for process in alive:
        process.kill()


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("127.0.0.1:1", Unavailable, "no Ray cluster answers at 127.0.0.1:1"),
        ("nowhere.invalid:6379", Unavailable, "no Ray cluster answers at nowhere.invalid:6379"),
        ("127.0.0.1", UsageError, "give host:port"),
        ("ray://127.0.0.1:10001", UsageError, "give host:port"),
        ("127.0.0.1:999999", Unavailable, "no Ray cluster answers"),
    ],
)
def test_an_address_where_nobody_answers_is_refused_in_a_line(
    stage, tmp_path, address, error, words
):
    began = time.monotonic()
    with pytest.raises(error, match=words) as raised:
        on_ray(address, 1)([], stage.setting(tmp_path), tell=no_telling, stopping=lambda: False)
    assert "\n" not in str(raised.value)
    if "invalid" not in address:  # how soon a name is known to be none is up to the network
        assert time.monotonic() - began < 10


@pytest.mark.parametrize(("device", "words"), [("cuda:1", "use --device cuda"), ("tpu", "use cpu")])
def test_a_device_that_is_not_rays_to_give_is_refused(stage, tmp_path, device, words):
    with pytest.raises(UsageError, match=words):
        on_ray(None, 1)(
            [], stage.setting(tmp_path, device), tell=no_telling, stopping=lambda: False
        )
