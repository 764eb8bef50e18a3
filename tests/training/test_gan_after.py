"""A GAN whose terms join late: until then it is its twin."""

import math
from functools import partial
from itertools import count

import pytest
import torch

from denoisebench.errors import UsageError
from denoisebench.fleet.grid import Sweep, expand
from denoisebench.home import registry_folder
from denoisebench.task import load_task
from denoisebench.training import checkpoint, log
from denoisebench.training.loop import train
from denoisebench.training.recipe import plan

CPU = torch.device("cpu")
TASK = load_task("ct-sigma50")
GAN = {"generator": "tiny", "discriminator": "tinycritic", "loss": "cgan + 1*l1", "steps": 12,
       "batch": 2, "patch": 16, "learning_rate": 1e-3}  # fmt: skip


@pytest.fixture
def trained(catalogue, dataset, tmp_path):
    """Train a plan, interrupted before some steps; return its state and its log."""

    def trained(planned, name, *stops):
        recipe, folder = planned.recipe(TASK, dataset), tmp_path / name
        folder.mkdir()
        steps = count()
        for sitting, stop in enumerate((*stops, math.inf)):
            train(recipe, dataset, TASK, catalogue, folder, device=CPU, resume=sitting > 0,
                  stopping=partial(reached, steps, stop))  # fmt: skip
        return checkpoint.load(folder / "checkpoint.pt", CPU), log.read(folder / "log.jsonl")

    return trained


def reached(steps, stop):
    """Whether so many steps were asked for."""
    return next(steps) >= stop


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in other)


def test_until_then_the_weights_are_its_twins_and_the_critic_learns_nothing(catalogue, trained):
    planned = plan(catalogue, **GAN, gan_after=0.5, schedule="constant")
    both = {"whole": planned, "twin": planned.twin, "at once": plan(catalogue, **GAN)}
    states, logs = {}, {}
    for name, each in both.items():
        states[name], logs[name] = trained(each, name)
    # Validations log each tenth of the steps.
    early = {record.step: record for record in logs["whole"] if record.step <= 6}
    assert len(early) >= 4
    for record in logs["twin"]:
        if record.step in early:
            assert early[record.step].losses == record.losses
            assert early[record.step].validation_psnr == record.validation_psnr
            assert early[record.step].health is None
    late = [record for record in logs["whole"] if record.step > 6]
    assert late
    assert all({*record.losses} == {"cgan", "l1", "critic"} for record in late)
    assert late[-1].health is not None
    assert not same(states["whole"]["generator"], states["twin"]["generator"])
    moments = states["whole"]["optimisers"][1]["state"][0]
    assert moments["step"] == 6
    assert states["at once"]["optimisers"][1]["state"][0]["step"] == 12


@pytest.mark.parametrize("stops", [(3,), (6,), (9,), (5, 7)])
def test_it_resumes_with_the_same_bits_on_either_side(catalogue, trained, stops):
    planned = plan(catalogue, **GAN, gan_after=0.5)
    whole, _ = trained(planned, "whole")
    parts, told = trained(planned, "parts", *stops)
    for name in ("generator", "averaged", "critic"):
        assert same(parts[name], whole[name])
    assert [record.step for record in told] == sorted({record.step for record in told})
    assert all("cgan" in record.losses for record in told if record.step > 6)
    assert not any("cgan" in record.losses for record in told if record.step <= 6)


def test_without_a_gan_there_is_nothing_to_wait_for(catalogue):
    with pytest.raises(UsageError, match="leave out --gan-after"):
        plan(catalogue, **GAN | {"loss": "l1", "discriminator": None}, gan_after=0.5)
    for share in (-0.5, 1, 1.5):
        with pytest.raises(UsageError, match="gan_after"):
            plan(catalogue, **GAN, gan_after=share)


def test_in_a_grid_it_is_for_the_losses_with_a_gan(catalogue):
    sweep = Sweep(gen="tiny", loss="l1, cgan + l1", disc="tinycritic", steps=4, patch=16,
                  gan_after=0.5)  # fmt: skip
    assert [each.settings.gan_after for each in expand(sweep, catalogue)] == [None, 0.5]


def test_a_gan_from_the_start_is_the_recipe_that_does_not_speak_of_it(catalogue, tmp_path):
    assert plan(catalogue, **GAN, gan_after=0) == plan(catalogue, **GAN)
    preset = tmp_path / "late.toml"
    text = (registry_folder() / "presets" / "quick.toml").read_text(encoding="utf-8")
    preset.write_text(text.replace("\nminutes = 4", "\nminutes = 4\ngan_after = 0.5"))
    late = plan(catalogue, **GAN, preset=str(preset))
    assert late.settings.gan_after == 0.5
    assert plan(catalogue, **GAN, preset=str(preset), gan_after=0).settings.gan_after is None


def test_a_recipe_without_it_keeps_its_hash(catalogue, dataset):
    with_it, without = (
        plan(catalogue, **GAN, **late).recipe(TASK, dataset) for late in ({"gan_after": 0.5}, {})
    )
    assert with_it.hash != without.hash
    assert with_it.twin == without.twin
    assert "gan_after" not in without.model_dump(exclude_none=True)


def test_what_is_logged_of_the_gan_is_of_its_own_steps(catalogue, trained):
    """It joins at step 15 of 40, between two validations."""
    _, told = trained(plan(catalogue, **GAN | {"steps": 40}, gan_after=0.37), "late")
    assert 15 in [record.step for record in told]
    joined = next(record for record in told if record.step > 15)
    # A critic that knows nothing yet: ln 2 for either side of the logistic loss.
    assert joined.losses["cgan"] == pytest.approx(0.69, abs=0.1)
