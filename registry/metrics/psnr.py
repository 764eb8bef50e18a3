"""PSNR over the whole slice."""

import torch
from torch import Tensor

from denoisebench import metric


@metric("psnr", unit="dB", better="higher", version=1)
def psnr(output: Tensor, target: Tensor, *, peak: float = 255.0) -> Tensor:
    """Peak signal-to-noise ratio per slice; infinite for equal slices.

    (output, target), each (B, 1, H, W) grey levels, not clipped → (B,) float64.

    Differs from: piq (adds 1e-8 to the error, so it ends at 80 dB; wants values in [0, peak]).

    Knobs:
        peak: the grey level that counts as full signal.
    """
    error = (output.double() - target.double()).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(peak**2 / error)
