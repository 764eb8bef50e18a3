"""`denoisebench sweep` in one process: what is run, skipped, failed, printed."""

import json
import re
import sys
from pathlib import Path

import pytest

FAILING = '''
"""Losses that fail, until somebody mends them."""

import os

from denoisebench import loss


@loss("failing")
def failing(output, target):
    """Fails at the second step, and tells what nobody should hear."""
    failing.called = getattr(failing, "called", 0) + 1
    if failing.called == 2 and "MENDED" not in os.environ:
        if "EXIT" in os.environ:
            raise SystemExit("away")
        raise ValueError(f"cannot read {os.environ['SECRET']}/x.dcm of 1.2.840.113619.2.55.3")
    return (output - target).abs().mean()
'''


@pytest.fixture
def failing(tmp_path, monkeypatch):
    path = tmp_path / "failing_loss.py"
    path.write_text(FAILING)
    monkeypatch.setenv("SECRET", str(tmp_path))
    return path


@pytest.fixture
def sweep(denoisebench, plugin, tiny_ct, tiny_task):
    """Run `denoisebench sweep` on the tiny data with eight steps a run."""
    words = ["--plugin", plugin, "--task", tiny_task, "--data", tiny_ct]

    def call(*more):
        budget = () if str(more[0]).endswith(".toml") else ("--steps", 8, "--batch", 2)
        return denoisebench("sweep", *more, *budget, *words)

    return call


GRID = ("--gen", "tiny,tiny(width=4)", "--loss", "l1,my_loss", "--seed", "0..1", "--patch", 32)


def logs(folder):
    return {path.parent.name: path.read_bytes() for path in folder.glob("runs/*/log.jsonl")}


def test_a_grid_is_trained_once_and_stands_on_one_board(sweep, tmp_path):
    first = sweep(*GRID, "--json")
    assert first.code == 0, first.err
    rows = json.loads(first.out)["rows"]
    assert {row["method"]: tuple(row["seeds"]) for row in rows} == {
        "noisy": (),
        "tiny · l1": (0, 1),
        "tiny · my_loss": (0, 1),
        "tiny(width=4) · l1": (0, 1),
        "tiny(width=4) · my_loss": (0, 1),
    }
    assert first.err.splitlines()[-1].startswith("9 runs: 9 done · ")

    trained = logs(tmp_path / "here")
    assert len(trained) == 8
    again = sweep(*GRID, "--json")
    assert (again.code, json.loads(again.out)["rows"]) == (0, rows)
    assert "9 of 9 runs are over already, and skipped" in again.err
    assert logs(tmp_path / "here") == trained


def test_a_run_has_the_weights_that_it_would_have_alone(
    sweep, denoisebench, plugin, tiny_ct, tiny_task, tmp_path
):
    assert sweep("--gen", "tiny(width=4),tiny", "--loss", "l1", "--patch", 32).code == 0
    words = ("--gen", "tiny", "--loss", "l1", "--patch", 32, "--steps", 8, "--batch", 2, "--plugin",
             plugin, "--task", tiny_task, "--data", tiny_ct)  # fmt: skip
    assert denoisebench("run", *words, "--out", "alone").code == 0
    (alone,) = (tmp_path / "here/alone").glob("tiny-*/model.safetensors")
    beside = tmp_path / "here/runs" / alone.parent.name / alone.name
    assert beside.read_bytes() == alone.read_bytes()


def test_a_larger_grid_adds_what_is_missing(sweep, tmp_path):
    assert sweep("--gen", "tiny", "--loss", "l1", "--patch", 32).code == 0
    before = logs(tmp_path / "here")
    answer = sweep("--gen", "tiny", "--loss", "l1,mse", "--patch", 32, "--dry-run", "--json")
    jobs = json.loads(answer.out)
    assert [(job["method"], job["state"]) for job in jobs] == [
        ("noisy", "done"), ("tiny · l1", "done"), ("tiny · mse", "to do"),
    ]  # fmt: skip
    assert logs(tmp_path / "here") == before  # it only says so
    assert sweep("--gen", "tiny", "--loss", "l1,mse", "--patch", 32).code == 0
    after = logs(tmp_path / "here")
    assert before.items() < after.items()


