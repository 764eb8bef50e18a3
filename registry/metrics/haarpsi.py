"""HaarPSI: similarity of Haar wavelet coefficients."""

import torch
from torch import Tensor

from denoisebench import metric

from ._haarpsi import haar_similarity


@metric("haarpsi", unit="", better="higher", version=1)
@torch.no_grad()
def haarpsi(output: Tensor, target: Tensor) -> Tensor:
    """Haar wavelet perceptual similarity per slice.

    Reisenhofer et al. (2018, doi:10.1016/j.image.2017.11.001). In [0, 1], computed in float64, 1
    for equal slices, black ones included.

    (output, target), each (B, 1, H, W) grey levels, not clipped, sides from 16; an odd last row or
    column is left out → (B,) float64.

    Differs from: piq (equal on even sides; wants values in [0, data_range], infinite where both
    slices are black).
    """
    return haar_similarity(output.double(), target.double())
