"""DISTS: structure and texture in VGG16's features; texture may be another of the same kind."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from denoisebench import load_weights, metric

from ._features import VGG16, features

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's RGB in [0, 1]
DEVIATION = (0.229, 0.224, 0.225)
CHANNELS = (3, 64, 128, 256, 512, 512)
STABLE = 1e-6  # the paper's c1 = c2


@metric("dists", unit="", better="lower", version=1, weights="dists-heads")
@torch.no_grad()
def dists(output: Tensor, target: Tensor) -> Tensor:
    """Deep image structure and texture similarity per slice (Ding et al., 2020, arXiv:2004.07728).

    At the image and at five layers of VGG16, pooled by L2 instead of maxima: how alike the means
    of each channel are (texture, weight α) and how correlated its values (structure, weight β);
    1 minus the weighted sum, 0 for equal slices. Grey levels are clipped to 0–255, mapped to
    [0, 1] and repeated to three channels. The pixel grid is kept.

    (output, target), each (B, 1, H, W) grey levels; sides of at least 16 → (B,) float64.

    Raises:
        Unavailable: the weights "dists-heads" or "lpips-vgg" are not in the cache folder.

    Differs from: the package dists-pytorch given values in 0–255 (equal for [0, 1]); piq and the
    paper's tables, where a short side over 256 is resized to 256 first.
    """
    heads = load_weights("dists-heads", output.device)
    backbone = load_weights("lpips-vgg", output.device)
    pairs = zip(stages(unit(output), backbone), stages(unit(target), backbone), strict=True)
    total = heads["alpha"].double().sum() + heads["beta"].double().sum()
    alphas, betas = (heads[name].double().split(CHANNELS) for name in ("alpha", "beta"))
    alike = torch.zeros(len(output), dtype=torch.float64, device=output.device)
    for alpha, beta, pair in zip(alphas, betas, pairs, strict=True):
        texture, structure = similarities(*pair)
        alike += texture @ alpha + structure @ beta
    return 1 - alike / total


def stages(image: Tensor, backbone: dict[str, Tensor]) -> Iterator[Tensor]:
    """Yield (B, 1 or 3, H, W) in [0, 1] as RGB, and its features at the five layers."""
    yield image.expand(-1, 3, -1, -1)
    yield from features(image, backbone, VGG16, MEAN, DEVIATION, l2_pooled)


def l2_pooled(image: Tensor, side: int) -> Tensor:
    """Halve by the root of the Hann-weighted mean of squares over 3 × 3 pixels."""
    channels = image.shape[1]
    hann = image.new_tensor([0.25, 0.5, 0.25])
    kernel = hann.outer(hann).expand(channels, 1, 3, 3)
    mean = conv2d(image.square(), kernel, stride=2, padding=1, groups=channels)
    return (mean + 1e-12).sqrt()


def similarities(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return of two (B, C, H, W) the similarity of means and of variation, (B, C) float64 each."""
    pair = (first, second)
    means = [image.mean(dim=(2, 3), dtype=torch.float64) for image in pair]
    apart = [image - mean[..., None, None].float() for image, mean in zip(pair, means, strict=True)]
    variances = [each.square().mean(dim=(2, 3), dtype=torch.float64) for each in apart]
    covariance = (apart[0] * apart[1]).mean(dim=(2, 3), dtype=torch.float64)
    texture = (2 * means[0] * means[1] + STABLE) / (means[0].square() + means[1].square() + STABLE)
    return texture, (2 * covariance + STABLE) / (variances[0] + variances[1] + STABLE)


def unit(grey: Tensor) -> Tensor:
    """Clip grey levels to 0–255 and map them to [0, 1]; float32."""
    return grey.float().clamp(0, 255) / 255
