"""Slices that are kept on the device, where their crops are cut in one gathering of pixels."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from denoisebench.data.patches import Place, at_least, places
from denoisebench.data.scan import Slice
from denoisebench.data.store.mapped import Mapped
from denoisebench.task import Task

SHARE = 0.4  # of the memory that is free; what a step takes is not known yet


def fits(slices: Sequence[Slice], patch: int, device: torch.device) -> bool:
    """Say whether slices are worth keeping on a device: a GPU with room for them and for work."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    sizes = [max(height, patch) * max(width, patch) for height, width in _shapes(slices)]
    return 2 * sum(sizes) < SHARE * free


def _shapes(slices: Sequence[Slice]) -> list[tuple[int, int]]:
    """Rows and columns of each slice; of a prepared data set without opening any."""
    if isinstance(slices, Mapped):
        return slices.shapes
    return [(one.hu.shape[0], one.hu.shape[1]) for one in slices]


class Resident:
    """The HU of many slices in one tensor, 2 bytes a pixel.

    Args:
        slices: read one by one, so that the host never holds all of them.
        task: whose window is applied to crops.
        patch: side of the crops; slices smaller than that are reflected.
        device: where they are kept.
    """

    def __init__(
        self, slices: Sequence[Slice], task: Task, patch: int, device: torch.device
    ) -> None:
        self._task, self._patch = task, patch
        self._shapes = [(max(h, patch), max(w, patch)) for h, w in _shapes(slices)]
        sizes = [height * width for height, width in self._shapes]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._pixels = torch.empty(int(self._starts[-1]), dtype=torch.int16, device=device)
        for one, start, size in zip(slices, self._starts, sizes, strict=False):
            hu = np.array(at_least(one.hu, patch)).reshape(-1)  # a map cannot be written to
            self._pixels[start : start + size] = torch.from_numpy(hu).to(device)
        self._along = torch.arange(patch, device=device)

    def crops(self, seed: int, step: int, batch: int, rows: range | None = None) -> Tensor:
        """Cut what `patches.crops` cuts, bit for bit: (rows, 1, patch, patch) float32 grey."""
        chosen = places(len(self._shapes), seed=seed, step=step, batch=batch, rows=rows)
        walks = torch.tensor([self._walk(place) for place in chosen])
        if self._pixels.is_cuda:
            walks = walks.pin_memory().to(self._pixels.device, non_blocking=True)
        start, down, across = walks[:, :, None, None].unbind(1)
        pixels = self._pixels[start + down * self._along[:, None] + across * self._along]
        return self._task.windowed(pixels.double()).float()[:, None]

    def _walk(self, place: Place) -> tuple[int, int, int]:
        """Where a crop's first pixel is, and how far it is to the next one down and across."""
        height, width = self._shapes[place.number]
        top, left = place.corner((height, width), self._patch)
        last = self._patch - 1
        # Of the pixel at row i and column j of the turned crop: its place in the slice is
        # first + i * down + j * across.
        first, down, across = [
            (0, width, 1),
            (last, -1, width),
            (last * (width + 1), -width, -1),
            (last * width, 1, -width),
        ][place.turn % 4]
        if place.turn & 4:
            first, across = first + last * across, -across
        return int(self._starts[place.number]) + top * width + left + first, down, across
