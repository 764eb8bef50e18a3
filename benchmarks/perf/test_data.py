"""A slice is drawn, made noisy, cut: what data cost, from memory and from prepared data.

    python -m pytest benchmarks/perf/test_data.py --benchmark-only

`benchmarks/scale.py` has crops from a million slices, and from a disk that was not read before.
"""

from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from denoisebench.data.patches import crops
from denoisebench.data.phantom import draw
from denoisebench.data.store.prepare import prepare
from denoisebench.task.noise import noisy_slice

BATCH, PATCH, TURNS = 8, 96, 300


def write(path: Path, patient: int) -> None:
    """A slice of the phantom as DICOM."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID = CTImageStorage
    one.SOPInstanceUID = generate_uid(entropy_srcs=[str(patient)])
    one.Modality, one.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    one.PatientID, one.SeriesInstanceUID = str(patient), f"1.2.{patient}"
    one.ImagePositionPatient, one.ImageOrientationPatient = [0, 0, 5], [1, 0, 0, 0, 1, 0]
    one.PixelSpacing, one.SliceThickness = [0.7, 0.7], 5
    one.Rows = one.Columns = 512
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
    one.RescaleSlope, one.RescaleIntercept, one.RescaleType = 1, -1024, "HU"
    one.PixelData = (draw(patient, 2) + 1024).astype("<i2").tobytes()
    one["PixelData"].VR = "OW"
    one.save_as(path, enforce_file_format=True)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Train slices of nine patients, prepared on disk, and the same in memory."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "ct").mkdir()
    for patient in range(9):
        write(folder / "ct" / f"{patient}.dcm", patient)
    mapped = prepare(folder / "ct", folder / "prepared", workers=1).train
    return mapped, tuple(mapped)


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
