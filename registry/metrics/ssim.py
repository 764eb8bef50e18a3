"""SSIM as its paper defines it."""

import torch
from torch import Tensor

from denoisebench import UsageError, metric

from ._smooth import gaussian, smooth

WINDOW = 11


@metric("ssim", unit="", better="higher", version=1)
def ssim(output: Tensor, target: Tensor, *, peak: float = 255.0) -> Tensor:
    """Mean structural similarity per slice (Wang et al., 2004, doi:10.1109/TIP.2003.819861).

    Gaussian window of 11 with standard deviation 1.5, K1 = 0.01, K2 = 0.03, population covariance,
    mean over the region that the window fits into; computed in float64, 1 for equal slices.

    (output, target), each (B, 1, H, W) grey levels, not clipped, sides from 11 → (B,) float64.

    Differs from: scikit-image's default (uniform window of 7, sample covariance; equal with
    gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255), piq's default
    (average-pools first where the short side is 384 or more; equal with downsample=False).

    Knobs:
        peak: the range L of the grey levels.
    """
    height, width = output.shape[-2:]
    if min(height, width) < WINDOW:
        raise UsageError(f"ssim needs sides of at least {WINDOW}, got {height} × {width}")
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    first, second = output.double(), target.double()
    # SSIM needs the sum of the variances only: four moments, not five.
    moments = torch.stack([first, second, first.square() + second.square(), first * second])
    first, second, squares, product = smooth(moments, gaussian(WINDOW, 1.5))
    both, squared = first * second, first.square() + second.square()
    structure = (2 * (product - both) + c2) / (squares - squared + c2)
    luminance = (2 * both + c1) / (squared + c1)
    return (structure * luminance).mean(dim=(1, 2, 3))
