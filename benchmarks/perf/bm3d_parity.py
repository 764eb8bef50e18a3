"""PSNR of `bm3d_torch` beside the wheel's on each test slice of a folder.

    python benchmarks/perf/bm3d_parity.py ../shared/ct [--task ct-sigma50] [--slices 51]

The wheel's outputs are taken from the cache folder where they are known (their seconds are those of
then), and computed otherwise. Ends with 1 where a slice differs by more than 0.1 dB.
"""

import argparse
import sys
import time

import numpy as np
import torch
from denoisebench.registry.baselines.bm3d_torch import bm3d_torch

from denoisebench.data.named import open_data
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.scoring import denoisers
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice

PROMISE_DB = 0.1


def psnr(output: np.ndarray, clean: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((output - clean) ** 2)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="phantom")
    parser.add_argument("--task", default="ct-sigma50")
    parser.add_argument("--slices", type=int)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    task, device = load_task(given.task), torch.device(given.device)
    slices = open_data(given.data).test[: given.slices]
    (part,) = resolve("bm3d", "baseline", find())
    pairs = [(noisy_slice(task, clean, one.digest), clean)
             for one in slices for clean in [task.to_grey(one.hu)]]  # fmt: skip
    wheel = denoisers.baseline(part, task.sigma)(noisy for noisy, _ in pairs)
    rows, say = [], sys.stdout.write
    say(f"{'slice':12}{'wheel':>9}{'ours':>9}{'ours - wheel':>14}{'wheel s':>9}{'ours s':>8}\n")
    for one, (noisy, clean), theirs in zip(slices, pairs, wheel, strict=True):
        began = time.perf_counter()
        batch = torch.from_numpy(noisy)[None, None].to(device)
        ours = bm3d_torch(batch, task.sigma)[0, 0].cpu().numpy()
        seconds = time.perf_counter() - began
        row = (psnr(theirs.image, clean), psnr(ours, clean), theirs.seconds, seconds)
        rows.append(row)
        say(f"{one.digest[:10]:12}{row[0]:9.3f}{row[1]:9.3f}{row[1] - row[0]:+14.3f}"
            f"{row[2]:9.2f}{row[3]:8.2f}\n")  # fmt: skip
        sys.stdout.flush()
    table = np.array(rows)
    apart = table[:, 1] - table[:, 0]
    say(f"{len(rows)} slices, {task.name}, {device}, {torch.get_num_threads()} threads: "
        f"wheel {table[:, 0].mean():.3f} dB, ours {table[:, 1].mean():.3f} dB; "
        f"difference {apart.mean():+.3f}, {apart.min():+.3f} to {apart.max():+.3f}; "
        f"median {np.median(table[:, 2]):.2f} and {np.median(table[:, 3]):.2f} s\n")  # fmt: skip
    return int(np.abs(apart).max() > PROMISE_DB)


if __name__ == "__main__":
    sys.exit(main())
