"""Slices for the formulas: synthetic ones beyond 0-255, and real ones where there are."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor


@pytest.fixture
def overshooting() -> tuple[Tensor, Tensor]:
    """(output, target), each (3, 1, 96, 80) grey levels; the output leaves 0-255 on both sides."""
    random = np.random.default_rng(2004)
    row, column = np.mgrid[0:96, 0:80]
    target = np.stack([127.5 + 127.5 * np.sin(row / k) * np.cos(column / k) for k in (3, 9, 27)])
    output = target + random.normal(0, 50, target.shape)
    assert output.min() < -20
    assert output.max() > 275
    return torch.from_numpy(output[:, None]), torch.from_numpy(target[:, None])


@pytest.fixture
def ct_pair(ct_folder: Path) -> tuple[Tensor, Tensor]:
    """(noisy, clean), each (3, 1, 512, 512) grey levels of real CT in [-160, 240] HU, sigma 50."""
    import pydicom

    with (ct_folder / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))[::80][:3]
    clean = []
    for row in rows:
        data = pydicom.dcmread(ct_folder / row["path"])
        hu = data.pixel_array * float(data.RescaleSlope) + float(data.RescaleIntercept)
        clean.append((np.clip(hu, -160, 240) + 160) / 400 * 255)
    target = np.stack(clean)[:, None]
    output = target + np.random.default_rng(50).normal(0, 50, target.shape)
    return torch.from_numpy(output), torch.from_numpy(target)


@pytest.fixture
def lpips_weights(machine_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the weights from the machine's own cache."""
    monkeypatch.setenv("DENOISEBENCH_HOME", str(machine_weights.parent))
