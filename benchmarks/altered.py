"""How much worse honest methods denoise slices that `denoisebench verify` has altered.

    python benchmarks/altered.py --data DIR --runs runs          networks of runs, and baselines
    python benchmarks/altered.py --data phantom --runs runs gaussian median nlm wavelet

Validation slices, every other one where there are more than 45; fresh noise on both sides. A line a
method: PSNR, the mean fall over patients in dB, and that of the patient who falls most.
docs/verify.md has the table, and denoisebench/scoring/verify/judge.py the limit that follows.
"""

import argparse
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from denoisebench.data.dataset import DataSet
from denoisebench.data.named import open_data
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.scoring.evaluate import filled
from denoisebench.scoring.opened import open_run
from denoisebench.scoring.result import read_result
from denoisebench.scoring.statistics import by_patient
from denoisebench.scoring.verify.secret import Showing
from denoisebench.task import Task, load_task
from denoisebench.task.noise import noisy_slice
from denoisebench.training.inference import denoise

Image = NDArray[np.float64]
Method = Callable[[Image], Image]
MANY = 45


def networks(runs: Path) -> Iterator[tuple[str, Method]]:
    """The networks of all runs in a folder."""
    for path in sorted(runs.glob("*/result.json")):
        if read_result(path).kind == "network":
            opened = open_run(path.parent, find())
            network, multiple = opened.generator(torch.device("cpu")), opened.multiple
            yield opened.result.method, lambda noisy, n=network, m=multiple: denoise(n, noisy, m)


def baseline(text: str, task: Task) -> Method:
    """A baseline, with the knobs that its expression gives it."""
    (part,) = resolve(text, "baseline", find())
    plugin = build(filled(part, task))
    return lambda noisy: np.asarray(plugin(noisy, task.sigma))


def falls(method: Method, dataset: DataSet, task: Task, salt: int) -> tuple[float, Image]:
    """Mean PSNR of slices as they are, and how many dB each patient's altered ones are behind."""
    slices = dataset.val[:: 2 if len(dataset.val) > MANY else 1]
    psnr: dict[bool, list[float]] = {False: [], True: []}
    for place, one in enumerate(slices):
        for altered in (False, True):
            target = Showing(one, altered, salt, place).slice
            clean = task.to_grey(target.hu)
            output = method(noisy_slice(task, clean, target.digest, salt))
            psnr[altered].append(float(10 * np.log10(255**2 / np.mean((output - clean) ** 2))))
    patients = [one.patient for one in slices]
    before, after = (by_patient(psnr[altered], patients) for altered in (False, True))
    return float(before.mean()), before - after


def main() -> None:
    """Print a line a method."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("baselines", nargs="*")
    parser.add_argument("--data", default="phantom")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    dataset, task, salt = open_data(options.data), load_task("ct-sigma50"), secrets.randbits(64)
    methods = [*networks(options.runs), *((t, baseline(t, task)) for t in options.baselines)]
    for name, method in methods:
        psnr, fall = falls(method, dataset, task, salt)
        line = f"{name:28s} {psnr:6.2f} dB  fall {fall.mean():+.3f}  most {fall.max():+.3f}"
        sys.stdout.write(f"{line}  {len(fall)} patients\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
