"""FFT: the absolute difference of Fourier spectra."""

import torch
from torch import Tensor

from denoisebench import loss


@loss("fft", weight=100)
def fft(output: Tensor, target: Tensor) -> Tensor:
    """Mean magnitude of the difference's 2-D spectrum; 0 at equality.

    The frequency reconstruction loss of MIMO-UNet (Cho et al., 2021, arXiv:2108.05054) on
    one scale, with the orthonormal transform: white errors cost 1.11 times what they cost in `l1`
    whatever the patch, and errors of a pattern, which few frequencies hold, cost less.

    The weight beside an adversarial term is that of `l1`.
    """
    return torch.fft.fft2(output - target, norm="ortho").abs().mean()
