"""VGG: the distance of a network's features, the perceptual loss of WGAN-VGG."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from denoisebench import UsageError, load_weights, loss

from ..metrics._features import VGG16, features

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's RGB in [0, 1]
DEVIATION = (0.229, 0.224, 0.225)
LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
SMALLEST = 16


@loss("vgg", weight=0.1, weights="lpips-vgg")
def vgg(
    output: Tensor,
    target: Tensor,
    *,
    layer: Literal["relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"] = "relu5_3",
) -> Tensor:
    """Mean squared difference of VGG16's features (Yang et al., 2018, arXiv:1708.00961).

    0 at equality. (B, 1, H, W) in [-1, 1], mapped to [0, 1], repeated to three channels and
    standardised as VGG16 was trained; values beyond are mapped alike. The paper takes the last
    convolution of VGG19; this takes that of VGG16, whose weights LPIPS has brought. The network is
    frozen, and computed in float32 also under autocast.

    The weight beside an adversarial term is the paper's λ1. Where errors are of 10 grey levels, its
    gradient is then a twelfth of 100·l1's.

    Raises:
        Unavailable: the weights "lpips-vgg" are not in the cache folder.

    Knobs:
        layer: whose features: the last of each of five groups; early ones see texture, late ones
            content.
    """
    height, width = output.shape[-2:]
    if min(height, width) < SMALLEST:
        raise UsageError(
            f"vgg needs sides of at least {SMALLEST}, got {height} × {width}; use a larger --patch"
        )
    both = (torch.cat([output, target]).float() + 1) / 2
    stages = features(both, load_weights("lpips-vgg", output.device), VGG16, MEAN, DEVIATION)
    for name, stage in zip(LAYERS, stages, strict=False):
        if name == layer:
            return mse_loss(*stage.chunk(2))
    raise UsageError(f"no layer named {layer!r}; one of: {', '.join(LAYERS)}")
