"""A run whose numbers become none: exit code, board, the last good checkpoint, and --resume."""

import json
import math
from pathlib import Path

import pytest
import torch

from denoisebench.training import checkpoint, loop

LATE = '''
"""A loss that is NaN from its thirtieth step on, and a network that fails on test slices."""

import torch
from torch import nn

from denoisebench import generator, loss


class Tired(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(1, 1, 3, padding=1)
        self.looked = 0

    def forward(self, noisy):
        self.looked += not self.training
        # three validations of four slices come before the test split
        return noisy - self.body(noisy) / (self.looked <= 12)


@generator("tired", multiple=4)
def tired() -> nn.Module:
    """A convolution."""
    return Tired()


@loss("late_nan")
def late_nan(output, target, *, step: int = 30):
    """l1 that becomes NaN."""
    late_nan.called = getattr(late_nan, "called", 0) + 1
    value = (output - target).abs().mean()
    return value * float("nan") if late_nan.called >= step else value
'''


@pytest.fixture
def late(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", math.inf)
    path = tmp_path / "late.py"
    path.write_text(LATE)
    return path


@pytest.fixture
def call(denoisebench, plugin, late, tiny_task, tiny_ct):
    words = ("run", "--plugin", plugin, "--plugin", late, "--task", tiny_task, "--data", tiny_ct,
             "--batch", 2, "--patch", 32)  # fmt: skip
    return lambda *more: denoisebench(*words, *more)


def row_of(answer) -> dict:
    return next(r for r in json.loads(answer.out)["rows"] if r["kind"] == "network")


def test_a_loss_that_is_nan_at_step_30_stops_there_and_keeps_what_was_good(call, denoisebench):
    words = ("--gen", "tiny", "--loss", "l1+late_nan", "--steps", 40)
    answer = call(*words, "--json")
    assert answer.code == 1
    row = row_of(answer)
    assert (row["rank"], row["status"]) == (None, "diverged")
    assert row["reason"] == "late_nan is nan at step 30"
    assert row["metrics"] == {}
    (folder,) = Path("runs").glob("tiny-*")
    state = checkpoint.load(folder / "checkpoint.pt", torch.device("cpu"))
    assert state["step"] == 29
    assert all(math.isfinite(total) for _, total in checkpoint.totals(state))
    assert not (folder / "model.safetensors").exists()

    assert "diverged, late_nan is nan at step 30" in denoisebench("leaderboard").out
    again = call(*words, "--json")  # read, not repeated
    assert (again.code, row_of(again)["reason"]) == (1, row["reason"])

    refused = call(*words, "--resume")
    *_, mistake = refused.err.splitlines()
    assert (refused.code, refused.out) == (2, "")
    assert mistake == (
        f"Error: {folder} diverged (late_nan is nan at step 30), and would again; change --lr, "
        "--seed or --loss, or remove it to train it anew"
    )


def test_a_network_whose_output_of_a_test_slice_is_infinite_is_diverged(call):
    answer = call("--gen", "tired", "--loss", "l1", "--steps", 3, "--json")
    assert answer.code == 1
    row = row_of(answer)
    assert (row["rank"], row["status"]) == (None, "diverged")
    assert "output of test slice" in row["reason"]
    assert "not finite" in row["reason"]
    assert row["metrics"]["psnr"]["mean"] is None
    assert list(Path("runs").glob("tired-*/preview.png"))
