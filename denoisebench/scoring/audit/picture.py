"""audit.png: the worst places of an audit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from denoisebench import atomic
from denoisebench.scoring.audit.places import HALF, Crop
from denoisebench.scoring.preview import default_style
from denoisebench.task.task import PEAK

Z_SHOWN = 8.0  # at the ends of the z-map's colours
CIRCLE = 10  # pixels: twice a lesion's radius


@default_style()
def save_worst(path: Path, crops: Sequence[Crop], method: str) -> None:
    """Draw places, one a row: clean, noisy, output, z-map.

    Args:
        path: of the PNG.
        crops: at least one.
        method: name of what made the outputs.
    """
    figure = Figure(figsize=(7.6, 0.4 + 2.0 * len(crops)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(hspace=0.03)  # type: ignore[union-attr, call-arg]
    figure.suptitle(f"{method}: worst places of the audit", fontsize=10)
    rows = figure.subfigures(len(crops), 1, squeeze=False)[:, 0]
    for row, crop in zip(rows, crops, strict=True):
        row.suptitle(crop.words["what"], fontsize=9, x=0.01, ha="left")
        axes = row.subplots(1, len(crop.panels))
        shown = _panels(axes, crop)
        bar = row.colorbar(shown, ax=axes[-1], shrink=0.8)
        bar.ax.tick_params(labelsize=7)
    with atomic.replacing(path) as file:
        figure.savefig(file, format="png", metadata={"Software": "denoisebench"})


def _panels(axes: Sequence[Axes], crop: Crop) -> Any:
    for axis, (name, image) in zip(axes, crop.panels.items(), strict=True):
        if name == "z-map":
            shown = axis.imshow(image, cmap="RdBu_r", vmin=-Z_SHOWN, vmax=Z_SHOWN)
        else:
            axis.imshow(image, cmap="gray", vmin=0, vmax=PEAK, interpolation="nearest")
        axis.add_patch(Circle((HALF, HALF), CIRCLE, fill=False, color="gold", linewidth=0.9))
        axis.set_title(name, fontsize=8)
        axis.set_axis_off()
    return shown
