"""A baseline over two cores beside one: BM3D's wheel on six crops of 256², by turns in one process.

    python -m pytest benchmarks/perf/test_bm3d.py --benchmark-only

Takes a minute. Each worker keeps to one thread; the pool's start is part of either. Outputs come
from an empty cache folder, and go into none.
"""

import os
import statistics
import time

import numpy as np
import pytest

from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.scoring import denoisers
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice
from denoisebench.workers import cores

TASK = load_task("ct-sigma50")
CROPS, TURNS, PROMISE = 6, 2, 1.8


@pytest.mark.skipif(
    cores() < 2 or not hasattr(os, "sched_setaffinity"),
    reason="needs two cores, and a system that can keep a process to one",
)
def test_bm3d_over_two_cores(benchmark, compared, tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path))
    (part,) = resolve("bm3d", "baseline", find())
    jobs = [(part, crop(patient)) for patient in range(CROPS)]
    taken: dict[int, list[float]] = {1: [], 2: []}
    allowed = os.sched_getaffinity(0)

    def turn() -> None:
        outputs = {}
        for workers in taken:
            # The wheel has threads of its own: one worker takes all cores that it may use.
            os.sched_setaffinity(0, sorted(allowed)[:workers])
            began = time.perf_counter()
            outputs[workers] = list(denoisers.each(jobs, TASK.sigma, workers, keep=False))
            taken[workers].append(time.perf_counter() - began)
        os.sched_setaffinity(0, allowed)
        for one, two in zip(outputs[1], outputs[2], strict=True):
            # 1e-3 grey levels: the wheel's float32 sums depend on where memory lies, and differ by
            # up to 6e-5 from process to process
            assert one.image == pytest.approx(two.image, abs=1e-3)

    benchmark.pedantic(turn, rounds=TURNS)
    assert not os.listdir(tmp_path)  # nothing was kept, so nothing was read
    ratio = statistics.median(one / two for one, two in zip(*taken.values(), strict=True))
    compared(ratio, beside="one core", target=PROMISE)
    for workers, seconds in taken.items():
        benchmark.extra_info[f"{workers} workers, s a crop"] = statistics.median(seconds) / CROPS


def crop(patient: int) -> np.ndarray:
    """The middle of a noisy abdomen."""
    one = Slice(draw(patient, 2), str(patient), str(patient))
    noisy = noisy_slice(TASK, TASK.to_grey(one.hu), one.digest)
    return np.ascontiguousarray(noisy[128:384, 128:384])
