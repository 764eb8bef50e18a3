"""HaarPSI, for the metric and the loss."""

import math

import torch
from piq.functional import haar_filter, similarity_map
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from denoisebench import UsageError

STABLE = 30.0  # the paper's C, for grey levels 0–255
ALPHA = 4.2
SMALLEST = 16  # the widest filter, of 8 pixels, on the halved slice
SILENCE = 1e-6  # weight of similarity 1; it decides only where both slices are black


def haar_similarity(output: Tensor, target: Tensor) -> Tensor:
    """Return HaarPSI of (B, 1, H, W) grey levels as (B,).

    Reisenhofer et al. (2018, doi:10.1016/j.image.2017.11.001), on one channel: the
    slices halved by 2 × 2 means; similarity of the two finest scales of Haar coefficients, through
    a logistic curve, averaged with the third scale as weight, and back through the curve.
    """
    height, width = output.shape[-2:]
    if min(height, width) < SMALLEST:
        raise UsageError(f"haarpsi needs sides of at least {SMALLEST}, got {height} × {width}")
    first, second = (avg_pool2d(image, 2) for image in (output, target))
    scales = [(coefficients(first, side), coefficients(second, side)) for side in (2, 4, 8)]
    weight = torch.maximum(*scales[2])
    alike = sum(similarity_map(*pair, constant=STABLE) for pair in scales[:2]) / 2
    top = 1 / (1 + math.exp(-ALPHA))
    score = ((alike * ALPHA).sigmoid() * weight).sum(dim=(1, 2, 3)) + SILENCE * top
    total = weight.sum(dim=(1, 2, 3)) + SILENCE
    return (torch.logit(score / total) / ALPHA).square()


def coefficients(image: Tensor, side: int) -> Tensor:
    """Return the magnitudes of vertical and horizontal Haar coefficients, (B, 2, H, W)."""
    haar = haar_filter(side, device=image.device, dtype=image.dtype)
    kernels = torch.stack([haar, haar.transpose(1, 2)])
    before, after = side // 2 - 1, side // 2
    return conv2d(pad(image, (before, after, before, after)), kernels).abs()
