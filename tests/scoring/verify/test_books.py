"""What a run says of itself, held to its recipe."""

import pytest

from denoisebench.scoring.result import Result
from denoisebench.scoring.verify.books import contradiction
from denoisebench.training.recipe import Blend, Parent, Recipe

NAMED = {"task": "t", "task_version": 1, "data": "d", "data_digest": "d", "split_digest": "s"}
RECIPE = Recipe(
    generator="resunet", loss="cgan + l1", plugins={}, steps=3, batch=2, patch=64, seed=4,
    learning_rate=1e-3, twin="f" * 64, **NAMED,
)  # fmt: skip
PARENTS = tuple(Parent(method=m, recipe=m, family=m, weights=m) for m in ("a", "b"))
BLEND = Blend(weight=0.5, twins=True, parents=PARENTS)


def result(recipe: Recipe | None, **changes) -> Result:
    of_recipe = {}
    if recipe:
        of_recipe = {"method": recipe.method, "kind": "network", "recipe": recipe.hash,
                     "family": recipe.family, "blend": recipe.blend, "seeds": (recipe.seed,),
                     "twin": None if recipe.blend else recipe.twin}  # fmt: skip
    values = {"method": "bm3d", "kind": "baseline", "recipe": "r", "n_slices": 0, "n_patients": 0,
              "parameters": 0, "device": "CPU", "status": "done"}  # fmt: skip
    return Result(**{**NAMED, **values, **of_recipe, **changes})


@pytest.mark.parametrize("recipe", [RECIPE, RECIPE.model_copy(update={"blend": BLEND}), None])
def test_an_honest_result_agrees_with_its_recipe(recipe):
    assert contradiction(result(recipe), recipe, []) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("family", "of a leader"), ("twin", "a" * 64), ("blend", BLEND),
     ("seeds", (5,)), ("seeds", (4, 5))],
)  # fmt: skip
def test_a_result_cannot_join_the_rows_of_others(field, value):
    """Else a board would average it into them, compare it with them, or draw a line to it."""
    told = contradiction(result(RECIPE, **{field: value}), RECIPE, [])
    assert told is not None
    assert field in told
    if field != "seeds":
        assert field in (contradiction(result(None, **{field: value or "x"}), None, []) or "")
