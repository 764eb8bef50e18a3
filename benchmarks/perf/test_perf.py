"""Speed of the pieces, and of the training loop beside a bare hand-written one."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from denoisebench.data.dataset import DataSet
from denoisebench.data.patches import crops
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice
from denoisebench.training.loop import train
from denoisebench.training.recipe import plan

TASK = load_task("ct-sigma50")
STEPS, BATCH, PATCH = 20, 8, 96


@pytest.fixture(scope="module")
def slices() -> tuple[Slice, ...]:
    return tuple(Slice(draw(patient, 2), str(patient), str(patient)) for patient in range(3))


@pytest.mark.parametrize("words", [["--help"], ["list"], ["run", "--gen", "unet77"]], ids=" ".join)
def test_the_command_line_answers(benchmark, words):
    command = [str(Path(sys.executable).with_name("denoisebench")), *words]
    benchmark(lambda: subprocess.run(command, capture_output=True, check=False))


def test_draw_a_phantom_slice(benchmark):
    benchmark(draw, 5, 2)


def test_add_test_noise_to_a_slice(benchmark, slices):
    clean = TASK.to_grey(slices[0].hu)
    benchmark(noisy_slice, TASK, clean, slices[0].digest)


def test_draw_a_batch(benchmark, slices):
    benchmark(crops, slices, TASK, seed=0, step=7, batch=BATCH, patch=PATCH)


def test_the_loop_beside_a_bare_loop(benchmark, slices, tmp_path):
    """The ratio of our step to a hand-written one, run by turns in one process."""
    catalogue = find()
    dataset = DataSet("perf", slices, slices[:1], slices[:1], (), ())
    recipe = plan(catalogue, generator="resunet", loss="l1", steps=STEPS, batch=BATCH, patch=PATCH)
    resolved = recipe.recipe(TASK, dataset)
    (part,) = resolve("resunet", "generator", catalogue)
    network = build(part)
    adam = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    clean = torch.rand(BATCH, 1, PATCH, PATCH) * 2 - 1

    def bare() -> float:
        began = time.perf_counter()
        for _ in range(STEPS):
            noisy = clean + 0.39 * torch.randn_like(clean)
            loss = (network(noisy) - clean).abs().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        return time.perf_counter() - began

    def ours() -> float:
        began = time.perf_counter()
        train(resolved, dataset, TASK, catalogue, tmp_path, device=torch.device("cpu"))
        return time.perf_counter() - began

    bare(), ours()
    ratios = [ours() / bare() for _ in range(5)]
    benchmark.extra_info["ours / bare, median of 5"] = float(np.median(ratios))
    benchmark.pedantic(ours, rounds=1)
    print(f"\nours / bare: {np.median(ratios):.3f} (validation and checkpoint included)")  # noqa: T201
