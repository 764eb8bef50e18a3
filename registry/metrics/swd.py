"""SWD: whether the patches of a slice are distributed like the target's."""

import numpy as np
import torch
from kornia.filters import filter2d_separable
from scipy.special import ndtri
from torch import Tensor

from denoisebench import UsageError, metric

PATCH = 7
DIRECTIONS = 512
PATCHES = 1024  # of each level that has more
SMALLEST = 16  # side of the coarsest level, as in the paper


@metric("swd", unit="grey", better="lower", version=1)
@torch.no_grad()
def swd(output: Tensor, target: Tensor) -> Tensor:
    """Sliced Wasserstein distance between the patches of two slices.

    Karras et al. (2018, arXiv:1710.10196). On each level of the Laplacian pyramid down to a side of
    16: 7 × 7 patches at 1,024 places (all where there are fewer), projected on 512 directions; the
    mean distance between the sorted projections, averaged over levels. Where a patch lies does not
    count, only how often its like occurs. Places and directions are always the same: raw words of
    Philox. 0 for equal slices.

    (output, target), each (B, 1, H, W) grey levels, not clipped, sides from 16 → (B,) float64.

    Differs from: the paper, which compares sets of images, scales the patches of each to mean 0 and
    deviation 1 (wrong contrast would be lost, and air has none), and prints a thousandfold.
    """
    height, width = output.shape[-2:]
    if min(height, width) < SMALLEST:
        raise UsageError(f"swd needs sides of at least {SMALLEST}, got {height} × {width}")
    to = directions().to(output.device)
    levels = zip(pyramid(output.double()), pyramid(target.double()), strict=True)
    values = []
    for pair in levels:
        first, second = (projected(level, to) for level in pair)
        values.append((first - second).abs().mean(dim=(1, 2)))
    return torch.stack(values).mean(dim=0)


def projected(level: Tensor, to: Tensor) -> Tensor:
    """Return (B, 512, N): patches of (B, 1, H, W) along the directions, sorted over patches."""
    rows, columns = (size - PATCH + 1 for size in level.shape[-2:])
    place = places(rows * columns).to(level.device)
    windows = level[:, 0].unfold(1, PATCH, 1).unfold(2, PATCH, 1)
    patches = windows[:, place // columns, place % columns].flatten(2)
    return (to @ patches.transpose(1, 2)).sort().values


def places(count: int) -> Tensor:
    """Return which of so many patches are taken."""
    if count <= PATCHES:
        return torch.arange(count)
    words = np.random.Philox(key=count).random_raw(PATCHES)
    return torch.from_numpy((words % np.uint64(count)).astype(np.int64))


def directions() -> Tensor:
    """Return (512, 49): directions of unit length, uniform over the sphere."""
    words = np.random.Philox(key=0).random_raw(PATCH**2 * DIRECTIONS)
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    normal = torch.from_numpy(ndtri(uniform)).view(DIRECTIONS, PATCH**2)
    return normal / torch.linalg.vector_norm(normal, dim=1, keepdim=True)


def pyramid(image: Tensor) -> list[Tensor]:
    """Return the Laplacian pyramid of (B, 1, H, W); the last level is the low-pass itself."""
    levels = []
    while min(image.shape[-2:]) >= 2 * SMALLEST:
        small = smooth(image)[..., ::2, ::2]
        wide = torch.zeros_like(image)
        wide[..., ::2, ::2] = small
        levels.append(image - 4 * smooth(wide))
        image = small
    return [*levels, image]


def smooth(image: Tensor) -> Tensor:
    """Filter by the binomial (1, 4, 6, 4, 1) both ways, mirrored at the border."""
    binomial = image.new_tensor([[1, 4, 6, 4, 1]]) / 16
    return filter2d_separable(image, binomial, binomial, border_type="reflect")
