"""Batches of clean and noisy crops."""

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

PIXELS_AT_ONCE = 2**17


class Batches:
    """The batches of a training, by step.

    On a GPU whose memory holds the train split, crops are cut there; for another, a thread cuts
    those of the next step meanwhile. On a CPU all cores work on the step already, and to wake a
    thread costs more than the crops.

    Args:
        slices: of the train split.
        task: whose window and noise.
        seed: of crops and noise.
        batch, patch: number and side of the crops of a step.
        device: where they are wanted.
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
        rows: range | None = None,
    ) -> None:
        self._slices, self._task, self._seed, self._batch = slices, task, seed, batch
        self._patch, self._device = patch, device
        self._rows = range(batch) if rows is None else rows
        self._resident = (
            Resident(slices, task, patch, device) if fits(slices, patch, device) else None
        )
        self._by_thread = device.type == "cuda" and not self._resident
        # The first crops of a call take longest by far; a thread has one step's time for them.
        size = len(self._rows) * patch**2
        self._steps = 1 if self._by_thread else max(1, PIXELS_AT_ONCE // size)
        self._thread = ThreadPoolExecutor(1, "batches")
        self._ready: dict[int, Tensor] = {}
        self._next: Future[dict[int, Tensor]] | None = None

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the (clean, noisy) crops of a step, each (rows, 1, patch, patch) in [-1, 1]."""
        if self._resident:
            clean = self._resident.crops(self._seed, step, self._batch, self._rows)
        else:  # pinned, where it goes to a GPU
            clean = self._cut_already(step).to(self._device, non_blocking=True)
        return to_network(clean), to_network(self._noisy(clean, step))

    def begin(self, step: int) -> None:
        """Start to cut the crops of a step, where somebody is idle who could.

        Best called before a long call that leaves Python's lock alone, as a backward pass does:
        beside Python code a thread would only take turns with it.
        """
        if self._by_thread and self._next is None and step not in self._ready:
            self._next = self._thread.submit(self._cut, step)

    def _cut_already(self, step: int) -> Tensor:
        if step not in self._ready and self._next:
            made, self._next = self._next, None
            self._ready = made.result()
        if step not in self._ready:
            self._ready = self._cut(step)
        return self._ready.pop(step)

    def _cut(self, first: int) -> dict[int, Tensor]:
        """Cut the crops of a step, or of several small ones, in grey levels."""
        cut = crops(
            self._slices,
            self._task,
            seed=self._seed,
            step=first,
            batch=self._batch,
            patch=self._patch,
            rows=self._rows,
            steps=self._steps,
        )
        grey = torch.from_numpy(cut)
        grey = grey.pin_memory() if self._device.type == "cuda" else grey
        return dict(enumerate(grey.chunk(self._steps), first))

    def _noisy(self, clean: Tensor, step: int) -> Tensor:
        source = torch.Generator(clean.device).manual_seed(noise_seed(self._seed, step))
        return fresh_noise(self._task, clean, source, batch=self._batch, rows=self._rows)
