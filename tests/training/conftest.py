from pathlib import Path

import numpy as np
import pytest

from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import Slice
from denoisebench.plugins.find import Catalogue, find

TINY = '''
"""Two networks small enough to train in a test, and losses that go wrong."""

import torch
from torch import nn

from denoisebench import discriminator, generator, loss


class Residual(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Dropout(dropout), nn.Conv2d(width, 1, 3, padding=1),
        )

    def forward(self, noisy):
        return noisy - self.body(noisy)


@generator("tiny", multiple=4)
def tiny(*, width: int = 8, dropout: float = 0.2) -> nn.Module:
    """A convolution or two."""
    return Residual(width, dropout)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, 8, 4, 2), nn.ReLU(), nn.Conv2d(8, 1, 4, 2))

    def forward(self, image, condition=None):
        return self.body(torch.cat([image, condition], dim=1))


@discriminator("tinycritic")
def tinycritic() -> nn.Module:
    """A critic as small."""
    return Critic()


@loss("late_nan")
def late_nan(output, target, *, calls: int = 5):
    """l1 that becomes NaN."""
    late_nan.called = getattr(late_nan, "called", 0) + 1
    value = (output - target).abs().mean()
    return value * (float("nan") if late_nan.called > calls else 1.0)
'''


@pytest.fixture
def tiny_plugins(tmp_path: Path) -> Path:
    path = tmp_path / "tiny_plugins.py"
    path.write_text(TINY)
    return path


@pytest.fixture
def catalogue(tiny_plugins: Path) -> Catalogue:
    return find([tiny_plugins])


def smooth_slices(name: str, count: int, side: int = 48) -> tuple[Slice, ...]:
    """Discs of soft tissue in air: `count` patients of one slice."""
    rows, columns = np.mgrid[:side, :side]
    slices = []
    for index in range(count):
        disc = (rows - side / 2) ** 2 + (columns - side / 2 - index) ** 2 < (side / 3) ** 2
        hu = np.where(disc, 40 + 10 * (index % 5), -1000).astype(np.int16)
        hu[0, 0] = hash_free(name) + index  # no two slices alike
        slices.append(Slice(hu, f"{name}-{index}", f"{name}-{index}"))
    return tuple(slices)


def hash_free(name: str) -> int:
    return {"train": 100, "val": 200, "test": 300}[name]


@pytest.fixture
def dataset() -> DataSet:
    return DataSet(
        name="discs",
        train=smooth_slices("train", 7),
        val=smooth_slices("val", 3),
        test=smooth_slices("test", 4),
        notes=(),
        set_aside=(),
    )