def test_a_plugin_that_fails_leaves_a_row_and_costs_no_other(
    sweep, denoisebench, failing, monkeypatch, tmp_path
):
    grid = ("--gen", "tiny", "--loss", "failing,l1", "--patch", 32, "--plugin", failing)
    answer = sweep(*grid)
    assert answer.code == 1
    *_, failure, totals = answer.err.splitlines()
    reason = "ValueError: cannot read … of … (failing_loss.py, line 16)"
    assert failure == f"tiny · failing, seed 0: failed, {reason}"
    assert totals.startswith("3 runs: 2 done, 1 failed · ")
    for board in (answer.out, denoisebench("leaderboard").out):
        assert re.search(r"^failed +tiny · failing ", board, re.MULTILINE), board
        assert f"tiny · failing: failed, {reason}" in board
    rows = json.loads(denoisebench("leaderboard", "--format", "json").out)["rows"]
    assert [(row["method"], row["rank"], row["status"]) for row in rows] == [
        ("tiny · l1", 1, "done"), ("noisy", 2, "done"), ("tiny · failing", None, "failed"),
    ]  # fmt: skip
    assert str(tmp_path) not in answer.out + answer.err.replace(str(tmp_path / "home"), "")

    plan = json.loads(sweep(*grid, "--dry-run", "--json").out)
    assert [job["state"] for job in plan] == ["done", "failed", "done"]
    monkeypatch.setenv("MENDED", "yes")  # the reason was not in the recipe, and it is gone
    before = logs(tmp_path / "here")
    answer = sweep(*grid)
    assert answer.code == 0, answer.err
    assert "failed" not in answer.out
    assert "2 of 3 runs are over already" in answer.err
    after = logs(tmp_path / "here")
    assert {name for name in after if before.get(name) != after[name]} <= set(after) - {
        name for name in before if "l1" in name
    }


def test_a_plugin_that_ends_python_ends_its_run_alone(sweep, failing, monkeypatch):
    monkeypatch.setenv("EXIT", "yes")
    answer = sweep("--gen", "tiny", "--loss", "failing,l1", "--patch", 32, "--plugin", failing)
    assert answer.code == 1
    assert "failed, SystemExit: away (failing_loss.py, line 15)" in answer.err
    assert answer.err.splitlines()[-1].startswith("3 runs: 2 done, 1 failed")


def test_run_tries_what_failed_in_a_sweep_again(sweep, denoisebench, failing, plugin, tiny_ct,
                                                tiny_task, monkeypatch):  # fmt: skip
    grid = ("--gen", "tiny", "--loss", "failing", "--patch", 32, "--plugin", failing)
    assert sweep(*grid).code == 1
    monkeypatch.setenv("MENDED", "yes")
    answer = denoisebench("run", *grid, "--steps", 8, "--batch", 2, "--plugin", plugin, "--task",
                          tiny_task, "--data", tiny_ct)  # fmt: skip
    assert answer.code == 0, answer.err


def test_a_run_that_diverges_is_told_and_not_tried_again(sweep, tmp_path):
    grid = ("--gen", "tiny", "--loss", "nan_loss,l1", "--patch", 32)
    answer = sweep(*grid)
    assert answer.code == 1
    assert re.search(r"^diverged +tiny · nan_loss ", answer.out, re.MULTILINE)
    told = "tiny · nan_loss, seed 0: diverged, nan_loss is nan at step 1"
    assert told in answer.err.splitlines()
    (written,) = (tmp_path / "here/runs").glob("tiny-nan_loss-*/result.json")
    before = written.stat().st_mtime_ns
    again = sweep(*grid)
    assert again.code == 1
    assert "3 of 3 runs are over already, and skipped" in again.err
    assert told in again.err.splitlines()
    assert written.stat().st_mtime_ns == before


