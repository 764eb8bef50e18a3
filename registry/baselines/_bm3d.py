"""BM3D on batches of tensors: transforms, collaborative filtering, aggregation.

Written from the papers: Dabov et al., 2007 (doi:10.1109/TIP.2007.901238), Lebrun, 2012
(doi:10.5201/ipol.2012.l-bm3d) and Mäkinen et al., 2020 (doi:10.1109/TIP.2020.3014721).

All blocks of a slice are transformed once. A group is then gathered rather than transformed, and
what is made of it is added up per position in the transform domain, so that each position is
transformed back once, whatever the number of groups it stood in.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import fold

from ._bm3d_matching import nearest_blocks

BLOCK = 8  # side of a block
_BETA = 2.0  # of the Kaiser window that blocks are added up under
_LEAST_ENERGY = 1e-3  # of the gains of a group that holds no signal: its weight is finite

Shrink = Callable[[list[Tensor]], tuple[Tensor, Tensor]]
"""Takes spectra of groups, (members, groups, 64) each, the noisy ones first, and may write to them;
gives what is left of the noisy ones, and the weight of each group, (groups,)."""


@dataclass(frozen=True)
class Search:
    """Which blocks make a group.

    Args:
        members: of a group at most; a power of two.
        reach: how far they may lie from the reference block, both ways, in pixels.
        step: between reference blocks, in pixels.
        limit: most that a member may differ from the reference block, as the mean over pixels.
    """

    members: int
    reach: int
    step: int
    limit: float = math.inf


def cosine() -> Tensor:
    """Return the matrix of the 8-point DCT, orthonormal."""
    order = torch.arange(BLOCK, dtype=torch.float64)
    matrix = torch.cos(math.pi / BLOCK * (order + 0.5) * order[:, None]) * math.sqrt(2 / BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix


def biorthogonal() -> Tensor:
    """Return the matrix of the 8-point wavelet transform bior1.5: periodic, three levels.

    Cohen, Daubechies and Feauveau, 1992, doi:10.1002/cpa.3160450502: ten taps low-pass, Haar's two
    high-pass. Rows of length 1 give each coefficient the noise of a pixel.
    """
    half = torch.tensor([3, -3, -22, 22, 128], dtype=torch.float64) / 128
    low, high = torch.cat([half, half.flip(0)]), torch.tensor([1, -1], dtype=torch.float64)
    matrix = torch.eye(BLOCK, dtype=torch.float64)
    length = BLOCK
    while length > 1:
        level = torch.eye(BLOCK, dtype=torch.float64)
        level[:length] = 0
        for row in range(length // 2):
            for tap, value in enumerate(low, start=-4):
                level[row, (2 * row + tap) % length] += value
            for tap, value in enumerate(high):
                level[length // 2 + row, 2 * row + tap] += value
        matrix = level @ matrix
        length //= 2
    return matrix / matrix.norm(dim=1, keepdim=True)


def haar(length: int) -> Tensor:
    """Return the matrix of the Haar transform of a power of two values, orthonormal."""
    average, difference = torch.tensor([[[1, 1]], [[1, -1]]], dtype=torch.float64)
    matrix = torch.ones(1, 1, dtype=torch.float64)
    while len(matrix) < length:
        finest = torch.kron(torch.eye(len(matrix), dtype=torch.float64), difference)
        matrix = torch.cat([torch.kron(matrix, average), finest]) / math.sqrt(2)
    return matrix


def hard_threshold(limit: float) -> Shrink:
    """Remove coefficients not above `limit`; a group weighs by how few are left (Dabov 2007)."""

    def shrink(spectra: list[Tensor]) -> tuple[Tensor, Tensor]:
        (noisy,) = spectra
        kept = noisy.abs() > limit
        return noisy.mul_(kept), 1 / kept.sum(dim=(0, 2)).clamp(min=1)

    return shrink


def wiener(variance: float) -> Shrink:
    """Scale coefficients by the estimate's share of the power (Dabov 2007).

    Args:
        variance: of the noise in a coefficient.
    """

    def shrink(spectra: list[Tensor]) -> tuple[Tensor, Tensor]:
        noisy, estimate = spectra
        power = estimate.square_()
        gain = power.div_(power + variance)
        noisy.mul_(gain)
        return noisy, 1 / gain.square_().sum(dim=(0, 2)).clamp(min=_LEAST_ENERGY)

    return shrink


def collaborate(images: list[Tensor], transform: Tensor, shrink: Shrink, search: Search) -> Tensor:
    """Denoise by one pass of collaborative filtering.

    Args:
        images: the noisy slices and, where `shrink` takes it, an estimate of the clean ones,
            (B, H, W) each; blocks are matched on the last. H - 8 and W - 8 divide by the step.
        transform: of the rows and of the columns of a block, (8, 8).
        shrink: what is done to the spectra of groups.
        search: which blocks make a group.
    Returns:
        (B, H, W)
    """
    noisy = images[0]
    batch, height, width = noisy.shape
    both = torch.kron(transform, transform)
    forward, backward = both.to(noisy), torch.linalg.inv(both).to(noisy)
    spectra = [(_blocks(image) @ forward.T).flatten(0, 2) for image in images]
    middle = images[-1] - images[-1].mean(dim=(1, 2), keepdim=True)  # distances keep more digits
    # What a core's caches hold; a GPU wants fewer, larger pieces.
    tiles, groups = (2, 128) if noisy.device.type == "cpu" else (128, 16384)
    neighbours, counts = nearest_blocks(
        _blocks(middle),
        step=search.step,
        reach=search.reach,
        count=search.members,
        limit=search.limit,
        at_once=tiles,
    )

    total = torch.zeros_like(spectra[0])
    weights = total.new_zeros(len(total))
    powers = 2 ** torch.arange(1, search.members.bit_length(), device=noisy.device)
    sizes = 2 ** (counts[:, None] >= powers).sum(dim=1)  # the largest power of two that is there
    for size in sizes.unique().tolist():
        along = haar(size).to(noisy)
        for group in neighbours[sizes == size, :size].split(groups):
            members = group.T.flatten()  # a row of (size, groups · 64) is a member of each group
            gathered = [each.index_select(0, members).view(size, -1) for each in spectra]
            shape = (size, len(group), BLOCK**2)
            left, weight = shrink([(along @ each).view(shape) for each in gathered])
            left = along.T @ left.mul_(weight[:, None]).view(size, -1)
            total.index_add_(0, members, left.view(-1, BLOCK**2))
            weights.index_add_(0, members, weight.repeat(size))
    del spectra

    line = torch.kaiser_window(BLOCK, periodic=False, beta=_BETA, dtype=torch.float64)
    window = torch.outer(line, line).flatten().to(noisy)[:, None]
    values = (window * backward) @ total.view(batch, -1, BLOCK**2).mT
    summed = fold(values, (height, width), BLOCK)
    del values, total
    return (summed / fold(window * weights.view(batch, 1, -1), (height, width), BLOCK))[:, 0]


def _blocks(images: Tensor) -> Tensor:
    """(B, H, W) → (B, H - 7, W - 7, 64): the pixels of the block at each position."""
    return images.unfold(1, BLOCK, 1).unfold(2, BLOCK, 1).flatten(3)
