"""The loops that ours is timed beside do the same arithmetic, and another is told from it."""

import pytest
import torch
from arithmetic import assert_same, hand_written, ours, theirs
from bare import Bare
from peers import Published
from turns import OURS, by_turns, recipe_for

from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.plugins.find import find
from denoisebench.task import load_task

TASK = load_task("ct-sigma50")
SMALL = {"generator": "resunet(width=4, blocks=1)", "batch": 2, "patch": 32, "steps": 3}
CRITIC = {"loss": "cgan+l1", "discriminator": "patch3(width=4)"}


@pytest.fixture(scope="module")
def dataset() -> DataSet:
    slices = tuple(
        Slice(draw(patient, 2)[:64, :64], str(patient), str(patient)) for patient in (0, 1)
    )
    return DataSet("tiny", slices, slices[:1], slices[:1], (), ())


def compare(tmp_path, dataset, begin, **choices):
    catalogue = find()
    recipe = recipe_for(catalogue, TASK, dataset, **SMALL | choices)
    before, mine = ours(recipe, dataset, TASK, catalogue, tmp_path)
    its = theirs(recipe, dataset, TASK, catalogue, before, begin(recipe))
    assert_same(mine, its, before["averaged"])


@pytest.mark.parametrize("choices", [CRITIC, {"loss": "l1"}], ids=["cgan+l1", "l1"])
def test_the_bare_loop_does_what_train_does(tmp_path, dataset, choices):
    compare(tmp_path, dataset, hand_written, **choices)


def test_the_published_order_does_what_train_does(tmp_path, dataset):
    def begin(recipe):
        return lambda *nets: Published(*nets, rate=recipe.learning_rate, beta1=recipe.beta1)

    compare(tmp_path, dataset, begin, ema=0.0, **CRITIC)


class Unaveraged(Bare):
    def step(self, clean, noisy):
        ema, self.ema = self.ema, 0.0
        losses = super().step(clean, noisy)
        self.ema = ema
        return losses


class CriticStandsStill(Bare):
    def step(self, clean, noisy):
        still = [weight.detach().clone() for weight in self.critic.parameters()]
        losses = super().step(clean, noisy)
        with torch.no_grad():
            for weight, value in zip(self.critic.parameters(), still, strict=True):
                weight.copy_(value)
        return losses


class HalfTheBatch(Bare):
    def step(self, clean, noisy):
        return super().step(clean[:1], noisy[:1])


class FewerParameters(Bare):
    def __init__(self, generator, critic, **settings):
        super().__init__(generator, critic, **settings)
        self.critic_adam.param_groups[0]["params"].pop()


@pytest.mark.parametrize("other", [Unaveraged, CriticStandsStill, HalfTheBatch, FewerParameters])
def test_a_loop_that_does_less_is_told_from_it(tmp_path, dataset, other):
    def begin(recipe):
        return lambda *nets: other(
            *nets, rate=recipe.learning_rate, beta1=recipe.beta1, ema=recipe.ema
        )

    with pytest.raises(AssertionError):
        compare(tmp_path, dataset, begin, **CRITIC)


def test_turns_are_as_long_as_asked_and_the_first_of_each_is_left_out(tmp_path, dataset):
    catalogue = find()
    recipe = recipe_for(catalogue, TASK, dataset, **SMALL | {"loss": "l1", "steps": 12})
    calls = []
    turns = by_turns(
        recipe, dataset, TASK, catalogue, tmp_path, {"other": lambda: calls.append(1)}, turn=4
    )
    assert len(calls) == 12
    assert {len(each) for each in turns.seconds.values()} == {6}  # of 12: without 4, 4 and 8
    assert turns.median("other") < turns.median(OURS)
