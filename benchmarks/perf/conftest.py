"""What the suites share: the machine by its model, and how a comparison is written down."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid
from pytest_benchmark.utils import get_commit_info

from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.plugins.find import Catalogue, find
from denoisebench.task import Task, load_task

sys.path.insert(0, str(Path(__file__).parent / "step"))


COMMIT = get_commit_info()  # of what is measured; at the end it may be another


def pytest_benchmark_generate_commit_info(config: pytest.Config) -> dict[str, Any]:
    return COMMIT


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]):
    """Leave the host's name out; add what figures depend on."""
    machine_info.pop("node", None)
    machine_info |= {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


@pytest.fixture
def compared(benchmark) -> Callable[..., None]:
    """Write down a comparison for `table.py`.

    ratio: of ours to `beside` where at_most, of `beside` to ours otherwise: times, bytes, seconds.
    target: which the ratio has to stay below (at_most) or reach; None where nothing is promised.
    seconds: our median, where it is not that of the timed call.
    """

    def say(
        ratio: float,
        *,
        beside: str,
        target: float | None = None,
        at_most: bool = False,
        seconds: float | None = None,
        **more: Any,
    ) -> None:
        benchmark.extra_info |= {"ratio": ratio, "beside": beside, "at_most": at_most, **more}
        if target is not None:
            benchmark.extra_info["target"] = target
        if seconds is not None:
            benchmark.extra_info["seconds"] = seconds

    return say


def write(path: Path, patient: int, syntax: str = ExplicitVRLittleEndian) -> Path:
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


@pytest.fixture(scope="session")
def write_dicom() -> Callable[..., Path]:
    return write


@pytest.fixture(scope="session")
def task() -> Task:
    return load_task("ct-sigma50")


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return find()


@pytest.fixture(scope="session")
def slices() -> tuple[Slice, ...]:
    """Three patients' abdomens, 512²."""
    return tuple(Slice(draw(patient, 2), str(patient), str(patient)) for patient in range(3))


@pytest.fixture(scope="session")
def dataset(slices) -> DataSet:
    return DataSet("perf", slices, slices[:1], slices[:1], (), ())
