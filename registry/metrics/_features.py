"""Features of ImageNet's AlexNet and VGG16, for what compares slices as those networks see them."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

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
    image: Tensor,
    tensors: Mapping[str, Tensor],
    layers: Sequence[Layer],
    pool: Callable[[Tensor, int], Tensor] = halved,
) -> Iterator[Tensor]:
    """Yield the rectified outputs of the layers that are given, from the first to the last.

    Args:
        image: (B, 3, H, W), standardised as the network was trained.
        tensors: what `load_weights` returned; frozen, so that gradients reach the image only.
        layers: of the network; see `Layer`.
        pool: between groups of layers.
    """
    for index, (stride, padding, side, given) in enumerate(layers):
        with torch.autocast(image.device.type, enabled=False):
            if side:
                image = pool(image, side)
            kernel, bias = (tensors[f"features.{index}.{part}"] for part in ("weight", "bias"))
            image = conv2d(image, kernel, bias, stride=stride, padding=padding).relu()
        if given:
            yield image


def standardised(unit: Tensor, mean: Sequence[float], deviation: Sequence[float]) -> Tensor:
    """Repeat (B, 1, H, W) to three channels, and subtract and divide by ImageNet's statistics."""
    shift, scale = (unit.new_tensor(values).view(1, 3, 1, 1) for values in (mean, deviation))
    return (unit.expand(-1, 3, -1, -1) - shift) / scale
