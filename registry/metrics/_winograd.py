"""3 × 3 convolutions with a quarter of the products, on a CPU.

Winograd's minimal filtering of 4 × 4 outputs (Lavin and Gray, 2016, arXiv:1509.09308, section 4.3).
cuDNN chooses it by itself; oneDNN, which convolves on CPUs, has none for float32.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

OUTPUTS, INPUTS = 4, 6  # sides of a tile
FEWEST = 128  # channels; below, the transforms cost what the products save

KERNEL = torch.tensor([
    [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
])  # fmt: skip
INPUT = torch.tensor([
    [4.0, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
])  # fmt: skip
OUTPUT = torch.tensor([
    [1.0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1],
])  # fmt: skip


def convolved(image: Tensor, kernel: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    """Return what `conv2d` does; on a CPU without gradients some of it by Winograd's way.

    Args:
        image: (B, C, H, W) float32.
        kernel, bias: (D, C, h, w) and (D,).
    """
    fits = (tuple(kernel.shape[2:]), stride, padding) == ((3, 3), 1, 1)
    large = min(kernel.shape[:2]) >= FEWEST
    if fits and large and image.device.type == "cpu" and not torch.is_grad_enabled():
        return winograd(image, kernel, bias)
    return conv2d(image, kernel, bias, stride=stride, padding=padding)


def winograd(image: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Convolve (B, C, H, W) with (D, C, 3, 3) at a stride and padding of 1; channels last."""
    height, width = image.shape[-2:]
    padded = pad(image, (1, 1 + -width % OUTPUTS, 1, 1 + -height % OUTPUTS)).permute(0, 2, 3, 1)
    tiles = padded.unfold(1, INPUTS, OUTPUTS).unfold(2, INPUTS, OUTPUTS)
    batch, down, across, channels = tiles.shape[:4]
    # Each of the 36 places of a tile is a matrix, (B · tiles, C), and so is each of the kernel's.
    places = both_ways(INPUT) @ tiles.permute(4, 5, 0, 1, 2, 3).reshape(INPUTS**2, -1)
    products = torch.bmm(places.view(INPUTS**2, -1, channels), transformed(kernel))
    outputs = both_ways(OUTPUT) @ products.flatten(1)
    grid = outputs.view(OUTPUTS, OUTPUTS, batch, down, across, -1).permute(2, 3, 0, 4, 1, 5)
    whole = grid.reshape(batch, down * OUTPUTS, across * OUTPUTS, -1) + bias
    return whole[:, :height, :width].permute(0, 3, 1, 2)


@lru_cache(maxsize=16)  # AlexNet has three, VGG16 ten
def transformed(kernel: Tensor) -> Tensor:
    """Return (36, C, D) of (D, C, 3, 3)."""
    return (both_ways(KERNEL) @ kernel.permute(2, 3, 1, 0).flatten(0, 1).flatten(1)).view(
        INPUTS**2, *kernel.shape[1::-1]
    )


def both_ways(matrix: Tensor) -> Tensor:
    """Return the matrix that applies another to the rows and columns of flattened squares."""
    return torch.kron(matrix, matrix)
