"""The worst places of a slice: contradictions, inventions and lost lesions, cut out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.scan import Slice
from denoisebench.scoring.audit.sites import Place

HALF = 32  # pixels from the place to the crop's edge
OF_A_KIND = 2  # places that are listed and drawn

Image = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """What there is to see of a slice under one noise; (H, W) each."""

    slice: Slice
    clean: Image
    noisy: Image
    output: Image
    z: Image


@dataclass(frozen=True)
class Crop:
    """A place with what surrounds it.

    Attributes:
        kind: "contradiction", "invented" or "lost lesion".
        worse: places of a kind are ordered by it.
        words: what is known of the place, as audit.json has it.
        panels: name → (2·HALF + 1)² pixels; NaN beyond the slice.
    """

    kind: str
    worse: float
    words: dict[str, Any]
    panels: dict[str, Image]


def cut(view: View, place: Place, kind: str, worse: float, what: str) -> Crop:
    """Cut a place out of a slice.

    Args:
        what: the place in words: the picture's caption.
    """
    row, column = place
    panels = {}
    shown = {"clean": view.clean, "noisy": view.noisy, "output": view.output, "z-map": view.z}
    for name, image in shown.items():
        wide = np.pad(image, HALF, constant_values=np.nan)
        panels[name] = wide[row : row + 2 * HALF + 1, column : column + 2 * HALF + 1]
    words = {
        "kind": kind,
        "what": what,
        "slice": view.slice.digest[:16],
        "patient": view.slice.patient,
        "row": row,
        "column": column,
        "z": round(float(view.z[place]), 2),
    }
    return Crop(kind, worse, words, panels)


def contradiction(view: View, place: Place, threshold: float) -> Crop:
    """Where output and input differ by more than noise; below the threshold it is only listed."""
    z = float(view.z[place])
    side = "darker" if z > 0 else "brighter"
    rank = "" if abs(z) >= threshold else f", as noise may do (below {threshold:.1f})"
    what = f"output {side} than its input: z {z:+.1f}{rank}"
    return cut(view, place, "contradiction", abs(z), what)


def invention(view: View, place: Place, strength_hu: float) -> Crop:
    """A disc of the output that the clean slice lacks."""
    what = f"invented: {strength_hu:+.0f} HU that the clean slice has not"
    return cut(view, place, "invented", abs(strength_hu), what)


def loss(view: View, place: Place, contrast_hu: float, share: float) -> Crop:
    """A lesion that the denoiser took away."""
    what = f"lesion of {contrast_hu:+.0f} HU put in: {100 * share:.0f} % of it left"
    return cut(view, place, "lost lesion", (1 - share) * abs(contrast_hu), what)


def worst(crops: Iterable[Crop]) -> Sequence[Crop]:
    """Keep the worst of each kind."""
    kept: list[Crop] = []
    for crop in sorted(crops, key=lambda each: (each.kind, -each.worse)):
        if sum(crop.kind == other.kind for other in kept) < OF_A_KIND:
            kept.append(crop)
    return kept
