"""Block matching by matrix products: all distances within a neighbourhood at once.

|p - q|² = |p|² - 2 p·q + |q|², and the products of 12 × 12 reference blocks with every block that
one of them may be compared with are one matrix product. Each reference block then keeps what lies
in its own window.
"""

import math

import torch
from torch import Tensor

_TILE = 12  # reference blocks a side: with fewer more is copied, with more is compared in vain


def nearest_blocks(
    blocks: Tensor, *, step: int, reach: int, count: int, limit: float, at_once: int
) -> tuple[Tensor, Tensor]:
    """Find the blocks that differ least from each block of a grid, by the sum of squares.

    Args:
        blocks: (B, rows, columns, F), the pixels of the block at each position.
        step: between reference blocks, both ways; divides rows - 1 and columns - 1.
        reach: how far a block may lie from its reference block, both ways.
        count: of blocks to find, the reference block among them.
        limit: most that a block may differ from its reference block, as the mean over pixels.
        at_once: tiles of 12 × 12 reference blocks; of 64 pixels a block, each takes 6 MB.
    Returns:
        (R, count) positions in B · rows · columns, the reference block first, then nearest first;
        (R,) how many of them are inside the slice and the limit: the rest of a row means nothing.
    """
    batch, rows, columns, size = blocks.shape
    side = _TILE * step  # of a tile, in positions
    window, span = 2 * reach + 1, side - step + 2 * reach + 1  # around a block, around a tile

    def upto(end: int, step: int = 1) -> Tensor:
        return torch.arange(0, end, step, device=blocks.device)

    # Beyond the slice every block is infinitely far.
    height, width = (-(-length // side) * side + 2 * reach for length in (rows, columns))
    inside = (slice(None), slice(reach, reach + rows), slice(reach, reach + columns))
    padded = blocks.new_zeros(batch, height, width, size)
    padded[inside] = blocks
    squares = blocks.new_full((batch, height, width), math.inf)
    squares[inside] = torch.linalg.vector_norm(blocks, dim=-1).square()
    padded, squares = padded.view(-1, size), squares.view(-1)

    around = (upto(span)[:, None] * width + upto(span)).flatten()
    grid = torch.cartesian_prod(upto(side, step), upto(side, step))
    references = ((grid[:, 0] + reach) * width + grid[:, 1] + reach).flatten()
    offsets = upto(window) - reach
    shifts = (offsets[:, None] * columns + offsets).flatten()
    tiles = torch.cartesian_prod(upto(batch), upto(rows, side), upto(columns, side))
    found, counts = [], []
    for tile in tiles.split(at_once):
        image, row, column = tile.unbind(1)
        corner = ((image * height + row) * width + column)[:, None]
        candidates = (corner + around).flatten()
        own = (corner + references).flatten()
        distances = torch.baddbmm(
            squares.index_select(0, candidates).view(len(tile), 1, -1),
            padded.index_select(0, own).view(len(tile), -1, size),
            padded.index_select(0, candidates).view(len(tile), -1, size).mT,
            alpha=-2,
        )  # less |p|², the same along a row
        # Row (i, j) of a tile, a square of candidates, holds its window from (step i, step j) on.
        strides = (_TILE * span**2 + step * span, span**2 + step, span, 1)
        windows = distances.as_strided(
            (len(tile), _TILE, _TILE, window, window), (distances.stride(0), *strides)
        )
        distances = windows.reshape(-1, window**2)
        distances[:, window**2 // 2] = -math.inf  # the reference block, before its equals
        nearest, where = distances.topk(min(count, window**2), largest=False)

        at = (tile[:, None, 1:] + grid).flatten(0, 1)
        position = (image.repeat_interleave(len(grid)) * rows + at[:, 0]) * columns + at[:, 1]
        real = (at[:, 0] < rows) & (at[:, 1] < columns)
        found.append((position[:, None] + shifts[where])[real])
        near = (nearest < math.inf) & (nearest <= size * limit - squares[own, None])
        counts.append(near.sum(dim=1)[real])
    return torch.cat(found), torch.cat(counts)
