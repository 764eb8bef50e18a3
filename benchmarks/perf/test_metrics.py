"""PSNR, SSIM and LPIPS beside the packages that others take them from, by turns in one process.

    python -m pytest benchmarks/perf/test_metrics.py --benchmark-only

Both sides have two threads of torch; scikit-image takes one. Ours are measured as a run measures
them. The weights of LPIPS must be in the cache folder: denoisebench weights fetch lpips.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from denoisebench import Unavailable, compat, load_weights
from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.scoring.denoisers import Denoised
from denoisebench.scoring.evaluate import evaluate, measured
from denoisebench.task import load_task

PATIENTS, SLICES, PAIRS, TURNS = 4, 100, 8, 5
SKIMAGE = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}

Pair = tuple[Tensor, Tensor]
"""(output, target), each (1, 1, 512, 512) grey levels."""


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """Noisy abdomens beyond 0–255, and clean ones."""
    task, random = load_task("ct-sigma50"), np.random.default_rng(50)
    clean = [task.to_grey(draw(patient, 2)) for patient in range(PATIENTS)]
    noisy = [grey + random.normal(0, 50, grey.shape) for grey in clean]
    return [tuple(torch.from_numpy(each)[None, None] for each in two)
            for two in zip(noisy, clean, strict=True)]  # fmt: skip


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def ours(*names: str) -> Callable[[Pair], list[float | None]]:
    """What a run measures a slice by."""
    parts = [resolve(name, "metric", find())[0] for name in names]
    measures = [(part.text, build(part)) for part in parts]

    def measure(pair: Pair) -> list[float | None]:
        return [measured(each, *pair, name, {})[0] for name, each in measures]

    return measure


def by_turns(
    benchmark, ours: Callable[[Pair], list[float]], theirs: Callable[[Pair], list[float]],
    pairs: list[Pair], tolerances: list[float],
) -> float:  # fmt: skip
    """How many times as fast ours are, the median over turns; their values are the same."""
    taken: dict[str, list[float]] = {"ours": [], "theirs": []}

    def turn() -> None:
        values, began = [], time.perf_counter()
        for side in (ours, theirs):
            values.append([side(pair) for pair in pairs])
            taken["ours" if side is ours else "theirs"].append(time.perf_counter() - began)
            began = time.perf_counter()
        for first, second in zip(*values, strict=True):
            for mine, other, tolerance in zip(first, second, tolerances, strict=True):
                assert mine == pytest.approx(other, abs=tolerance, rel=0)

    for side in (ours, theirs):  # both have loaded what they load
        side(pairs[0])
    benchmark.pedantic(turn, rounds=TURNS)
    ratios = [other / mine for mine, other in zip(taken["ours"], taken["theirs"], strict=True)]
    for side, seconds in taken.items():
        benchmark.extra_info[f"{side}, ms a slice"] = statistics.median(seconds) / len(pairs) * 1e3
    return statistics.median(ratios)


def test_psnr_and_ssim_beside_skimage(benchmark, compared, pairs):
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    def skimage(pair: Pair) -> list[float]:
        output, target = (each[0, 0].numpy() for each in pair)
        return [
            peak_signal_noise_ratio(target, output, data_range=255),
            structural_similarity(target, output, data_range=255, **SKIMAGE),
        ]

    many = [pairs[number % len(pairs)] for number in range(SLICES)]
    # 1e-10 dB: float64 sums in another order; 1e-7: and a window rounded otherwise
    ratio = by_turns(benchmark, ours("psnr", "ssim"), skimage, many, [1e-10, 1e-7])
    compared(ratio, beside="scikit-image, slice by slice", target=3.0)


def test_lpips_beside_its_package(benchmark, compared, pairs):
    try:
        tensors = load_weights("lpips-alex")
    except Unavailable as reason:
        pytest.skip(str(reason))
    model = package(tensors)

    def lpips(pair: Pair) -> list[float]:
        rgb = [(each.float().clamp(0, 255) / 127.5 - 1).expand(-1, 3, -1, -1) for each in pair]
        with torch.no_grad():
            return [model(*rgb).item()]

    many = [pairs[number % len(pairs)] for number in range(PAIRS)]
    # 1e-6: float32 convolutions summed otherwise
    ratio = by_turns(benchmark, ours("lpips"), lpips, many, [1e-6])
    compared(ratio, beside="the package lpips, slice by slice", target=1.5)


def package(tensors: dict[str, Tensor]) -> nn.Module:
    """The package's network with its own heads; its backbone is put in, not downloaded."""
    compat.prepare()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on how it asks for an untrained backbone
        from lpips import LPIPS

        model = LPIPS(net="alex", pnet_rand=True, verbose=False)
    layers = [layer for layer in model.net.modules() if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for index, layer in enumerate(layers):
            layer.weight.copy_(tensors[f"features.{index}.weight"])
            layer.bias.copy_(tensors[f"features.{index}.bias"])
    return model


def test_evaluation_beside_its_metrics(benchmark, compared, pairs):
    """What `evaluate` does beside noise, denoising and measuring: next to nothing."""
    task = load_task("ct-sigma50").model_copy(update={"metrics": ("psnr", "ssim", "psnr_body")})
    test = tuple(Slice(draw(p, 2), f"patient {p}", str(p)) for p in range(PATIENTS))
    data, measure = DataSet("perf", (), (), test), ours(*task.metrics)
    denoised = [Denoised(output[0, 0].numpy(), 0.0) for output, _ in pairs]
    catalogue, ratios = find(), []

    def turn() -> None:
        began = time.perf_counter()
        # It takes no noisy slice, so none is made.
        evaluate(lambda noisy: iter(denoised), data, task, catalogue)
        middle = time.perf_counter()
        for pair in pairs:
            measure(pair)
        ratios.append((middle - began) / (time.perf_counter() - middle))

    turn()
    ratios.clear()
    benchmark.pedantic(turn, rounds=TURNS)
    ratio = statistics.median(ratios)
    compared(ratio, beside="its metrics alone, no LPIPS", target=1.25, at_most=True)
