"""GMSD: how unevenly gradients differ over a slice."""

import torch
from torch import Tensor

from denoisebench import metric

from ._gmsd import gradient_similarity


@metric(
    "gmsd",
    unit="",
    better="lower",
    version=1,
    known={
        "prefers_less_noise": "it measures how unevenly gradients differ: where noise has drowned "
        "all of them, more noise makes them no less even"
    },
)
@torch.no_grad()
def gmsd(output: Tensor, target: Tensor) -> Tensor:
    """Gradient magnitude similarity deviation per slice (Xue et al., 2014, arXiv:1308.3052).

    The standard deviation over the slice of the similarity of gradient magnitudes; in float64, 0
    for equal slices. It measures spread: an error that is the same everywhere costs nothing, and
    beyond a noise that drowns every edge (about 50 grey levels) the value stays.

    (output, target), each (B, 1, H, W) grey levels, not clipped; an odd last row or column is left
    out → (B,) float64.

    Differs from: piq (equal on even sides, but wants values in [0, data_range]; pads odd sides).
    """
    similar = gradient_similarity(output.double() / 255, target.double() / 255)
    return similar.std(dim=(1, 2, 3), correction=0)
