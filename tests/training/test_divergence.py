"""NaN and inf, wherever they come from: the run stops, says where, and keeps a good checkpoint."""

import json
import math

import pytest
import torch

from denoisebench.data.dataset import DataSet
from denoisebench.plugins.find import find
from denoisebench.task import load_task
from denoisebench.training import checkpoint, health, log, loop
from denoisebench.training.loop import Diverged, train
from denoisebench.training.recipe import plan

CPU = torch.device("cpu")
TASK = load_task("ct-sigma50")

SICK = '''
"""Networks and losses that become infinite in ways a loss does not show."""

import torch
from torch import nn

from denoisebench import generator, loss


class Sick(nn.Module):
    def __init__(self, illness):
        super().__init__()
        self.illness = illness
        self.body = nn.Conv2d(1, 1, 3, padding=1)
        self.register_buffer("growing", torch.ones(()))
        self.unused = nn.Parameter(torch.ones(1))

    def forward(self, noisy):
        output = noisy - self.body(noisy)
        if self.training:
            if self.illness == "buffer":
                self.growing *= 1e10
            if self.illness == "weight" and self.growing.add_(1) == 6:
                self.unused.data.fill_(float("-inf"))
        elif self.illness == "output":
            output = output / 0
        return output


@generator("sick", multiple=4)
def sick(*, illness: str = "none") -> nn.Module:
    """A convolution."""
    return Sick(illness)


@loss("steep")
def steep(output, target, *, step: int = 5):
    """l1 whose slope is NaN at a step, and whose value is not."""
    steep.called = getattr(steep, "called", 0) + 1
    value = (output - target).abs().mean()
    return value + (output.sum() * 0).sqrt() if steep.called == step else value
'''


@pytest.fixture
def sick(tmp_path):
    path = tmp_path / "sick.py"
    path.write_text(SICK)
    return find([path])


@pytest.fixture
def diverge(sick, dataset, tmp_path, monkeypatch):
    """Train with a checkpoint a step: (generator, loss, …) → what it says, and the folder."""
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", math.inf)

    def diverge(generator, loss="l1", *, data: DataSet = dataset, steps=8, **choices):
        settings = {"steps": steps, "batch": 2, "patch": 16, "learning_rate": 1e-3, **choices}
        recipe = plan(sick, generator=generator, loss=loss, **settings).recipe(TASK, data)
        folder = tmp_path / "run"
        folder.mkdir()
        with pytest.raises(Diverged) as told:
            train(recipe, data, TASK, sick, folder, device=CPU)
        return str(told.value), folder

    return diverge


ILLNESSES = {
    # 1 · 10^(10 n) leaves float32 (3.4e38) at the fourth forward pass
    "buffer": ("sick(illness='buffer')", "l1", "generator growing is inf at step 4"),
    "weight": ("sick(illness='weight')", "l1", "generator unused is -inf at step 5"),
    "slope in the middle": ("sick", "steep(step=5)", "body.weight is nan at step 5"),
    "slope at the end": ("sick", "steep(step=8)", "body.weight is nan at step 8"),
    "output": ("sick(illness='output')", "l1", "validation PSNR is nan at step 1"),
}


@pytest.mark.parametrize("illness", ILLNESSES)
def test_a_number_that_is_none_stops_the_run_by_name_and_step(diverge, illness):
    generator, loss, expected = ILLNESSES[illness]
    said, folder = diverge(generator, loss)
    assert expected in said
    state = checkpoint.load(folder / "checkpoint.pt", CPU) if illness != "output" else {}
    assert all(math.isfinite(total) for _, total in checkpoint.totals(state))
    if illness != "output":
        assert state["step"] == int(said.split()[-1]) - 1  # the last one before


@pytest.mark.parametrize("illness", ["buffer", "slope at the end"])
def test_without_a_look_at_the_weights_the_checkpoint_would_be_spoilt(
    diverge, illness, monkeypatch, sick, dataset, tmp_path
):
    """The same illnesses in a loop that looks at losses alone, as a control."""
    monkeypatch.setattr(checkpoint, "totals", lambda value, name="": iter(()))
    generator, loss, _ = ILLNESSES[illness]
    recipe = plan(sick, generator=generator, loss=loss, steps=8, batch=2, patch=16,
                  learning_rate=1e-3).recipe(TASK, dataset)  # fmt: skip
    monkeypatch.setattr(loop, "_validate", lambda *_: None)
    train(recipe, dataset, TASK, sick, tmp_path, device=CPU)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    tensors = [value for value in state["generator"].values() if value.is_floating_point()]
    assert not all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def test_a_game_that_cannot_be_measured_stops_the_run(diverge, monkeypatch, dataset):
    really = health.examine

    def without_slope(*arguments):
        return really(*arguments) | {"gradient_ratio": math.nan}

    monkeypatch.setattr(loop, "examine", without_slope)
    said, _ = diverge("sick", "lsgan + l1", discriminator="patch3(width=2)", patch=24)
    assert said == "gradient_ratio is nan at step 1"


def test_a_checkpoints_totals_find_every_number(tmp_path):
    state = {"a": torch.ones(3), "b": [{"c": torch.tensor([1.0, math.nan])}], "d": 3, "e": None}
    # 3e38 is finite in float32, and so is the total of a million of them here
    state["f"] = torch.full((1000, 1000), 3e38)
    totals = dict(checkpoint.totals(state))
    assert {name for name, total in totals.items() if not math.isfinite(total)} == {"b 0 c"}
    assert totals["a"] == 3


def test_the_log_of_data_without_validation_has_nulls_and_no_nan(sick, dataset, tmp_path):
    alone = DataSet(name="discs", train=dataset.train, val=(), test=dataset.test)
    recipe = plan(sick, generator="sick", loss="l1", steps=3, batch=2, patch=16,
                  learning_rate=1e-3).recipe(TASK, alone)  # fmt: skip
    train(recipe, alone, TASK, sick, tmp_path, device=CPU)
    text = (tmp_path / "log.jsonl").read_text()
    assert "NaN" not in text
    assert [json.loads(line)["validation_psnr"] for line in text.splitlines()] == [None] * 3
    assert [record.validation_psnr for record in log.read(tmp_path / "log.jsonl")] == [None] * 3
