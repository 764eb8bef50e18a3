"""Draw docs/equal_mse.png: six distortions of one slice with one MSE, and what metrics say of them.

    python docs/figures/equal_mse.py

prints the table that docs/metrics.md shows.
"""

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, shift

from denoisebench.data.phantom import draw
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.task import load_task

Grey = NDArray[np.float64]

MSE = 150.0  # 26.4 dB
METRICS = ("psnr", "ssim", "ms_ssim", "haarpsi", "gmsd", "vif", "lpips", "dists")
OUT = Path(__file__).parents[1] / "equal_mse.png"


def white(clean: Grey) -> Grey:
    """Noise as the tasks add it."""
    return clean + np.random.default_rng(0).normal(size=clean.shape)


def correlated(clean: Grey) -> Grey:
    """Noise whose grains are some pixels wide, as a smooth reconstruction kernel leaves them."""
    return clean + gaussian_filter(np.random.default_rng(0).normal(size=clean.shape), 2)


def blurred(clean: Grey) -> Grey:
    """What a denoiser that averages too much leaves."""
    return gaussian_filter(clean, 3)


def blocks(clean: Grey) -> Grey:
    """JPEG at quality 3."""
    file = io.BytesIO()
    Image.fromarray(np.rint(clean).astype(np.uint8)).save(file, "JPEG", quality=3)
    return np.asarray(Image.open(file), dtype=np.float64)


def brighter(clean: Grey) -> Grey:
    """Every value a little higher: an offset in HU."""
    return clean + 1


def moved(clean: Grey) -> Grey:
    """The same slice, two pixels to the right."""
    return shift(clean, (0, 2), order=1, mode="nearest")


DISTORTIONS: dict[str, Callable[[Grey], Grey]] = {
    "white noise": white,
    "correlated noise": correlated,
    "blur": blurred,
    "JPEG blocks": blocks,
    "offset": brighter,
    "shift": moved,
}


def at_equal_mse(clean: Grey, distorted: Grey) -> Grey:
    """Scale the difference so that its mean square is MSE."""
    difference = distorted - clean
    return clean + difference * np.sqrt(MSE / np.mean(difference**2))


def main() -> None:
    """Draw the figure and print the table."""
    clean = load_task("ct-sigma50").to_grey(draw(3, 2))
    catalogue = find()
    measures = {name: build(resolve(name, "metric", catalogue)[0]) for name in METRICS}
    figure, axes = plt.subplots(2, 4, figsize=(13, 7), layout="constrained")
    places = axes.T.flatten()  # the clean slice fills the first column's top
    for axis in places:
        axis.set_axis_off()
    places[0].imshow(clean, cmap="gray", vmin=0, vmax=255)
    places[0].set_title("clean")
    print("| at an MSE of " + f"{MSE:g} | " + " | ".join(METRICS) + " |")
    print("|---|" + "---:|" * len(METRICS))
    for axis, (name, distort) in zip(places[2:], DISTORTIONS.items(), strict=True):
        image = at_equal_mse(clean, distort(clean))
        pair = [torch.from_numpy(each)[None, None] for each in (image, clean)]
        values = {metric: float(measure(*pair)[0]) for metric, measure in measures.items()}
        print(f"| {name} | " + " | ".join(f"{values[metric]:.3f}" for metric in METRICS) + " |")
        axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        axis.set_title(
            f"{name}\n{values['psnr']:.1f} dB · SSIM {values['ssim']:.2f} · "
            f"LPIPS {values['lpips']:.2f}",
            fontsize=10,
        )
    figure.savefig(OUT, dpi=90)


if __name__ == "__main__":
    main()
