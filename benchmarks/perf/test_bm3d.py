"""BM3D by three hands on one slice of 512², in one process: seconds, and PSNR beside them.

    python -m pytest benchmarks/perf/test_bm3d.py --benchmark-only

The wheel runs on one thread; the other two on torch's threads, or on the GPU where there is one.
deepinv takes part where it and ptwt are installed; on a CPU a slice costs it a minute or two.
"""

import os
from collections.abc import Callable

import numpy as np
import pytest
import torch
from denoisebench.registry.baselines.bm3d import bm3d
from denoisebench.registry.baselines.bm3d_torch import bm3d_torch

from denoisebench.compat import prepare
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice

TASK = load_task("ct-sigma50")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Tensors = Callable[[torch.Tensor], torch.Tensor]


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    one = Slice(draw(5, 2), "5", "5")
    clean = TASK.to_grey(one.hu)
    return noisy_slice(TASK, clean, one.digest), clean


def report(benchmark, output, clean) -> None:
    psnr = 10 * np.log10(255**2 / np.mean((np.asarray(output) - clean) ** 2))
    benchmark.extra_info |= {"psnr": psnr, "device": str(DEVICE), "cores": os.cpu_count()}
    print(f"\n{psnr:.3f} dB, {benchmark.stats['median']:.2f} s")  # noqa: T201


def test_the_wheel(benchmark, pair):
    noisy, clean = pair
    output = benchmark.pedantic(bm3d, (noisy, TASK.sigma), rounds=3)
    report(benchmark, output, clean)


@pytest.mark.parametrize("batch", [1, 8])
def test_bm3d_torch(benchmark, pair, batch):
    """Seconds are of the whole batch."""
    if batch > 1 and DEVICE.type == "cpu":
        pytest.skip("on a CPU slices go one by one")
    noisy, clean = pair
    given = torch.from_numpy(noisy)[None, None].to(DEVICE).repeat(batch, 1, 1, 1)
    output = benchmark.pedantic(
        lambda: bm3d_torch(given, TASK.sigma).cpu(), rounds=3, warmup_rounds=1
    )
    report(benchmark, output[0, 0], clean)


def test_deepinv(benchmark, pair):
    pytest.importorskip("ptwt", reason="deepinv's BM3D needs ptwt")
    prepare()
    models = pytest.importorskip("deepinv.models", reason="deepinv is not installed")
    noisy, clean = pair
    denoiser = models.BM3D(use_legacy=False, device=DEVICE)
    given = torch.from_numpy(noisy)[None, None].float().to(DEVICE) / 255
    with torch.no_grad():
        output = benchmark.pedantic(lambda: denoiser(given, TASK.sigma / 255).cpu() * 255, rounds=1)
    report(benchmark, output[0, 0].double(), clean)
