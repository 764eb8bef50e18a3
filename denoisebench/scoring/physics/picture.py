"""physics.png: noise power and sharpness over spatial frequency."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from denoisebench import atomic
from denoisebench.scoring.preview import default_style
from denoisebench.scoring.result import Curve


@default_style()
def save_curves(path: Path, curves: Mapping[str, Curve], method: str) -> None:
    """Draw the noise power spectrum, and beside it the TTF of each contrast.

    Args:
        path: of the PNG.
        curves: by name; those that begin with TTF share the second plot.
        method: name of what made the outputs.
    """
    figure = Figure(figsize=(9.2, 3.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.suptitle(method, fontsize=10)
    for name, curve in curves.items():
        is_transfer = name.startswith("TTF")
        axis = right if is_transfer else left
        # Colour says how strong the edge is, the dash that it is darker than what surrounds it.
        style = {"linestyle": "--" if " -" in name else "-"}
        if is_transfer:
            style["color"] = "tab:blue" if "100" in name else "tab:orange"
        axis.plot(curve.x, curve.y, label=name, **style)
        axis.set_xlabel(curve.x_label)
        axis.set_ylabel(curve.y_label)
    left.set_ylim(bottom=0)
    right.set_ylim(0, 1.3)
    right.axhline(0.5, color="0.7", linewidth=0.8)
    for axis in (left, right):
        axis.set_xlim(left=0)
        axis.legend(fontsize=8, frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    with atomic.replacing(path) as file:
        figure.savefig(file, format="png", metadata={"Software": "denoisebench"})
