"""audit.png: the places where an output contradicts its input most."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from denoisebench.task.task import PEAK

HALF = 32  # pixels from the place to the crop's edge
Z_SHOWN = 8.0  # at the ends of the z-map's colours
CLEAR_HU = 10.0  # below it the clean slice takes no side

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Crop:
    """A place with what surrounds it.

    Attributes:
        words: what is known of it: slice, row, column, z, error_hu.
        z: of the place.
        panels: name → (2·HALF + 1)² pixels; NaN beyond the slice.
    """

    words: dict[str, Any]
    z: float
    panels: dict[str, Image]

    @classmethod
    def cut(
        cls, words: dict[str, Any], clean: Image, noisy: Image, output: Image, z: Image
    ) -> "Crop":
        """Cut a place out of whole slices, (H, W) each."""
        row, column = words["row"], words["column"]
        panels = {}
        for name, image in {"clean": clean, "noisy": noisy, "output": output, "z": z}.items():
            wide = np.pad(image, HALF, constant_values=np.nan)
            panels[name] = wide[row : row + 2 * HALF + 1, column : column + 2 * HALF + 1]
        return cls(words, float(words["z"]), panels)

    @property
    def caption(self) -> str:
        """What the place is, in words."""
        z, error = self.words["z"], self.words["error_hu"]
        side = "darker" if z > 0 else "brighter"
        first = f"z {z:+.1f}: output {side} than its input"
        if abs(error) < CLEAR_HU or (error > 0) == (z > 0):
            return first
        return f"{first}\nand {abs(error):.0f} HU {side} than the clean slice"


def save_worst(path: Path, crops: Sequence[Crop], method: str) -> None:
    """Draw places, one a row: clean, noisy, output, z-map.

    Args:
        path: of the PNG.
        crops: may be none; then the picture says so.
        method: name of what made the outputs.
    """
    rows = max(1, len(crops))
    figure = Figure(figsize=(8.4, 0.5 + 2.2 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, 4, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    if not crops:
        figure.suptitle(f"{method}: no place where the output contradicts its input", fontsize=9)
    for axes, crop in zip(grid, crops, strict=False):
        shown = _row(axes, crop)
    if crops:
        figure.suptitle(f"{method}: where the output contradicts its input most", fontsize=10)
        bar = figure.colorbar(shown, ax=grid[:, 3], shrink=0.5)
        bar.set_label("z: red, the input is brighter than the output")
    beside = path.with_suffix(".writing")
    figure.savefig(beside, format="png", metadata={"Software": "denoisebench"})
    beside.replace(path)


def _row(axes: Sequence[Axes], crop: Crop) -> Any:
    for axis, (name, image) in zip(axes, crop.panels.items(), strict=True):
        if name == "z":
            shown = axis.imshow(image, cmap="RdBu_r", vmin=-Z_SHOWN, vmax=Z_SHOWN)
        else:
            axis.imshow(image, cmap="gray", vmin=0, vmax=PEAK, interpolation="nearest")
        axis.add_patch(Circle((HALF, HALF), 9, fill=False, color="gold", linewidth=0.9))
        axis.set_title(name, fontsize=8)
    axes[0].text(0, 1.16, crop.caption, transform=axes[0].transAxes, fontsize=8, va="bottom")
    return shown
