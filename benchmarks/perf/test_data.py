"""A slice is drawn, made noisy, cut: what data cost, from memory and from prepared data.

    python -m pytest benchmarks/perf/test_data.py --benchmark-only

`benchmarks/scale.py` has crops from a million slices, and from a disk that was not read before.
"""

from dataclasses import replace
from itertools import count
from statistics import median
from time import perf_counter

import numpy as np
import pytest

from denoisebench.data.patches import crops
from denoisebench.data.phantom import draw
from denoisebench.data.store.prepare import prepare
from denoisebench.task.noise import noisy_slice

BATCH, PATCH, TURNS = 8, 96, 300


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, write_dicom):
    """Train slices of nine patients, prepared on disk, and the same in memory."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "ct").mkdir()
    for patient in range(9):
        write_dicom(folder / "ct" / f"{patient}.dcm", patient)
    mapped = prepare(folder / "ct", folder / "prepared", workers=1).train
    return mapped, tuple(replace(one, hu=np.array(one.hu)) for one in mapped)


def test_draw_a_phantom_slice(benchmark):
    benchmark(draw, 5, 2)


def test_add_test_noise_to_a_slice(benchmark, task, slices):
    benchmark(noisy_slice, task, task.to_grey(slices[0].hu), slices[0].digest)


def test_cut_a_batch_from_prepared_data_beside_memory(benchmark, compared, task, prepared):
    seconds: dict[str, list[float]] = {"disk": [], "memory": []}
    for step in range(TURNS):
        for name, slices in zip(seconds, prepared, strict=True):
            began = perf_counter()
            crops(slices, task, seed=0, step=step, batch=BATCH, patch=PATCH)
            seconds[name].append(perf_counter() - began)
    disk, memory = (median(each[10:]) for each in seconds.values())
    steps = count()
    benchmark(lambda: crops(prepared[0], task, seed=0, step=next(steps), batch=BATCH, patch=PATCH))
    compared(
        disk / memory,
        beside="slices in memory",
        at_most=True,
        seconds=disk,
        crops_a_second=BATCH / disk,
        crops_a_second_from_memory=BATCH / memory,
    )
