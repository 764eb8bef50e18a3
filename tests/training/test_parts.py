"""A batch worked on in parts, or by several processes, is the batch."""

import pytest
import torch

from denoisebench.errors import UsageError
from denoisebench.task import load_task
from denoisebench.training import log
from denoisebench.training.loop import train
from denoisebench.training.recipe import plan

CPU = torch.device("cpu")
TASK = load_task("ct-sigma50")
STEPS = 12


def trained(catalogue, dataset, folder, loss, **choices):
    """Without dropout or statistics of a batch, which are of the part that they see."""
    folder.mkdir()
    settings = {"generator": "resunet(width=4, blocks=1)", "loss": loss, "ema": 0.9}
    settings |= {"steps": STEPS, "batch": 4, "patch": 32, "learning_rate": 1e-3, **choices}
    if "gan" in loss:
        settings["discriminator"] = "patch3(width=8)"
    recipe = plan(catalogue, **settings).recipe(TASK, dataset)
    found = train(recipe, dataset, TASK, catalogue, folder, device=CPU)
    weights = torch.cat([p.detach().flatten() for p in found.generator.parameters()])
    return weights, log.read(folder / "log.jsonl")


@pytest.mark.parametrize("loss", ["l1", "cgan+l1", "lsgan+l1+r1"])
def test_a_batch_in_parts_trains_the_same(catalogue, dataset, tmp_path, loss):
    whole, said = trained(catalogue, dataset, tmp_path / "whole", loss)
    parts, told = trained(catalogue, dataset, tmp_path / "parts", loss, accumulate=2)
    other, _ = trained(catalogue, dataset, tmp_path / "other", loss, seed=1)
    # Sums in another order, float32, twelve steps of Adam, which divides by small numbers.
    assert (parts - whole).abs().max() < 1e-4
    assert (other - whole).abs().max() > 1e-2
    assert [record.step for record in told] == [record.step for record in said]
    for mine, its in zip(told, said, strict=True):
        assert mine.losses == pytest.approx(its.losses, rel=1e-3)


def test_parts_must_be_equal(catalogue):
    with pytest.raises(UsageError, match="a batch of 8 has no 3 equal parts"):
        plan(catalogue, loss="l1", batch=8, accumulate=3)
