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
        self._ready: dict[int, tuple[Tensor, Tensor | None]] = {}
        self._next: Future[dict[int, tuple[Tensor, Tensor | None]]] | None = None

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the (clean, noisy) crops of a step, each (rows, 1, patch, patch) in [-1, 1]."""
        clean, noisy = self._resident_crops(step) if self._resident else self._prepared(step)
        clean = clean.to(self._device, non_blocking=True)  # pinned, where it comes from the host
        if noisy is None:
            noisy = self._noisy(clean, step)
        return self._seen(clean), self._seen(noisy)

    def begin(self, step: int) -> None:
        """Start to make the batch of a step, where somebody is idle who could.

        Best called before a long call that leaves Python's lock alone, as a backward pass does:
        beside Python code a thread would only take turns with it.
        """
        if self._device.type == "cuda" and not self._resident and step not in self._ready:
            self._next = self._thread.submit(self._make, step)

    def _seen(self, grey: Tensor) -> Tensor:
        return to_network(grey).contiguous(memory_format=self._layout)

    def _resident_crops(self, step: int) -> tuple[Tensor, None]:
        assert self._resident is not None
        return self._resident.crops(self._seed, step, self._batch, self._rows), None

    def _prepared(self, step: int) -> tuple[Tensor, Tensor | None]:
        if step not in self._ready and self._next:
            self._ready, self._next = self._next.result(), None
        if step not in self._ready:
            self._ready = self._make(step)
        return self._ready.pop(step)

    def _make(self, first: int) -> dict[int, tuple[Tensor, Tensor | None]]:
        """Cut the crops of a step, or of several small ones: the first takes longest by far.

        Their noise is drawn, too, where that needs no GPU.
        """
        size = len(self._rows) * self._patch**2
        steps = range(first, first + max(1, PIXELS_AT_ONCE // size))
        made: dict[int, tuple[Tensor, Tensor | None]] = {}
        facts = {"seed": self._seed, "batch": self._batch, "patch": self._patch}
        for step in steps:
            cut = crops(self._slices, self._task, **facts, step=step, rows=self._rows)
            grey = torch.from_numpy(cut)
            cuda = self._device.type == "cuda"
            made[step] = (grey.pin_memory(), None) if cuda else (grey, self._noisy(grey, step))
        return made

    def _noisy(self, clean: Tensor, step: int) -> Tensor:
        source = torch.Generator(clean.device).manual_seed(noise_seed(self._seed, step))
        return fresh_noise(self._task, clean, source, self._rows)
