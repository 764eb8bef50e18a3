"""Draw docs/with_and_without.png: one network without and with a GAN, beside BM3D, closely.

    python docs/figures/with_and_without.py RUNS

RUNS holds the runs of benchmarks/boards/phantom-sigma50.toml. A test slice of the phantom; below
each picture is what it has that the clean slice has not.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import denoisebench as db
from denoisebench.data.named import open_data
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice

OUT = Path(__file__).parents[1] / "with_and_without.png"
SLICE, ROWS, COLUMNS = 2, slice(90, 250), slice(30, 230)
METHODS = ("resunet-l1", "resunet-cgan+l1")


def main() -> None:
    """Draw the figure."""
    runs, task, catalogue = Path(sys.argv[1]), load_task("ct-sigma50"), find()
    one = open_data("phantom").test[SLICE]
    clean = task.to_grey(one.hu)
    noisy = noisy_slice(task, clean, one.digest)
    (bm3d,) = resolve("bm3d", "baseline", catalogue)
    images = {"clean": clean, "noisy": noisy, "bm3d": build(bm3d)(noisy, task.sigma)}
    for name in METHODS:
        found = [db.load(folder) for folder in runs.glob(f"{name}-*")]
        (run,) = (run for run in found if run.recipe and run.recipe.seed == 0)
        images[run.result.method] = run.denoise(noisy, input="grey")
    measures = {
        metric: build(resolve(metric, "metric", catalogue)[0]) for metric in ("psnr", "lpips")
    }

    figure, axes = plt.subplots(2, len(images), figsize=(13, 4.6), layout="constrained")
    for (above, below), (name, image) in zip(axes.T, images.items(), strict=True):
        above.set_axis_off()
        below.set_axis_off()
        above.imshow(image[ROWS, COLUMNS], cmap="gray", vmin=0, vmax=255)
        if name == "clean":
            above.set_title("clean")
            below.text(1, 0.5, "output minus clean,\n±40 grey levels", ha="right", va="center")
            continue
        pair = [torch.from_numpy(np.asarray(each))[None, None] for each in (image, clean)]
        psnr, lpips = (float(measures[metric](*pair)[0]) for metric in ("psnr", "lpips"))
        above.set_title(f"{name}\n{psnr:.1f} dB · LPIPS {lpips:.2f}", fontsize=10)
        error = (image - clean)[ROWS, COLUMNS]
        below.imshow(error, cmap="RdBu_r", vmin=-40, vmax=40)
    figure.savefig(OUT, dpi=90)


if __name__ == "__main__":
    main()
