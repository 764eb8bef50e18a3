"""What the contracts feed to plug-ins: a round body in air, with and without noise."""

import torch
from torch import Tensor

SIGMA = 50.0
"""Grey levels; the noise of the default task."""

_LEVELS = 255.0


def grey(batch: int = 2, height: int = 64, width: int = 64) -> Tensor:
    """Return clean slices, (B, 1, H, W) float32 grey levels, each slice another."""
    rows = torch.linspace(-1, 1, height)[:, None]
    columns = torch.linspace(-1, 1, width)[None, :]
    slices = []
    for number in range(batch):
        shift = 0.1 * number
        image = torch.zeros(height, width)
        image[(rows / 0.9) ** 2 + ((columns - shift) / 0.8) ** 2 < 1] = 130.0 - 30 * (number % 4)
        image[(rows + 0.2) ** 2 + (columns + 0.4) ** 2 < 0.06] = 60.0
        image[(rows - 0.3) ** 2 + (columns - 0.3) ** 2 < 0.04] = 220.0
        slices.append(image)
    return torch.stack(slices)[:, None]


def with_noise(image: Tensor, sigma: float = SIGMA) -> Tensor:
    """Add Gaussian noise of `sigma` grey levels, the same each time up to its scale."""
    source = torch.Generator().manual_seed(2017)
    return image + sigma * torch.randn(image.shape, generator=source, dtype=image.dtype)


def scaled(image: Tensor) -> Tensor:
    """Turn grey levels into what networks see: 0 becomes -1, 255 becomes 1."""
    return image / (_LEVELS / 2) - 1


def changed(after: Tensor, before: Tensor) -> str:
    """Say how much of a tensor changed."""
    return f"{float((after != before).double().mean()):.1%}"


def finite(values: Tensor) -> str:
    """Say what is not finite, or nothing."""
    bad = int((~torch.isfinite(values)).sum())
    return f"{bad} of {values.numel()} values are NaN or infinite" if bad else ""


def side(multiple: int) -> int:
    """Return the smallest multiple that is at least 32."""
    return multiple * -(-32 // multiple)
