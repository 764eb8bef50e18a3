"""Features of ImageNet's AlexNet and VGG16, for what compares slices as those networks see them."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ._winograd import convolved

Layer = tuple[int, int, int, bool]
"""Of a convolution: stride, padding, side of the max-pool before it (0: none), given or not."""

ALEXNET = ((4, 2, 0, True), (1, 2, 3, True), (1, 1, 3, True), (1, 1, 0, True), (1, 1, 0, True))

# five groups of 3 × 3 convolutions; given are the last of each: relu1_2, 2_2, 3_3, 4_3, 5_3
VGG16 = (
    (1, 1, 0, False), (1, 1, 0, True),
    (1, 1, 2, False), (1, 1, 0, True),
    (1, 1, 2, False), (1, 1, 0, False), (1, 1, 0, True),
    (1, 1, 2, False), (1, 1, 0, False), (1, 1, 0, True),
    (1, 1, 2, False), (1, 1, 0, False), (1, 1, 0, True),
)  # fmt: skip


def halved(image: Tensor, side: int) -> Tensor:
    """Pool by maxima at a stride of two, as both networks do."""
    return max_pool2d(image, side, stride=2)


def features(
    grey: Tensor,
    tensors: Mapping[str, Tensor],
    layers: Sequence[Layer],
    mean: Sequence[float],
    deviation: Sequence[float],
    pool: Callable[[Tensor, int], Tensor] = halved,
) -> Iterator[Tensor]:
    """Yield the rectified outputs of the layers that are given, from the first to the last.

    Args:
        grey: (B, 1, H, W), seen as RGB of three equal channels.
        tensors: what `load_weights` returned; frozen, so that gradients reach the image only.
        layers: of the network; see `Layer`.
        mean, deviation: of the channels, in the units of `grey`, as the network was trained.
        pool: between groups of layers.
    """
    image = torch.cat([grey, torch.ones_like(grey)], dim=1)
    if image.device.type == "cpu":  # pooling and norms run along channels, ten times as fast
        image = image.contiguous(memory_format=torch.channels_last)
    for index, (stride, padding, side, given) in enumerate(layers):
        with torch.autocast(image.device.type, enabled=False):
            if side:
                image = pool(image, side)
            kernel, bias = (tensors[f"features.{index}.{part}"] for part in ("weight", "bias"))
            kernel = kernel if index else standardising(kernel, mean, deviation)
            image = convolved(image, kernel, bias, stride, padding).relu_()
        if given:
            yield image


def standardising(kernel: Tensor, mean: Sequence[float], deviation: Sequence[float]) -> Tensor:
    """Make a first layer of RGB one of grey and of ones, (D, 2, h, w), which standardises.

    Σ k · (x - m) / d = x · Σ k / d - 1 · Σ k · m / d; zeros around the ones are those around the
    standardised channels.
    """
    shift, scale = (kernel.new_tensor(values).view(3, 1, 1) for values in (mean, deviation))
    scaled = kernel / scale
    return torch.stack([scaled.sum(dim=1), -(scaled * shift).sum(dim=1)], dim=1)
