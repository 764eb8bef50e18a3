"""PSNR inside the body, where a slice is hard to denoise."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, label
from skimage.morphology import isotropic_opening
from torch import Tensor

from denoisebench import metric

SKIN_HU = -300.0  # between air (-1000) and fat (-100); body and lungs part well above the noise
OPENING = 128  # the opening's radius is the short side over this: 4 pixels of 512, a thin table's


@metric("psnr_body", unit="dB", better="higher", version=1)
def psnr_body(
    output: Tensor,
    target: Tensor,
    *,
    peak: float = 255.0,
    window_hu: tuple[float, float] = (-160.0, 240.0),
) -> Tensor:
    """Peak signal-to-noise ratio per slice over the body; infinite for equal slices.

    The air around the body is up to half of a slice, denoises for free, and is left out. The body
    is found in the target (`body`); a target without a body is scored as a whole.

    (output, target), each (B, 1, H, W) grey levels, not clipped → (B,) float64.

    Differs from: `psnr`, which averages over the whole slice.

    Knobs:
        peak: the grey level that counts as full signal.
        window_hu: the HU that grey levels 0 and 255 stand for; the task fills it in.
    """
    masks = np.stack([body(grey, window_hu) for grey in target[:, 0].double().cpu().numpy()])
    mask = torch.from_numpy(masks).to(output.device)
    error = (output.double() - target.double()).square()[:, 0]
    mean = (error * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2))
    return 10 * torch.log10(peak**2 / mean)


def body(grey: NDArray[np.float64], window_hu: tuple[float, float]) -> NDArray[np.bool_]:
    """Return where the body is, (H, W), in a clean slice of grey levels.

    Pixels above -300 HU, or one grey level above the window's floor where that is higher; opened,
    so that the table and tubes fall off; the largest piece; its holes (lungs, bowel gas) filled.
    """
    low, high = window_hu
    level = max((SKIN_HU - low) / (high - low) * 255, 1.0)
    radius = max(1, min(grey.shape) // OPENING)
    pieces, count = label(isotropic_opening(grey > level, radius))
    if count == 0:
        return np.ones(grey.shape, dtype=np.bool_)
    largest = 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    return np.asarray(binary_fill_holes(pieces == largest), dtype=np.bool_)
