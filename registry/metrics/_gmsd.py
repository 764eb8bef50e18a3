"""How alike gradients are, for the metric and the loss of GMSD."""

import torch
from piq.functional import prewitt_filter, similarity_map
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

STABLE = 170 / 255**2  # the paper's T = 170, for a range of 1


def gradient_similarity(output: Tensor, target: Tensor) -> Tensor:
    """Return the similarity of gradient magnitudes of (B, 1, H, W) in [0, 1] and beyond.

    Xue et al. (2014, arXiv:1308.3052): after halving by 2 × 2 means, Prewitt's gradients
    with zeros beyond the border. The magnitude has the gradient 0 where the image is flat, which
    the root of a sum of squares has not; piq's has it not, and asserts the range.
    """
    prewitt = prewitt_filter(device=output.device, dtype=output.dtype)
    kernels = torch.stack([prewitt, prewitt.transpose(1, 2)])
    first, second = (
        torch.linalg.vector_norm(
            conv2d(avg_pool2d(image, 2), kernels, padding=1), dim=1, keepdim=True
        )
        for image in (output, target)
    )
    similar: Tensor = similarity_map(first, second, constant=STABLE)
    return similar
