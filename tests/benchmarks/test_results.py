"""The committed boards: runs of the sweeps that stand beside them, without weights or pictures."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from denoisebench.board import board
from denoisebench.cli.leaderboard import leaderboard
from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.fleet.grid import expand, read_sweep
from denoisebench.plugins.find import find
from denoisebench.task import load_task
from denoisebench.training.recipe import Optimisation, Recipe

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/results"
BOARDS = sorted({path.name for path in RESULTS.iterdir() if path.is_dir()} - {"submitted"})
KEPT = {"result.json", "scores.csv", "recipe.toml", "log.jsonl", "environment.json", "audit.json",
        "physics.json", "verification.json", "model.safetensors"}  # fmt: skip
MOST_WEIGHTS = 5 << 20
SAID = {*Optimisation.model_fields, "generator", "discriminator", "loss"}


def sweep_of(name: str) -> Path:
    boards = ROOT / "benchmarks/boards"
    alone = boards / f"{name}.toml"
    return alone if alone.exists() else boards / name / "sweep.toml"


def said(recipe: Recipe) -> tuple[tuple[str, object], ...]:
    """What a sweep decides of a recipe; sources of plug-ins may have moved on since."""
    return tuple(sorted(recipe.model_dump(include=SAID).items()))


@pytest.fixture(scope="module")
def nothing() -> DataSet:
    one = (Slice(draw(0, 2, size=64), "0", "1"),)
    return DataSet("nothing", one, one, one)


def test_there_are_boards():
    assert "tcia-mini-sigma50" in BOARDS


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_holds_the_runs_of_its_sweep(name, nothing):
    sweep = read_sweep(sweep_of(name))
    entries, problems = board.collect(RESULTS / name)
    assert not problems
    facts = {(each.result.data, each.result.task, each.result.status) for each in entries}
    assert facts == {(sweep.data, sweep.task, "done")}
    assert len(board.boards(entries)) == 1
    task = load_task(str(sweep.task))
    asked = {said(each.recipe(task, nothing)) for each in expand(sweep, find())}
    made = {said(Recipe.read(path)) for path in (RESULTS / name).glob("*/recipe.toml")}
    assert made == asked


@pytest.mark.parametrize("name", BOARDS)
def test_no_weights_but_a_small_networks_and_no_pictures_are_kept(name):
    files = [path for path in (RESULTS / name).rglob("*") if path.is_file()]
    assert {path.name for path in files} <= KEPT
    weights = [path.stat().st_size for path in files if path.suffix == ".safetensors"]
    assert len(weights) <= 1
    assert sum(weights) <= MOST_WEIGHTS


def test_the_front_page_shows_what_leaderboard_prints():
    folder = RESULTS / "tcia-mini-sigma50"
    printed = CliRunner().invoke(leaderboard, [str(folder), "--format", "md"]).output
    table = printed.partition("\n\npsnr patient by patient")[0]
    assert table.count("\n") > 10
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")
