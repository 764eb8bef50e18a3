"""Runs that a test can afford: a phantom of eight patients, two metrics, tiny networks."""

import sys
from pathlib import Path

import pytest

import denoisebench as db
from denoisebench.cli import main

PHANTOM = "phantom-8x2x64"
TINY = '''
"""Networks small enough to train in a test, and losses that do what users fear."""

import signal

from torch import nn

from denoisebench import generator, loss


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 1, 3, padding=1)
        )

    def forward(self, noisy):
        return noisy - self.body(noisy)


@generator("tiny", multiple=24)
def tiny(*, width: int = 8) -> nn.Module:
    """Two convolutions."""
    return Residual(width)


@loss("my_loss")
def my_loss(output, target):
    """l1."""
    return (output - target).abs().mean()


@loss("stopped")
def stopped(output, target):
    """l1, during whose third step somebody presses Ctrl-C."""
    stopped.called = getattr(stopped, "called", 0) + 1
    if stopped.called == 3:
        signal.raise_signal(signal.SIGINT)
    return (output - target).abs().mean()


@loss("nan_loss")
def nan_loss(output, target):
    """Never a number."""
    return (output - target).mean() * float("nan")
'''
TASK = """
name = "tiny-task"
version = 1
summary = "What a test can afford"
window_hu = [-160, 240]
metrics = ["psnr", "rmse_hu"]
references = ["noisy"]
noise = {protocol = "tiny", sigma = 50}
"""


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    """A cache folder, in which the phantom is drawn once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, drawn) -> Path:
    """An empty folder with plug-ins and a task, that is the current one."""
    (tmp_path / "tiny_plugins.py").write_text(TINY)
    (tmp_path / "tiny-task.toml").write_text(TASK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DENOISEBENCH_HOME", str(drawn))
    return tmp_path


@pytest.fixture
def small(here) -> dict[str, object]:
    """On what all calls of a test work."""
    return {"data": PHANTOM, "task": "tiny-task.toml", "plugins": ["tiny_plugins.py"]}


@pytest.fixture
def fast(small) -> dict[str, object]:
    """A training of six steps."""
    return small | {"loss": "l1", "batch": 2, "patch": 48, "steps": 6, "references": False}


@pytest.fixture
def cli(monkeypatch, capfdbinary):
    """Call the command line in this process: exit code, stdout and stderr, as bytes."""

    def call(*words: object) -> tuple[int, bytes, bytes]:
        monkeypatch.setattr(sys, "argv", ["denoisebench", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main.main()
        return int(left.value.code or 0), *capfdbinary.readouterr()

    return call


@pytest.fixture(scope="session")
def noisy(drawn, tmp_path_factory) -> db.Run:
    """What the noisy slice scores."""
    folder = tmp_path_factory.mktemp("noisy")
    (folder / "tiny-task.toml").write_text(TASK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENOISEBENCH_HOME", str(drawn))
        return db.evaluate("noisy", data=PHANTOM, task=folder / "tiny-task.toml", out=folder)
