"""preview.png: clean, noisy, BM3D where there is one, output and error, all in one window."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from denoisebench import atomic
from denoisebench.scoring.evaluate import Example
from denoisebench.task.task import PEAK, psnr_of

ERROR_SHOWN = 32.0  # grey levels at the ends of the error map's colours


@contextmanager
def default_style() -> Iterator[None]:
    """Draw as matplotlib does unasked: a matplotlibrc in the current folder may start LaTeX."""
    with mpl.rc_context():
        mpl.rcdefaults()
        yield


@default_style()
def save_preview(
    path: Path, example: Example, method: str, references: dict[str, NDArray[np.float64]]
) -> None:
    """Draw one test slice side by side.

    Args:
        path: of the PNG.
        example: the slice.
        method: name of what made the output.
        references: method → its output of the same slice, for instance BM3D's.
    """
    panels = {"clean": example.clean, "noisy": example.noisy, **references, method: example.output}
    figure = Figure(figsize=(3.2 * (len(panels) + 1), 3.55), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels) + 1)
    for axis, (name, image) in zip(axes, panels.items(), strict=False):
        axis.imshow(image, cmap="gray", vmin=0, vmax=PEAK, interpolation="nearest")
        axis.set_title(name if name == "clean" else f"{name}\n{_psnr(image, example.clean)}")
    error = axes[-1].imshow(
        example.output - example.clean,
        cmap="RdBu_r",
        vmin=-ERROR_SHOWN,
        vmax=ERROR_SHOWN,
        interpolation="nearest",
    )
    axes[-1].set_title("error\noutput - clean")
    figure.colorbar(error, ax=axes[-1], shrink=0.8, label="grey levels")
    for axis in axes:
        axis.set_axis_off()
        axis.title.set_fontsize(9)
        axis.title.set_verticalalignment("bottom")
    with atomic.replacing(path) as file:
        figure.savefig(file, format="png", metadata={"Software": "denoisebench"})


def _psnr(image: NDArray[np.float64], clean: NDArray[np.float64]) -> str:
    if np.array_equal(image, clean):
        return "exact"
    found = psnr_of(image, clean)
    return f"{found:.2f} dB" if np.isfinite(found) else "not finite"
