"""On a GPU: images a second of whole GAN steps, and what share of its matrix units they use.

    python -m pytest benchmarks/perf/test_cuda.py --benchmark-only

unet7 against patch3 under cgan + l1, crops of 256², bf16. The peak is not a number from a data
sheet but what a product of two large bf16 matrices reaches here, measured beside it.
"""

import statistics
import tempfile
import time
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.task import load_task
from denoisebench.training.loop import train
from denoisebench.training.recipe import plan

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
PROMISE = 1150  # images a second, on an H200
BATCHES, SIDE, STEPS = (32, 64, 128), 256, 120
SIDE_OF_PRODUCT = 8192


def rate(batch: int, speedup: str) -> float:
    """Images a second: the median of twenty steps at a time, once it is warm."""
    task, catalogue, marks = load_task("ct-sigma50"), find(), []
    slices = tuple(Slice(draw(patient, 2), str(patient), str(patient)) for patient in range(8))
    dataset = DataSet("perf", slices, slices[:1], slices[:1])
    # Stopped early in a long training, whose ten validations are far apart.
    planned = plan(catalogue, generator="unet7", loss="cgan+l1", steps=50 * STEPS, batch=batch,
                   patch=SIDE)  # fmt: skip

    def look() -> bool:
        if len(marks) % 20 == 0:
            torch.cuda.synchronize()
        marks.append(time.perf_counter())
        return len(marks) > STEPS

    with tempfile.TemporaryDirectory() as folder:
        train(planned.recipe(task, dataset), dataset, task, catalogue, Path(folder),
              device=torch.device("cuda"), stopping=look, speedup=speedup)  # fmt: skip
    spans = [after - before for before, after in zip(marks[40::20], marks[60::20], strict=False)]
    return 20 * batch / statistics.median(spans)


def operations_an_image() -> float:
    """Floating-point operations of a GAN step, an image: counted, not estimated."""
    catalogue = find()
    generator = build(resolve("unet7", "generator", catalogue)[0]).cuda()
    critic = build(resolve("patch3", "discriminator", catalogue)[0]).cuda()
    image = torch.zeros(1, 1, SIDE, SIDE, device="cuda")
    with FlopCounterMode(display=False) as count:
        output = generator(image)
        critic(image, image).mean().backward()
        critic(output.detach(), image).mean().backward()
        critic.requires_grad_(False)
        critic(output, image).mean().backward()
    return float(count.get_total_flops())


def peak() -> float:
    """Operations a second of a product of two bf16 matrices."""
    one, other = torch.randn(2, SIDE_OF_PRODUCT, SIDE_OF_PRODUCT, device="cuda").bfloat16()
    seconds = []
    for _ in range(20):
        torch.cuda.synchronize()
        began = time.perf_counter()
        one @ other
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * SIDE_OF_PRODUCT**3 / statistics.median(seconds)


@pytest.mark.parametrize("speedup", ["none", "compile", "graphs"])
@pytest.mark.parametrize("batch", BATCHES)
def test_images_a_second(benchmark, compared, batch, speedup):
    found = benchmark.pedantic(rate, (batch, speedup), rounds=1)
    operations, most = operations_an_image(), peak()
    compared(found / PROMISE, beside=f"{PROMISE} images/s", target=1.0)
    benchmark.extra_info |= {
        "images/s": round(found, 1),
        "GFLOP an image": round(operations / 1e9, 1),
        "share of a bf16 product's rate": round(found * operations / most, 3),
    }
