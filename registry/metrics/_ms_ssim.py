"""MS-SSIM as its paper defines it, for the metric and the loss."""

import torch
from kornia.filters import filter2d_separable, get_gaussian_kernel1d
from torch import Tensor
from torch.nn.functional import avg_pool2d

from denoisebench import UsageError

WINDOW = 11
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # from the finest scale; they add to 1.0001


def similarity(output: Tensor, target: Tensor, peak: float, least: float = 0.0) -> Tensor:
    """Return MS-SSIM of (B, 1, H, W) as (B,), with as many of the five scales as fit.

    Wang et al. (2003, doi:10.1109/ACSSC.2003.1292216): the product of the mean contrast and
    structure at each scale and of the mean SSIM at the coarsest, each to the power of its weight;
    scales are halved by 2 × 2 means, without an odd last row or column. The window of 11 fits on
    five scales where the short side is at least 176. Where fewer fit, their weights are scaled to
    add to 1.

    Args:
        output, target: of any range.
        peak: the range L of the values.
        least: what a mean below it is taken for; at 0 the product has no gradient.
    """
    height, width = output.shape[-2:]
    scales = sum(min(height, width) // 2**scale >= WINDOW for scale in range(len(WEIGHTS)))
    if not scales:
        raise UsageError(f"ms_ssim needs sides of at least {WINDOW}, got {height} × {width}")
    kernel = get_gaussian_kernel1d(WINDOW, 1.5, device=output.device, dtype=output.dtype)
    means = []
    for scale in range(scales):
        if scale:
            output, target = avg_pool2d(output, 2), avg_pool2d(target, 2)
        structure, whole = compared(output, target, kernel, peak)
        means.append((whole if scale == scales - 1 else structure).mean(dim=(1, 2, 3)))
    powers = output.new_tensor(WEIGHTS[:scales])
    if scales < len(WEIGHTS):
        powers = powers / powers.sum()
    return (torch.stack(means, dim=1).clamp(min=least) ** powers).prod(dim=1)


def compared(output: Tensor, target: Tensor, kernel: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    """Return the maps of contrast and structure, and of SSIM, over the valid region."""
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    moments = (output, target, output.square(), target.square(), output * target)
    first, second, first2, second2, product = (
        filter2d_separable(moment, kernel, kernel, padding="valid") for moment in moments
    )
    variance = first2 - first.square() + second2 - second.square()
    structure = (2 * (product - first * second) + c2) / (variance + c2)
    luminance = (2 * first * second + c1) / (first.square() + second.square() + c1)
    return structure, luminance * structure
