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
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid

from denoisebench.data.intake.dicom import read
from denoisebench.data.phantom import draw

PATIENTS, TURNS = 6, 10
PROMISE = 0.8  # of plain pydicom's rate, a core
SYNTAXES = {"explicit": ExplicitVRLittleEndian, "JPEG 2000": JPEG2000Lossless}


def write(path: Path, patient: int, syntax: str) -> Path:
    """A phantom's slice with noise of its own, as scanners have it: a blank one packs too well."""
    noise = np.random.default_rng(patient).normal(0, 10, (512, 512))
    stored = np.rint(draw(patient, 2) + noise).astype("<i2") + 1024
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, generate_uid(entropy_srcs=[str(patient)])
    one.Modality, one.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    one.PatientID, one.SeriesInstanceUID = str(patient), "1.2.3"
    one.ImagePositionPatient, one.ImageOrientationPatient = [0, 0, 5], [1, 0, 0, 0, 1, 0]
    one.PixelSpacing, one.SliceThickness = [0.7, 0.7], 5
    one.Rows = one.Columns = 512
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
    one.RescaleSlope, one.RescaleIntercept, one.RescaleType = 1, -1024, "HU"
    one.PixelData = stored.tobytes()
    one["PixelData"].VR = "OW"
    if syntax == JPEG2000Lossless:
        one.compress(syntax, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    one.save_as(path, enforce_file_format=True)
    return path


def plain(path: Path) -> np.ndarray:
    one = dcmread(path)
    return one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept)


def took(clock: Callable[[], float], work: Callable[[Path], object], path: Path) -> float:
    began = clock()
    work(path)
    return clock() - began


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_intake_beside_plain_pydicom(benchmark, compared, tmp_path, syntax):
    paths = [write(tmp_path / f"{n}.dcm", n, syntax) for n in range(PATIENTS)]
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
