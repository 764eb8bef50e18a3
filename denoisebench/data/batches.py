"""Batches of clean and noisy crops, each made while the network works on the one before."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from denoisebench.data.patches import crops, noise_seed
from denoisebench.data.resident import Resident, fits
from denoisebench.data.scan import Slice
from denoisebench.task import Task
from denoisebench.task.noise import fresh_noise
from denoisebench.task.task import to_network


class Batches:
    """The batches of a training, by step.

    On a GPU whose memory holds the train split, crops are cut there. Elsewhere a thread cuts those
    of the next step meanwhile, and on a CPU it draws their noise as well.

    Args:
        slices: of the train split.
        task: whose window and noise.
        seed: of crops and noise.
        batch, patch: number and side of the crops of a step.
        device: where they are wanted.
        layout: in memory.
        rows: which of the batch this process works on; noise, too, is that of the whole batch, so
            that a share of it is the same whoever does the rest.
    """

    def __init__(
        self,
        slices: Sequence[Slice],
        task: Task,
        *,
        seed: int,
        batch: int,
        patch: int,
        device: torch.device,
        layout: torch.memory_format = torch.contiguous_format,
        rows: range | None = None,
    ) -> None:
        self._slices, self._task, self._seed, self._batch = slices, task, seed, batch
        self._patch, self._device, self._layout = patch, device, layout
        self._rows = range(batch) if rows is None else rows
        self._resident = Resident(slices, task, patch, device) if fits(slices, device) else None
        self._thread = ThreadPoolExecutor(1, "batches")
        self._next: tuple[int, Future[tuple[Tensor, Tensor | None]]] | None = None

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the (clean, noisy) crops of a step, each (rows, 1, patch, patch) in [-1, 1]."""
        clean, noisy = self._resident_crops(step) if self._resident else self._prepared(step)
        clean = clean.to(self._device, non_blocking=True)  # pinned, where it comes from the host
        if noisy is None:
            noisy = self._noisy(clean, step)
        return self._seen(clean), self._seen(noisy)

    def _seen(self, grey: Tensor) -> Tensor:
        return to_network(grey).contiguous(memory_format=self._layout)

    def _resident_crops(self, step: int) -> tuple[Tensor, None]:
        assert self._resident is not None
        return self._resident.crops(self._seed, step, self._batch, self._rows), None

    def _prepared(self, step: int) -> tuple[Tensor, Tensor | None]:
        ahead = self._next if self._next and self._next[0] == step else None
        made = ahead[1].result() if ahead else self._make(step)  # none is, of the first
        self._next = step + 1, self._thread.submit(self._make, step + 1)
        return made

    def _make(self, step: int) -> tuple[Tensor, Tensor | None]:
        """Cut the crops of a step, and draw their noise where that needs no GPU."""
        grey = torch.from_numpy(
            crops(
                self._slices,
                self._task,
                seed=self._seed,
                step=step,
                batch=self._batch,
                patch=self._patch,
                rows=self._rows,
            )
        )
        if self._device.type == "cuda":
            return grey.pin_memory(), None
        return grey, self._noisy(grey, step)

    def _noisy(self, clean: Tensor, step: int) -> Tensor:
        source = torch.Generator(clean.device).manual_seed(noise_seed(self._seed, step))
        return fresh_noise(self._task, clean, source, self._rows)
