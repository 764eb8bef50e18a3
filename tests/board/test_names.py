"""Rows of one method are told apart by what their recipes say."""

import numpy as np
import pytest

from denoisebench.board.board import Entry, boards, collect
from denoisebench.board.render import as_csv, as_json, markdown
from denoisebench.board.render.html import html
from denoisebench.board.render.latex import latex
from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import Slice
from denoisebench.plugins.find import find
from denoisebench.scoring.result import write_scores
from denoisebench.task import load_task
from denoisebench.training.recipe import plan
from tests.board.test_board import result


@pytest.fixture
def entry(tmp_path):
    """Leave a run with a result and its recipe; read it as a board does."""
    one = Slice(np.zeros((64, 64), np.int16), "p", "s")
    dataset = DataSet("phantom", (one,), (one,), (one,), (), ())

    def entry(name, *, edited=None, **choices):
        planned = plan(find(), **{"generator": "resunet", "loss": "l1"} | choices)
        recipe = planned.recipe(load_task("ct-sigma50"), dataset)
        if edited:
            plugins = recipe.plugins | {"loss l1": edited}
            recipe = recipe.model_copy(update={"plugins": plugins})
        folder = tmp_path / name
        folder.mkdir()
        recipe.write(folder / "recipe.toml")
        found = result(
            recipe.method, recipe=recipe.hash, family=recipe.family, seeds=(recipe.seed,)
        )
        found.write(folder / "result.json")
        write_scores(folder / "scores.csv", [])
        return Entry(name, found, path=folder)

    return entry


def names(entries):
    (board,) = boards(entries)
    return [row.name for row in board.rows]


def test_a_method_alone_needs_no_more_words(entry):
    other = entry("b", loss="mse", learning_rate=1e-4)
    assert names([entry("a"), other]) == ["resunet · l1", "resunet · mse"]


def test_what_differs_is_said_and_nothing_else(entry):
    fast, slow = entry("a", learning_rate=1e-3, steps=9), entry("b", learning_rate=1e-4, steps=9)
    early = entry("c", learning_rate=1e-3, steps=5)
    assert names([fast, slow, early]) == [
        "resunet · l1 (steps 9, learning_rate 0.001)",
        "resunet · l1 (steps 9, learning_rate 0.0001)",
        "resunet · l1 (steps 5, learning_rate 0.001)",
    ]


def test_a_discriminator_goes_by_its_name_and_a_late_gan_by_its_share(entry):
    gan = {"loss": "cgan + l1", "patch": 256}
    one, other = entry("a", **gan, discriminator="pixel"), entry("b", **gan, gan_after=0.5)
    assert names([one, other]) == [
        "resunet · cgan + 100*l1 (pixel)",
        "resunet · cgan + 100*l1 (patch3, gan_after 0.5)",
    ]


def test_another_source_of_a_plug_in_is_told_by_its_digest(entry):
    here, there = entry("a"), entry("b", edited="0123456789" * 6)
    first, second = names([here, there])
    assert second == "resunet · l1 (loss l1 01234567)"
    assert first.startswith("resunet · l1 (loss l1 ")


def test_a_recipe_of_another_run_says_nothing(entry):
    one, other = entry("a", learning_rate=1e-3), entry("b", learning_rate=1e-4)
    (other.path / "recipe.toml").write_text((one.path / "recipe.toml").read_text())
    (one.path / "recipe.toml").unlink()
    assert names([one, other]) == ["resunet · l1"] * 2


@pytest.mark.parametrize("write", [as_csv, as_json, markdown, html, latex])
def test_it_stands_in_each_form(entry, tmp_path, write):
    entry("a", learning_rate=1e-3)
    entry("b", learning_rate=1e-4)
    entries, problems = collect(tmp_path)
    assert not problems
    text = write(boards(entries))
    assert "learning_rate 0.0001" in text.replace("\\_", "_")
