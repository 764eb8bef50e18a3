"""Only a plug-in that the user names is ever imported."""

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from denoisebench.workers import Spawning

TRAP = "open({mark!r}, 'w').close()\n"


def test_no_module_in_the_folders_of_data_runs_and_work_is_imported(journey):
    """Of 230 modules, of Python's names and of ours; among the commands are all that start others.

    What a submission holds is run by `verify` alone, in a confined process, and where it is named.
    """
    assert journey.marks == []


POOL = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from denoisebench.workers import Spawning
with ProcessPoolExecutor(1, {context}) as pool:
    pool.submit(abs, -1).result()
"""


@pytest.mark.parametrize(
    ("context", "run"), [("Spawning()", False), ("get_context('spawn')", True)]
)
def test_a_worker_does_not_look_into_the_current_folder(tmp_path, context, run):
    """The control is Python's own way: its workers do import what lies there."""
    mark = tmp_path / "mark"
    (tmp_path / "multiprocessing.py").write_text(TRAP.format(mark=str(mark)))
    subprocess.run(
        [sys.executable, "-P", "-c", POOL.format(context=context)],
        cwd=tmp_path, capture_output=True, check=not run, timeout=60,
    )  # fmt: skip
    assert mark.exists() == run


def test_the_environment_is_as_before_and_workers_work(monkeypatch):
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with ProcessPoolExecutor(1, Spawning()) as pool:
        assert pool.submit(abs, -1).result() == 1
    import os

    assert "PYTHONSAFEPATH" not in os.environ
    assert get_context("spawn").get_start_method() == "spawn"


def test_started_by_m_the_current_folder_is_no_library(tmp_path):
    """`python -m` itself looks there first, before any line of ours: `python -P -m` does not."""
    mark = tmp_path / "mark"
    for name in ("torch", "numpy", "pydicom", "rich", "rich_click", "click", "l1", "conftest"):
        (tmp_path / f"{name}.py").write_text(TRAP.format(mark=str(mark)))
    command = [sys.executable, "-m", "denoisebench", "info", "l1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not mark.exists()


def test_pip_is_asked_from_no_folder_of_the_users(tmp_path, monkeypatch):
    from denoisebench.scoring.weights.package_index import pip_settings

    (tmp_path / "pip.py").write_text(TRAP.format(mark=str(tmp_path / "mark")))
    monkeypatch.chdir(tmp_path)
    pip_settings()
    assert not (tmp_path / "mark").exists()
    told = subprocess.run([sys.executable, "-m", "pip"], capture_output=True, check=False)
    assert told.returncode == 0  # the control: without -P
    assert Path("mark").exists()
