"""What a blend's recipe says, and what its hash depends on."""

import pytest

from denoisebench.training.recipe import Blend, Parent, Recipe


def parent(loss: str, seed: int, weights: str = "a") -> Parent:
    return Parent(method=f"resunet · {loss}", recipe=f"{loss} {seed}", family=loss,
                  weights=weights)  # fmt: skip


def recipe(weight: float = 0.25, *, seed: int = 0, twins: bool = True, weights="ab") -> Recipe:
    parents = (parent("l1", seed, weights[0]), parent("cgan + 100*l1", seed, weights[1]))
    return Recipe(
        generator="resunet", discriminator="patch3", loss="cgan + 100*l1", steps=3, batch=2,
        patch=32, learning_rate=1e-3, seed=seed, task="t", task_version=1, data="d",
        data_digest="d", split_digest="s", plugins={},
        blend=Blend(weight=weight, twins=twins, parents=parents),
    )  # fmt: skip


def test_it_is_read_back_as_it_was_written(tmp_path):
    recipe(1 / 3).write(tmp_path / "recipe.toml")
    again = Recipe.read(tmp_path / "recipe.toml")
    assert again == recipe(1 / 3)
    assert again.hash == recipe(1 / 3).hash


@pytest.mark.parametrize(
    "other", [recipe(0.5), recipe(seed=1), recipe(weights="xb"), recipe(weights="ax")]
)
def test_the_hash_covers_the_weight_and_both_parents_digests(other):
    assert recipe().hash != other.hash


def test_other_seeds_are_repeats_and_other_weights_or_no_twins_are_not():
    assert recipe(seed=1).family == recipe().family
    assert recipe(weights="xy").family == recipe().family
    assert recipe(0.5).family != recipe().family
    assert recipe(twins=False).family != recipe().family


def test_a_trained_networks_hash_is_what_it_was_before_there_were_blends():
    trained = recipe().model_copy(update={"blend": None})
    assert trained.hash == "169139631c2d96be33a000bab97ab430e7ed3586635490a37678bae1b341724c"
    assert trained.hash != recipe().hash
    assert trained.family != recipe().family


def test_a_method_names_both_ends_and_where_it_lies():
    assert recipe(1 / 3).method == "resunet · l1 to cgan + 100*l1, w = 0.333333"


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_weight_is_a_share(weight):
    with pytest.raises(ValueError, match="weight"):
        recipe(weight)
