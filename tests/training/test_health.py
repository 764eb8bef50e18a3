import json
from dataclasses import fields

import pytest
import torch

from denoisebench.plugins.expression import resolve
from denoisebench.task import load_task
from denoisebench.training import checkpoint
from denoisebench.training.health import Health, examine
from denoisebench.training.loop import train
from denoisebench.training.objective import Objective
from denoisebench.training.recipe import plan

TASK = load_task("ct-sigma50")


class Keep(torch.nn.Module):
    """Gives the noisy crop back, times a number."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def forward(self, noisy):
        return noisy * self.factor


class Judge(torch.nn.Module):
    """Says `gain` times how equal an image is to its noisy condition, plus `bias`."""

    def __init__(self, gain: float, bias: float) -> None:
        super().__init__()
        self.gain, self.bias = torch.nn.Parameter(torch.tensor(gain)), bias
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, image, condition):
        self.calls += 1
        same = (image - condition).abs().mean(dim=(1, 2, 3)) < 1e-6
        # Not flat in the image, so that there is a gradient to measure.
        return (self.gain * torch.where(same, -1.0, 1.0) + self.bias)[:, None] + 1e-3 * image.mean()


@pytest.fixture
def look(catalogue, dataset):
    recipe = plan(catalogue, generator="tiny", loss="l1", steps=1, batch=2, patch=16)
    recipe = recipe.recipe(TASK, dataset)

    def at(generator, critic, loss="cgan + 100*l1"):
        objective = Objective(resolve(loss, "loss", catalogue))
        return examine(generator, critic, objective, dataset, TASK, recipe)

    return at


def test_a_critic_that_tells_all_apart_has_won_and_one_that_guesses_has_not(look):
    won = look(Keep(), Judge(50.0, 0.0))
    assert (won["real_accuracy"], won["fake_accuracy"], won["saturated"]) == (1, 1, 1)
    assert "critic" in won["collapsed"]
    blind = look(Keep(), Judge(0.0, 1.0))
    assert (blind["real_accuracy"], blind["fake_accuracy"]) == (1, 0)  # calls all real
    assert (blind["saturated"], blind["collapsed"]) == (0, None)
    unsure = look(Keep(), Judge(0.5, 0.0))  # right, but its logits are still small
    assert (unsure["real_accuracy"], unsure["saturated"], unsure["collapsed"]) == (1, 0, None)


@pytest.mark.parametrize("loss", ["lsgan", "hinge", "wgan_gp", "ragan"])
def test_each_gan_loss_has_its_own_zero(look, loss):
    found = look(Keep(), Judge(0.4, 0.5 if loss == "lsgan" else 0.0), f"{loss} + 100*l1")
    assert (found["real_accuracy"], found["fake_accuracy"]) == (1, 1)


def test_a_wasserstein_critic_never_learns_out_and_hinge_does_beyond_its_margin(look):
    assert look(Keep(), Judge(1000.0, 0.0), "wgan_gp + l1")["saturated"] == 0
    assert look(Keep(), Judge(1.1, 0.0), "hinge + l1")["saturated"] == 1
    assert look(Keep(), Judge(0.9, 0.0), "hinge + l1")["saturated"] == 0


def test_outputs_that_are_all_alike_are_a_collapse(look):
    found = look(Keep(0.001), Judge(0.0, 0.0))
    assert found["output_spread"] < 0.1
    assert "outputs differ" in found["collapsed"]


def test_the_ratio_is_of_weighted_gradients_and_none_without_other_terms(look):
    light, heavy = (look(Keep(), Judge(0.5, 0.0), f"cgan + {w}*l1") for w in (1, 100))
    assert light["gradient_ratio"] == pytest.approx(100 * heavy["gradient_ratio"], rel=1e-4)
    assert look(Keep(), Judge(0.5, 0.0), "cgan")["gradient_ratio"] is None


def test_looking_changes_neither_network(look):
    generator, critic = Keep().train(), Judge(1.0, 0.0)
    look(generator, critic)
    assert critic.calls == 0
    assert generator.training
    assert generator.factor.grad is None
    assert critic.gain.grad is None


def test_a_gan_run_logs_its_health_and_one_without_a_gan_has_none(catalogue, dataset, tmp_path):
    for loss in ("cgan + 100*l1", "l1"):
        planned = plan(catalogue, generator="tiny", discriminator="tinycritic" if "cgan" in loss
                       else None, loss=loss, steps=20, batch=2, patch=16)  # fmt: skip
        folder = tmp_path / loss[:2]
        folder.mkdir()
        recipe = planned.recipe(TASK, dataset)
        trained = train(recipe, dataset, TASK, catalogue, folder, device=torch.device("cpu"))
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        looked = [line for line in lines if line["validation_psnr"] is not None]
        assert len(looked) == 10
        if loss == "l1":
            assert trained.health is None
            assert {line["health"] for line in looked} == {None}
        else:
            assert trained.health == looked[-1]["health"]
            assert set(trained.health) == {each.name for each in fields(Health)}
        assert trained.peak_memory is None or trained.peak_memory > 2**20


def test_the_best_weights_are_kept_beside_the_last(catalogue, dataset, tmp_path):
    planned = plan(catalogue, generator="tiny", loss="l1", steps=20, batch=2, patch=16)
    wild = {"learning_rate": 3.0, "warmup": 0.9, "schedule": "constant", "ema": 0.0}
    recipe = planned.recipe(TASK, dataset).model_copy(update=wild)
    trained = train(recipe, dataset, TASK, catalogue, tmp_path, device=torch.device("cpu"))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    psnrs = {line["step"]: line["validation_psnr"] for line in lines if line["validation_psnr"]}
    assert trained.best is not None
    assert trained.best.psnr == max(psnrs.values())
    assert psnrs[trained.best.step] == trained.best.psnr
    assert max(psnrs, key=psnrs.__getitem__) < 20, "it should not end at its best"
    last = trained.generator.state_dict()
    assert any(not torch.equal(trained.best.weights[name], last[name]) for name in last)
    again = train(
        recipe, dataset, TASK, catalogue, tmp_path, device=torch.device("cpu"), resume=True
    )
    assert again.best.step == trained.best.step
    assert not checkpoint.load(tmp_path / "checkpoint.pt", torch.device("cpu")).keys() & {"best"}


def test_best_weights_of_an_earlier_training_are_not_taken_for_those_of_this(
    catalogue, dataset, tmp_path
):
    planned = plan(catalogue, generator="tiny", loss="l1", steps=4, batch=2, patch=16)
    recipe = planned.recipe(TASK, dataset)
    stale = {"step": 1, "psnr": 99.0, "weights": {}}
    checkpoint.save(tmp_path / checkpoint.BEST, stale)
    trained = train(recipe, dataset, TASK, catalogue, tmp_path, device=torch.device("cpu"))
    assert trained.best.psnr < 99
    assert trained.best.weights
