"""Networks as denoisers: what `Inference` adds to a bare call, and what tiles cost.

    python -m pytest benchmarks/perf/test_inference.py --benchmark-only

By turns in one process, with two threads on a CPU; on a GPU also several slices at once beside one
by one.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from denoisebench.data.phantom import draw
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.scoring import denoisers
from denoisebench.task import load_task
from denoisebench.task.task import from_network, to_network
from denoisebench.training.inference import denoise

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
MULTIPLE, TURNS, SIGMA = 16, 5, 50
TILE, TILED = 640, 1120  # sides; four tiles that overlap by 160


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    (part,) = resolve("resunet", "generator", find())
    return build(part).to(DEVICE).eval()


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def noisy(side: int, count: int = 1) -> list[np.ndarray]:
    """Phantoms' abdomens, repeated to a side, with noise."""
    task, random = load_task("ct-sigma50"), np.random.default_rng(side)
    times = -(-side // 512)
    clean = [np.tile(task.to_grey(draw(patient, 2)), (times, times)) for patient in range(count)]
    return [grey[:side, :side] + random.normal(0, SIGMA, (side, side)) for grey in clean]


def by_turns(benchmark, ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """How many times as long ours take, the median over turns."""
    ratios = []

    def turn() -> None:
        began = time.perf_counter()
        ours()
        middle = time.perf_counter()
        theirs()
        ratios.append((middle - began) / (time.perf_counter() - middle))

    turn()
    ratios.clear()
    benchmark.pedantic(turn, rounds=TURNS)
    return statistics.median(ratios)


def bare(network: torch.nn.Module, slices: list[np.ndarray]) -> list[np.ndarray]:
    """What a script would do."""
    with torch.inference_mode():
        images = (torch.from_numpy(one)[None, None].float().to(DEVICE) for one in slices)
        outputs = [from_network(network(to_network(image))) for image in images]
        return [output[0, 0].double().cpu().numpy() for output in outputs]


def test_a_slice_beside_a_bare_call(benchmark, compared, network):
    slices = noisy(512)
    ours = denoise(network, slices[0], MULTIPLE)
    # 1e-3 grey levels: where slices are scaled and cast differs
    assert ours == pytest.approx(bare(network, slices)[0], abs=1e-3)
    ratio = by_turns(
        benchmark, lambda: denoise(network, slices[0], MULTIPLE), lambda: bare(network, slices)
    )
    compared(ratio, beside="a bare call, 512²", target=1.1, at_most=True)


def test_tiles_beside_the_whole(benchmark, compared, network):
    """Four tiles of 640² hold 1.31 times the pixels of 1120²."""
    (large,) = noisy(TILED)
    ratio = by_turns(
        benchmark,
        lambda: denoise(network, large, MULTIPLE, tile=TILE),
        lambda: denoise(network, large, MULTIPLE),
    )
    compared(ratio, beside=f"the whole, {TILED}²", target=1.31 * 1.25, at_most=True)


@pytest.mark.skipif(DEVICE.type == "cpu", reason="a CPU is given one slice at a time")
def test_several_slices_at_once_beside_one_by_one(benchmark, compared, network):
    slices = noisy(512, count=4) * 8

    def singly() -> list[np.ndarray]:
        return [denoise(network, one, MULTIPLE) for one in slices]

    together = denoisers.network(network, MULTIPLE)
    for one, other in zip(together(slices), singly(), strict=True):
        # Grey levels of 255; TF32 convolutions keep ten bits of each product.
        assert one.image == pytest.approx(other, abs=0.2)
    ratio = by_turns(benchmark, singly, lambda: list(together(slices)))
    compared(ratio, beside="one by one, 32 slices of 512²", target=1.0)
