import json
import math

import pytest
import torch

from denoisebench.plugins.expression import resolve
from denoisebench.task import load_task
from denoisebench.training import checkpoint, log
from denoisebench.training.loop import Diverged, train
from denoisebench.training.objective import Objective
from denoisebench.training.recipe import plan

CPU = torch.device("cpu")
TASK = load_task("ct-sigma50")


def recipe_for(catalogue, dataset, **choices):
    settings = {"generator": "tiny", "discriminator": "tinycritic", "loss": "cgan + l1"}
    settings |= {"steps": 12, "batch": 2, "patch": 16, "learning_rate": 1e-3, **choices}
    if "gan" not in settings["loss"]:
        settings["discriminator"] = None
    return plan(catalogue, **settings).recipe(TASK, dataset)


def weights(trained) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in trained.generator.state_dict().values())


def test_what_is_scored_has_no_history(catalogue, dataset, tmp_path):
    """An average that gradients could flow through would grow with each step."""
    trained = train(recipe_for(catalogue, dataset), dataset, TASK, catalogue, tmp_path, device=CPU)
    assert not any(weight.requires_grad for weight in trained.generator.parameters())


def test_training_lowers_the_loss(catalogue, dataset, tmp_path):
    recipe = recipe_for(catalogue, dataset, loss="l1", steps=150, learning_rate=3e-3)
    train(recipe, dataset, TASK, catalogue, tmp_path, device=CPU)
    records = log.read(tmp_path / "log.jsonl")
    # A batch of discs differs by some tenths of the loss from another; halving is no accident.
    assert records[-1].losses["l1"] < 0.5 * records[0].losses["l1"]
    assert records[-1].validation_psnr > 17  # the noisy slices have 14.15


def test_same_recipe_gives_the_same_bits(catalogue, dataset, tmp_path):
    recipe = recipe_for(catalogue, dataset)
    runs = [tmp_path / "a", tmp_path / "b"]
    for run in runs:
        run.mkdir()
    first, second = (train(recipe, dataset, TASK, catalogue, r, device=CPU) for r in runs)
    assert weights(first) == weights(second)


def test_another_seed_gives_other_weights(catalogue, dataset, tmp_path):
    one = train(
        recipe_for(catalogue, dataset, seed=1), dataset, TASK, catalogue, tmp_path, device=CPU
    )
    two = train(
        recipe_for(catalogue, dataset, seed=2), dataset, TASK, catalogue, tmp_path, device=CPU
    )
    assert weights(one) != weights(two)


@pytest.mark.parametrize("stop_at", [1, 5, 11])
def test_an_interrupted_and_resumed_run_ends_with_the_same_bits(
    catalogue, dataset, tmp_path, stop_at
):
    recipe = recipe_for(catalogue, dataset)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    undisturbed = train(recipe, dataset, TASK, catalogue, whole, device=CPU)
    asked = iter(range(1000))
    first = train(recipe, dataset, TASK, catalogue, parts, device=CPU,
                  stopping=lambda: next(asked) == stop_at)  # fmt: skip
    assert (first.status, first.steps) == ("interrupted", stop_at)
    second = train(recipe, dataset, TASK, catalogue, parts, device=CPU, resume=True)
    assert second.status == "done"
    assert weights(second) == weights(undisturbed)


@pytest.mark.parametrize("broken", [False, True])
def test_the_log_has_no_gap_and_no_repeat_after_a_resume(
    catalogue, dataset, tmp_path, monkeypatch, broken
):
    """And is seen to have them in a loop that is broken on purpose."""
    if broken:
        monkeypatch.setattr(log, "cut", lambda path, step: None)
    recipe = recipe_for(catalogue, dataset)
    asked = iter(range(1000))
    train(recipe, dataset, TASK, catalogue, tmp_path, device=CPU,
          stopping=lambda: next(asked) == 6)  # fmt: skip
    # A killed run had logged past its checkpoint, the last line only by half.
    ahead = log.Record(9, 0.7, 1.0, 1e-3, 1.0, {"l1": 123.0}, None)
    log.append(tmp_path / "log.jsonl", ahead)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 10, "pro')
    train(recipe, dataset, TASK, catalogue, tmp_path, device=CPU, resume=True)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    if broken:
        assert any("123.0" in line for line in lines)
        return
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == sorted(set(steps))
    assert steps[-1] == 12
    assert all("123.0" not in line for line in lines)


def test_a_loss_that_becomes_nan_stops_the_run_by_step_and_name(catalogue, dataset, tmp_path):
    recipe = recipe_for(catalogue, dataset, loss="l1 + late_nan(calls=5)")
    with pytest.raises(Diverged, match="late_nan is nan at step 6"):
        train(recipe, dataset, TASK, catalogue, tmp_path, device=CPU)


def test_a_critic_is_trained_beside_the_generator(catalogue, dataset, tmp_path):
    train(recipe_for(catalogue, dataset), dataset, TASK, catalogue, tmp_path, device=CPU)
    (record, *_) = log.read(tmp_path / "log.jsonl")
    assert list(record.losses) == ["cgan", "l1", "critic"]
    state = checkpoint.load(tmp_path / "checkpoint.pt", CPU)
    assert len(state["optimisers"]) == 2
    assert state["optimisers"][1]["state"][0]["step"] == 12


