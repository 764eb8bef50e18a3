"""PSNR of `bm3d_torch` beside the wheel's on each test slice of a folder.

    python benchmarks/perf/bm3d_parity.py ../shared/ct [--task ct-sigma50] [--slices 51]
    python benchmarks/perf/bm3d_parity.py ../shared/ct --slices 3 --side-by-side

The wheel's outputs come from the cache folder where they are known (their seconds are those of
then). Side by side, all is computed here and now, by deepinv too where it and ptwt are installed (a
minute or two a slice on a CPU). Ends with 1 where ours is more than 0.1 dB off the wheel.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec

import numpy as np
import torch
from denoisebench.registry.baselines.bm3d import bm3d
from denoisebench.registry.baselines.bm3d_torch import bm3d_torch

from denoisebench.compat import prepare
from denoisebench.data.named import open_data
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.scoring import denoisers
from denoisebench.scoring.denoisers import Denoised, Denoiser, Image
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice

PROMISE_DB = 0.1


def psnr(output: Image, clean: Image) -> float:
    return float(10 * np.log10(255**2 / np.mean((output - clean) ** 2)))


def timed(denoise: Callable[[Image], Image]) -> Denoiser:
    def run(noisy_slices: Iterable[Image]) -> Iterator[Denoised]:
        for noisy in noisy_slices:
            began = time.perf_counter()
            image = denoise(noisy)
            yield Denoised(image, time.perf_counter() - began)

    return run


def on_tensors(denoise: Callable[[torch.Tensor], torch.Tensor], device: torch.device) -> Denoiser:
    def run(noisy: Image) -> Image:
        with torch.no_grad():
            return denoise(torch.from_numpy(noisy)[None, None].to(device))[0, 0].cpu().numpy()

    return timed(run)


def hands(sigma: float, device: torch.device, side_by_side: bool) -> dict[str, Denoiser]:
    """Those who denoise, by name."""
    (part,) = resolve("bm3d", "baseline", find())
    found = {
        "wheel": timed(lambda noisy: bm3d(noisy, sigma)) if side_by_side
        else denoisers.baseline(part, sigma),
        "ours": on_tensors(lambda noisy: bm3d_torch(noisy, sigma), device),
    }  # fmt: skip
    if side_by_side and find_spec("deepinv") and find_spec("ptwt"):
        prepare()
        from deepinv.models import BM3D

        theirs = BM3D(use_legacy=False, device=device)
        found["deepinv"] = on_tensors(
            lambda noisy: theirs(noisy.float() / 255, sigma / 255) * 255, device
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="phantom")
    parser.add_argument("--task", default="ct-sigma50")
    parser.add_argument("--slices", type=int)
    parser.add_argument("--side-by-side", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    task, device = load_task(given.task), torch.device(given.device)
    slices = open_data(given.data).test[: given.slices]
    clean = [task.to_grey(one.hu) for one in slices]
    noisy = [noisy_slice(task, grey, one.digest) for grey, one in zip(clean, slices, strict=True)]
    found = hands(task.sigma, device, given.side_by_side)
    say, values, seconds = sys.stdout.write, [], []
    say(f"{'slice':10}" + "".join(f"{name + ' dB':>12}{'s':>8}" for name in found) + "\n")
    turns = zip(slices, clean, *(denoise(noisy) for denoise in found.values()), strict=True)
    for one, grey, *outputs in turns:
        values.append([psnr(output.image, grey) for output in outputs])
        seconds.append([output.seconds for output in outputs])
        row = zip(values[-1], seconds[-1], strict=True)
        say(f"{one.digest[:10]:10}" + "".join(f"{db:12.3f}{s:8.2f}" for db, s in row) + "\n")
        sys.stdout.flush()
    table = np.array(values)
    say(f"{len(values)} slices, {task.name}, {device}, {torch.get_num_threads()} threads\n")
    for name, db, median in zip(found, table.mean(axis=0), np.median(seconds, axis=0), strict=True):
        apart = table[:, list(found).index(name)] - table[:, 0]
        say(f"{name}: {db:.3f} dB, {median:.2f} s a slice; to the wheel {apart.mean():+.3f} dB, "
            f"{apart.min():+.3f} to {apart.max():+.3f}\n")  # fmt: skip
    return int(np.abs(table[:, 1] - table[:, 0]).max() > PROMISE_DB)


if __name__ == "__main__":
    sys.exit(main())
