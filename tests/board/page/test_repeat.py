import shlex
from itertools import pairwise

import pytest

from denoisebench.board.page.repeat import caveat, command
from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.plugins.find import find
from denoisebench.scoring.result import Result
from denoisebench.task import load_task
from denoisebench.training.recipe import plan

TASK = load_task("ct-sigma50")
CHOICES = [
    {"minutes": 2.0},
    {"steps": 500, "loss": "cgan + 100*l1", "discriminator": "patch3"},
    {"epochs": 3.0, "loss": "cgan + 10*ssim(window=7)", "generator": "unet7(norm='batch')"},
    {"steps": 9, "learning_rate": 3e-5, "seed": 7, "batch": 2, "patch": 256, "accumulate": 2},
    {"steps": 9, "loss": "cgan + l1", "gan_after": 0.25, "precision": "bfloat16"},
]


@pytest.fixture(scope="module")
def dataset() -> DataSet:
    slices = tuple(Slice(draw(patient, 2, size=64), str(patient), "1") for patient in range(3))
    return DataSet("phantom", slices[:1], slices[1:2], slices[2:])


def given(text: str) -> dict[str, str]:
    words = shlex.split(text)
    assert words[:2] == ["denoisebench", "run"]
    return dict(pairwise(words[2:]))


def result(**changes) -> Result:
    values = {
        "method": "m", "kind": "network", "task": "ct-sigma50", "task_version": 1,
        "data": "phantom", "data_digest": "d", "split_digest": "e", "recipe": "r", "n_slices": 1,
        "n_patients": 1, "parameters": 0, "device": "CPU", "status": "done",
    }  # fmt: skip
    return Result(**{**values, **changes})


@pytest.mark.parametrize("choices", CHOICES)
def test_the_command_plans_the_same_recipe(dataset, choices):
    catalogue = find()
    recipe = plan(catalogue, **choices).recipe(TASK, dataset)
    words = given(command(result(), recipe))
    numbers = {"steps": int, "minutes": float, "batch": int, "patch": int, "seed": int,
               "accumulate": int, "gan-after": float, "precision": str}  # fmt: skip
    again = plan(
        catalogue,
        generator=words["--gen"],
        loss=words["--loss"],
        discriminator=words.get("--disc"),
        learning_rate=float(words["--lr"]),
        **{
            name.replace("-", "_"): make(words[f"--{name}"])
            for name, make in numbers.items()
            if f"--{name}" in words
        },
    )
    assert again.recipe(TASK, dataset).hash == recipe.hash
    assert words["--data"] == "phantom"
    assert caveat(recipe, catalogue) is None


def test_a_folder_of_patients_is_not_named(dataset):
    recipe = plan(find(), minutes=1.0).recipe(TASK, dataset)
    assert given(command(result(data="folder-1234"), recipe))["--data"] == "DIR"


def test_a_baseline_is_repeated_with_its_knobs():
    words = given(command(result(kind="baseline", method="median(size=5)"), None))
    assert words["--baseline"] == "median(size=5)"


def test_a_recipe_that_cannot_be_repeated_here_says_why(dataset):
    catalogue = find()
    recipe = plan(catalogue, minutes=1.0).recipe(TASK, dataset)
    told = {
        caveat(recipe.model_copy(update=change), catalogue)
        for change in (
            {"preset": "mine"},
            {"beta2": 0.5},
            {"generator": "no_such"},
            {"plugins": {**recipe.plugins, "loss l1": "0" * 64}},
        )
    }
    assert None not in told
    assert any("preset 'mine'" in each for each in told)
    assert "here it would differ in: beta2" in told
    assert any("no generator named 'no_such'" in each for each in told)
