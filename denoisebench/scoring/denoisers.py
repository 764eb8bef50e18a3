"""Ways to denoise many slices: a network here, a baseline over all cores."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from denoisebench.plugins.expression import Part
from denoisebench.plugins.load import build
from denoisebench.training.inference import denoise

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Denoised:
    """A denoised slice, (H, W) float64 grey levels, and the seconds it took."""

    image: Image
    seconds: float


Denoiser = Callable[[Iterable[Image]], Iterator[Denoised]]
"""Takes noisy slices, gives denoised ones in the same order."""


def network(generator: torch.nn.Module, multiple: int) -> Denoiser:
    """Denoise with a trained generator, slice by slice, on its device."""

    def run(noisy_slices: Iterable[Image]) -> Iterator[Denoised]:
        for noisy in noisy_slices:
            began = time.perf_counter()
            image = denoise(generator, noisy, multiple)  # ends on the host, so the device is done
            yield Denoised(image, time.perf_counter() - began)

    return run


def baseline(part: Part, sigma: float, workers: int | None = None) -> Denoiser:
    """Denoise with a classical baseline, slices in parallel over the cores.

    Args:
        part: the baseline with its knobs.
        sigma: of the noise, in grey levels.
        workers: processes; all cores this process may use where None.
    """
    workers = workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None

    def run(noisy_slices: Iterable[Image]) -> Iterator[Denoised]:
        # spawn: a forked child of a process that runs torch's threads can hang.
        context = multiprocessing.get_context("spawn")
        one = partial(_one, part, sigma)
        with ProcessPoolExecutor(workers, context, initializer=_one_thread) as pool:
            yield from pool.map(one, noisy_slices)

    return run


def _one_thread() -> None:
    """Keep the numeric libraries of a worker to one core: there is a worker on each."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def _one(part: Part, sigma: float, noisy: Image) -> Denoised:
    plugin: Any = build(part)
    began = time.perf_counter()
    image = np.asarray(plugin(noisy, sigma), dtype=np.float64)
    seconds = time.perf_counter() - began
    if image.shape != noisy.shape:
        raise ValueError(f"{part.card.name} gave {image.shape} for a slice of {noisy.shape}")
    return Denoised(image, seconds)
