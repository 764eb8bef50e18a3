"""Intake of a 512² slice beside plain pydicom, by turns in one process.

    python -m pytest benchmarks/perf/test_intake.py --benchmark-only

Plain is `dcmread`, `pixel_array` with whatever decoder pydicom picks, slope and intercept in
float64. Intake also judges the header, checks lengths, bounds claims and digests the HU. For
JPEG 2000 pydicom picks GDCM, which takes two threads: seconds favour it, processor time does not.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from denoisebench.data.intake.dicom import read

PATIENTS, TURNS = 6, 10
PROMISE = 0.8  # of plain pydicom's rate, a core
SYNTAXES = {"explicit": ExplicitVRLittleEndian, "JPEG 2000": JPEG2000Lossless}


def plain(path: Path) -> np.ndarray:
    one = dcmread(path)
    return one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept)


def took(clock: Callable[[], float], work: Callable[[Path], object], path: Path) -> float:
    began = clock()
    work(path)
    return clock() - began


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_intake_beside_plain_pydicom(benchmark, compared, write_dicom, tmp_path, syntax):
    paths = [write_dicom(tmp_path / f"{n}.dcm", n, syntax) for n in range(PATIENTS)]
    assert all(np.array_equal(read(path)[0].hu, plain(path)) for path in paths)
    rates, seconds = {}, []
    for name, clock in {"seconds": time.perf_counter, "processor": time.process_time}.items():
        pairs = [
            (took(clock, plain, path), took(clock, read, path))
            for _ in range(TURNS)
            for path in paths
        ]
        theirs, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
        rates[name], seconds = theirs / ours, [*seconds, ours]
    benchmark.pedantic(lambda: [read(path) for path in paths], rounds=3)
    compared(
        rates["processor"],
        beside="plain pydicom, processor time",
        target=PROMISE,
        seconds=seconds[0],
        by_seconds=rates["seconds"],
    )