@pytest.mark.parametrize(
    ("loss", "discriminator"),
    [
        ("wgan_gp + l1", "tinycritic"),  # draws places on lines in each step
        ("hinge + l1 + r1", "patch3_sn(width=2)"),  # each forward pass moves buffers
    ],
)
def test_a_gan_that_draws_or_keeps_buffers_resumes_with_the_same_bits(
    catalogue, dataset, tmp_path, loss, discriminator
):
    choices = {"loss": loss, "discriminator": discriminator, "patch": 24, "steps": 3}
    recipe = recipe_for(catalogue, dataset, **choices)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    undisturbed = train(recipe, dataset, TASK, catalogue, whole, device=CPU)
    asked = iter(range(99))
    train(recipe, dataset, TASK, catalogue, parts, device=CPU,
          stopping=lambda: next(asked) == 2)  # fmt: skip
    resumed = train(recipe, dataset, TASK, catalogue, parts, device=CPU, resume=True)
    assert weights(resumed) == weights(undisturbed)
    critics = [checkpoint.load(run / "checkpoint.pt", CPU)["critic"] for run in (whole, parts)]
    assert all(torch.equal(critics[0][name], critics[1][name]) for name in critics[0])


def test_a_penalty_is_the_critics_alone_and_logged_unweighted(catalogue, dataset, tmp_path):
    losses = {}
    for loss in ("cgan + l1 + 1*r1", "cgan + l1 + 5*r1"):
        recipe = recipe_for(catalogue, dataset, loss=loss, steps=1)
        folder = tmp_path / recipe.hash[:8]
        folder.mkdir()
        train(recipe, dataset, TASK, catalogue, folder, device=CPU)
        losses[loss] = log.read(folder / "log.jsonl")[0].losses
    light, heavy = losses.values()
    assert list(heavy) == ["cgan", "l1", "r1", "critic"]
    assert light["r1"] == heavy["r1"] > 0
    # 1e-6: of float32's value of the critic's loss
    assert heavy["critic"] == pytest.approx(light["critic"] + 4 * light["r1"], rel=1e-6)
    assert light["l1"] == heavy["l1"]


def test_penalties_are_no_term_of_the_generators(catalogue):
    objective = Objective(resolve("cgan + l1 + r1", "loss", catalogue))
    output, target = torch.randn(2, 1, 1, 16, 16)
    terms = objective.generator_terms(output, target, torch.zeros(1), torch.zeros(1))
    assert list(terms) == ["cgan", "l1"]
    assert objective.total(terms) == terms["cgan"] + 100 * terms["l1"]


def test_terms_are_logged_under_their_own_names_and_unweighted(catalogue, dataset, tmp_path):
    heavy = recipe_for(catalogue, dataset, loss="1000*l1", steps=1)
    light = recipe_for(catalogue, dataset, loss="l1", steps=1)
    values = []
    for recipe in (heavy, light):
        folder = tmp_path / recipe.hash[:8]
        folder.mkdir()
        train(recipe, dataset, TASK, catalogue, folder, device=CPU)
        values.append(log.read(folder / "log.jsonl")[0].losses["l1"])
    assert values[0] == values[1]


def test_without_ema_the_last_weights_are_scored(catalogue, dataset, tmp_path):
    recipe = recipe_for(catalogue, dataset, loss="l1", ema=0.0)
    trained = train(recipe, dataset, TASK, catalogue, tmp_path, device=CPU)
    state = checkpoint.load(tmp_path / "checkpoint.pt", CPU)
    saved = b"".join(tensor.numpy().tobytes() for tensor in state["generator"].values())
    assert weights(trained) == saved


def test_a_budget_in_minutes_ends_on_time_and_with_a_low_rate(catalogue, dataset, tmp_path):
    recipe = recipe_for(catalogue, dataset, loss="l1", steps=None, minutes=0.03)
    trained = train(recipe, dataset, TASK, catalogue, tmp_path, device=CPU)
    assert trained.steps > 3
    last = log.read(tmp_path / "log.jsonl")[-1]
    assert last.progress == 1
    assert last.learning_rate < 1e-6


def test_a_log_has_the_rate_of_the_step_that_was_done(catalogue, dataset, tmp_path):
    recipe = recipe_for(catalogue, dataset, loss="l1", warmup=0.0, schedule="cosine")
    train(recipe, dataset, TASK, catalogue, tmp_path, device=CPU)
    rates = {record.step: record.learning_rate for record in log.read(tmp_path / "log.jsonl")}
    # Of twelve steps the last begins at 11/12 of the budget.
    assert rates[12] == pytest.approx(1e-3 * (1 + math.cos(math.pi * 11 / 12)) / 2)


def test_best_weights_of_a_step_that_was_never_reached_again_are_forgotten(
    catalogue, dataset, tmp_path
):
    """A kill between a validation and the next checkpoint."""
    recipe = recipe_for(catalogue, dataset, loss="l1")
    stop = iter([False] * 6 + [True])
    train(recipe, dataset, TASK, catalogue, tmp_path, device=CPU, stopping=lambda: next(stop))
    reached = checkpoint.Best.read(tmp_path)
    assert reached.step <= 6
    later = {"step": 9, "psnr": 99.0, "weights": {}}
    checkpoint.save(tmp_path / checkpoint.NEXT_BEST, later)
    trained = train(recipe, dataset, TASK, catalogue, tmp_path, device=CPU, resume=True)
    assert trained.best.psnr < 99
    assert not (tmp_path / checkpoint.NEXT_BEST).exists()
    # One that a checkpoint has reached, though the kill came before it was accepted, stands.
    checkpoint.save(tmp_path / checkpoint.NEXT_BEST, later)
    again = train(recipe, dataset, TASK, catalogue, tmp_path, device=CPU, resume=True)
    assert (again.best.step, again.best.psnr) == (9, 99.0)