def test_a_file_says_the_same(sweep, tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(
        """
        patch = 32
        batch = 2
        steps = 8

        [[grid]]
        gen = "tiny"
        loss = ["l1"]
        seed = "0..1"

        [[grid]]
        gen = "tiny(width=4)"
        loss = ["cgan + l1"]
        disc = "patch3(width=4)"
        twin = true
        """
    )
    plan = json.loads(sweep(path, "--dry-run", "--json").out)
    assert [(job["method"], job["seed"]) for job in plan] == [
        ("noisy", None),
        ("tiny · l1", 0),
        ("tiny(width=4) · l1", 0),
        ("tiny(width=4) · cgan + 100*l1", 0),
        ("tiny · l1", 1),
    ]
    answer = sweep(path)
    assert answer.code == 0, answer.err
    assert "tiny(width=4) · cgan + 100*l1" in answer.out
    wrong = sweep(path, "--gen", "tiny")
    assert (wrong.code, wrong.out) == (2, "")
    assert "says what is run; leave out --gen" in wrong.err


def test_the_example_of_the_docs_is_a_sweep(sweep, tmp_path):
    page = Path(__file__).parents[2] / "docs/sweep.md"
    (example,) = re.findall(
        r"^```toml\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    (tmp_path / "study.toml").write_text(example)
    answer = sweep(tmp_path / "study.toml", "--dry-run", "--json")
    assert answer.code == 0, answer.err
    jobs = json.loads(answer.out)
    assert [job["method"] for job in jobs[:2]] == ["noisy", "nlm"]
    assert len(jobs) == 2 + 2 * 2 * 2 * 3 + 3  # with twins and three seeds; three rates of one seed
    assert {job["steps"] for job in jobs if "dncnn" in job["method"]} == {20_000}


def test_a_dry_run_says_where_an_unfinished_run_stands_and_what_is_left(sweep, tmp_path):
    grid = ("--gen", "tiny", "--loss", "l1", "--patch", 32)
    assert sweep(*grid).code == 0
    (result,) = (tmp_path / "here/runs").glob("tiny-*/result.json")
    result.unlink()
    answer = sweep(*grid, "--dry-run")
    assert answer.code == 0
    assert re.search(r"tiny · l1 +0 +8 steps +unfinished at step 8 ", answer.out)
    assert "2 runs, 1 to do; training in all: 8 steps" in answer.out


def test_what_comes_to_one_recipe_is_one_run(sweep):
    grid = ("--gen", "tiny", "--loss", "l1,cgan+l1,cgan + 100*l1", "--twin", "--baseline", "noisy")
    plan = json.loads(sweep(*grid, "--patch", 32, "--dry-run", "--json").out)
    assert [job["method"] for job in plan] == ["noisy", "tiny · l1", "tiny · cgan + 100*l1"]


MISTAKES = {
    "nothing to sweep over": (),
    "no loss named 'l11'; nearest: l1": ("--loss", "l1,l11"),
    "no generator named 'resunett'; nearest: resunet": ("--gen", "resunett", "--seed", "0..2"),
    "no baseline named 'bm3": ("--baseline", "bm33"),
    "'a' is no seed": ("--seed", "a"),
    "'2..0' is empty": ("--seed", "2..0"),
    "'--jobs'": ("--jobs", 0),
    "has nothing to do": ("--loss", "l1", "--disc", "patch3"),
    "one budget": ("--loss", "l1", "--steps", 2, "--minutes", 1),
    "greater than or equal to 1": ("--loss", "l1", "--steps", 0),
    "batch.0": ("--loss", "l1", "--batch", "x"),
    "no task named": ("--loss", "l1", "--task", "x"),
    "no device named 'tpu'": ("--loss", "l1", "--device", "tpu"),
    "use --device cuda, and": ("--loss", "l1", "--device", "cuda:1", "--jobs", 2),
    "give host:port": ("--loss", "l1", "--ray", "nonsense"),
    "cannot read nowhere.toml": ("nowhere.toml",),
    "no tracker named 'tensorbord'; nearest": ("--loss", "l1", "--track", "tensorbord"),
}


@pytest.mark.parametrize("told", MISTAKES)
def test_a_mistake_is_one_line_before_data_are_read(denoisebench, told):
    answer = denoisebench("sweep", *MISTAKES[told], "--data", "nowhere")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer.err
    assert told in answer.err
    assert "nowhere'" not in answer.err


def test_out_is_no_single_run(denoisebench, tmp_path):
    (tmp_path / "here/one").mkdir()
    (tmp_path / "here/one/recipe.toml").touch()
    answer = denoisebench("sweep", "--loss", "l1", "--out", "one")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "one is a run; --out names the folder of all runs" in answer.err


def test_several_at_a_time_without_ray_is_one_line(denoisebench, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    for words in (("--jobs", 2), ("--ray", "auto")):
        answer = denoisebench("sweep", "--loss", "l1", "--data", "nowhere", *words)
        assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
        assert "pip install 'denoisebench[cluster]'" in answer.err
