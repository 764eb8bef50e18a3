"""A run that was killed and resumed is one run to a tracker, which shows what the log holds."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from read_back import Curves, logged, tensorboard_curves, wandb_curves
from small_bench import make_recipe

from denoisebench.scoring.run import run_folder, run_network
from denoisebench.tracking import open_trackers
from denoisebench.tracking.values import curves

SCRIPT = Path(__file__).with_name("killed_once.py")


def expected(folder: Path, exact: bool) -> Curves:
    found: Curves = {}
    for record in logged(folder):
        for tag, value in curves(record).items():
            # an event file holds float32
            kept = value if exact else float(np.float32(value))
            found.setdefault(tag, []).append((record.step, kept))
    return found


def training_curves(folder: Path) -> Curves:
    found = tensorboard_curves(folder).items()
    return {tag: points for tag, points in found if not tag.startswith("test/")}


def test_a_killed_and_resumed_run_is_told_without_gap_or_repeat(tmp_path):
    """The log had lines to step 14, the checkpoint stood at 7: 8 to 14 come twice."""
    if not hasattr(os, "fork"):
        pytest.skip("sessions are forked")
    good, broken = tmp_path / "good", tmp_path / "broken"
    good.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DENOISEBENCH_HOME": str(tmp_path)}
    command = [sys.executable, SCRIPT, good, broken]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    (folder,) = good.glob("runs/tiny-*")
    assert [record.step for record in logged(folder)] == list(range(2, 21, 2))
    assert training_curves(folder) == expected(folder, exact=False)
    assert wandb_curves(folder) == expected(folder, exact=True)
    assert len(list(folder.glob("tensorboard/*"))) == 1
    assert len(list(folder.glob("wandb/*"))) == 1

    # the same check sees a session that tells its own lines only
    (folder,) = broken.glob("runs/tiny-*")
    assert training_curves(folder) != expected(folder, exact=False)
    assert wandb_curves(folder) != expected(folder, exact=True)


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_run_that_is_done_already_can_still_be_told(bench, recipe, name):
    folder = run_folder(bench, recipe)
    run_network(bench, recipe, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for _ in range(2):
        with open_trackers([name], recipe, folder, note=pytest.fail) as trackers:
            trackers.finish(run_network(bench, recipe, folder, report=trackers.report))
        found = {"tensorboard": training_curves, "wandb": wandb_curves}[name](folder)
        assert found == expected(folder, exact=name == "wandb")
    assert before == {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_another_recipe_is_another_run(bench, recipe):
    other = make_recipe(bench, loss="l1")
    for each in (recipe, other):
        folder = run_folder(bench, each)
        with open_trackers(["wandb"], each, folder, note=pytest.fail) as trackers:
            trackers.finish(run_network(bench, each, folder, report=trackers.report))
        assert wandb_curves(folder) == expected(folder, exact=True)
