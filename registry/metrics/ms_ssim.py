"""MS-SSIM: SSIM over five scales."""

from torch import Tensor

from denoisebench import metric

from ._ms_ssim import similarity


@metric("ms_ssim", unit="", better="higher", version=1)
def ms_ssim(output: Tensor, target: Tensor, *, peak: float = 255.0) -> Tensor:
    """Multi-scale structural similarity per slice.

    Wang et al. (2003, doi:10.1109/ACSSC.2003.1292216). Window and constants of `ssim`, scales
    halved by 2 × 2 means, the paper's five weights; in float64, 1 for equal slices. A scale whose
    mean is negative counts as 0. Slices with a side below 176 are compared on the scales that fit,
    with their weights scaled to add to 1.

    (output, target), each (B, 1, H, W) grey levels, not clipped, sides from 11 → (B,) float64.

    Differs from: piq (equal on sides that halve evenly, but wants values in [0, peak]), kornia's
    MS_SSIMLoss (Gaussians of growing width in place of scales, mixed with L1), torchmetrics'
    default (the range is taken from the images; equal with data_range=255).

    Knobs:
        peak: the range L of the grey levels.
    """
    return similarity(output.double(), target.double(), peak)
