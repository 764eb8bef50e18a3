"""A bench that a test can afford."""

from pathlib import Path

import numpy as np
import torch

from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import Slice
from denoisebench.plugins.find import find
from denoisebench.scoring.run import Bench
from denoisebench.task import load_task
from denoisebench.training.recipe import Recipe, plan

TINY = '''
"""A network and a critic small enough to train in a test, and a loss that goes wrong."""

import torch
from torch import nn

from denoisebench import discriminator, generator, loss


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, noisy):
        return noisy - self.body(noisy)


@generator("tiny", multiple=4)
def tiny() -> nn.Module:
    """A convolution."""
    return Residual()


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(2, 1, 4, 2)

    def forward(self, image, condition=None):
        return self.body(torch.cat([image, condition], dim=1))


@discriminator("tinycritic")
def tinycritic() -> nn.Module:
    """A critic as small."""
    return Critic()


@loss("late_nan")
def late_nan(output, target):
    """l1 that becomes NaN."""
    late_nan.called = getattr(late_nan, "called", 0) + 1
    return (output - target).abs().mean() * (float("nan") if late_nan.called > 12 else 1.0)
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


def slices(name: str, count: int) -> tuple[Slice, ...]:
    """Discs of soft tissue in air, no two alike."""
    rows, columns = np.mgrid[:48, :48]
    found = []
    for index in range(count):
        disc = (rows - 24) ** 2 + (columns - 20 - index) ** 2 < 256
        hu = np.where(disc, 40 + 10 * index + len(name), -1000).astype(np.int16)
        found.append(Slice(hu, f"{name}-{index}", f"{name}-{index}"))
    return tuple(found)


def make_bench(folder: Path) -> Bench:
    """A bench whose runs stand in `folder`/runs."""
    (folder / "tiny_plugins.py").write_text(TINY)
    (folder / "tiny-task.toml").write_text(TASK)
    data = DataSet(name="discs", train=slices("train", 7), val=slices("val", 2),
                   test=slices("test", 3))  # fmt: skip
    task, catalogue = load_task(str(folder / "tiny-task.toml")), find([folder / "tiny_plugins.py"])
    return Bench(data, task, catalogue, torch.device("cpu"), folder / "runs", workers=1)


def make_recipe(bench: Bench, loss: str = "cgan + 100*l1", steps: int = 20) -> Recipe:
    critic = {"discriminator": "tinycritic"} if "gan" in loss else {}
    planned = plan(bench.catalogue, generator="tiny", loss=loss, steps=steps, batch=2, patch=16,
                   **critic)  # fmt: skip
    return planned.recipe(bench.task, bench.dataset)
