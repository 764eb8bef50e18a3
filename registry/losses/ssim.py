"""Structural dissimilarity: 1 - SSIM, from kornia."""

from kornia.metrics import ssim as ssim_map
from torch import Tensor

from denoisebench import UsageError, loss


@loss("ssim", weight=10)
def ssim(output: Tensor, target: Tensor, *, window: int = 11) -> Tensor:
    """1 - mean SSIM of the batch over the valid region (Wang et al., 2004); 0 at equality.

    (B, 1, H, W) in [-1, 1], mapped to [0, 1] where SSIM's constants for L = 1 hold. Values beyond
    [-1, 1], as an output without a tanh has them, are mapped alike: the formula is defined for all
    reals, its denominator is at least C1 · C2 > 0, and kornia, unlike piq, asserts no range.
    Nothing is pooled or clipped, so the gradient is finite everywhere and 0 at equality.

    Knobs:
        window: side of the Gaussian window in pixels, odd; its standard deviation stays 1.5.
    """
    height, width = output.shape[-2:]
    if window % 2 == 0 or window < 3 or window > min(height, width):
        raise UsageError(
            f"ssim needs an odd window from 3 to the slice's short side, got {window} on "
            f"{height} × {width}; use ssim(window=7) or a larger --patch"
        )
    similarity = ssim_map(
        (output + 1) / 2, (target + 1) / 2, window, max_val=1.0, eps=0.0, padding="valid"
    )
    return (1 - similarity).mean()
