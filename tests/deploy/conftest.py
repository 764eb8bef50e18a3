"""A valid CT series made by pydicom, and runs of baselines to denoise it with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from denoisebench.data import phantom
from denoisebench.deploy.method import Method, method_of
from denoisebench.plugins.find import find
from denoisebench.scoring.opened import open_run
from denoisebench.scoring.result import Result

SIGMA_HU = 50 / 255 * 400  # of ct-sigma50
BLUR = '''
"""A blur in this process: other baselines start processes of their own."""

from torch import exp, arange
from torch.nn.functional import conv2d, pad

from denoisebench import baseline


@baseline("blur", batched=True)
def blur(noisy, sigma, *, width: float = 1.0):
    """Convolve with a Gaussian.

    Knobs:
        width: in pixels.
    """
    row = exp(-(arange(-4, 5, dtype=noisy.dtype) ** 2) / (2 * width**2))
    row = row / row.sum()
    return conv2d(pad(noisy, (4, 4, 4, 4), mode="reflect"), (row[:, None] * row)[None, None])
'''
WriteSeries = Callable[..., list[Path]]


def header(series: str, number: int) -> Dataset:
    """A CT Image with all that the standard asks for, and what a derived one must not keep."""
    image = Dataset()
    facts: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 100",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": f"{series}.{number}",
        "StudyDate": "20200102", "SeriesDate": "20200102", "AcquisitionDate": "20200102",
        "ContentDate": "20200102", "StudyTime": "101112", "SeriesTime": "101112",
        "AcquisitionTime": "101112", "ContentTime": "101112", "AccessionNumber": "A1",
        "Modality": "CT", "Manufacturer": "Maker", "ReferringPhysicianName": "Müller^Anna",
        "StationName": "CT1", "StudyDescription": "Abdomen", "SeriesDescription": "Abdomen 3.0",
        "ManufacturerModelName": "Model", "PatientName": "Müller^Jörg", "PatientID": "P1",
        "PatientBirthDate": "19500101", "PatientSex": "M", "SliceThickness": 3.0, "KVP": 120.0,
        "DeviceSerialNumber": "1", "SoftwareVersions": "1", "PatientPosition": "HFS",
        "StudyInstanceUID": "1.2.3.9", "SeriesInstanceUID": series, "StudyID": "1",
        "SeriesNumber": 3, "AcquisitionNumber": 1, "InstanceNumber": number,
        "ImagePositionPatient": [-175.0, -170.5, -100.0 + 3.0 * number],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "FrameOfReferenceUID": "1.2.3.8",
        "PositionReferenceIndicator": "", "Laterality": "", "SliceLocation": -100.0 + 3.0 * number,
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "PixelSpacing": [0.7, 0.7], "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11,
        "PixelRepresentation": 0, "WindowCenter": 40, "WindowWidth": 400,
        "RescaleIntercept": -1024, "RescaleSlope": 1, "RescaleType": "HU",
        "ReconstructionDiameter": 358.4, "ConvolutionKernel": "SOFT",
    }  # fmt: skip
    for keyword, value in facts.items():
        setattr(image, keyword, value)
    return image


@pytest.fixture
def write_series() -> WriteSeries:
    """Write slices of HU; tags as given, None to leave one out."""

    def write(
        folder: Path,
        slices: list[NDArray[Any]],
        *,
        series: str = "1.2.3.4",
        syntax: UID = ExplicitVRLittleEndian,
        stored: bool = False,
        **tags: Any,
    ) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, hu in enumerate(slices, 1):
            image = header(series, number)
            for keyword, value in tags.items():
                if value is None:
                    del image[keyword]
                else:
                    setattr(image, keyword, value)
            image.HighBit = image.BitsStored - 1
            image.Rows, image.Columns = hu.shape
            values = hu if stored else (hu - image.RescaleIntercept) / image.RescaleSlope
            image.add_new("PixelData", "OW", np.rint(values).astype("<i4").astype("<u2").tobytes())
            image.file_meta = FileMetaDataset()
            image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            if syntax != ExplicitVRLittleEndian:
                image.compress(syntax, generate_instance_uid=False)
            paths.append(folder / f"{series}-{number}.dcm")
            whole = "SOPClassUID" in image
            dcmwrite(paths[-1], image, enforce_file_format=whole)
        return paths

    return write


@pytest.fixture(scope="session")
def clean() -> list[NDArray[np.int16]]:
    """Chest and abdomen of the phantom, (256, 256) HU."""
    return [phantom.draw(7, index, slices=8, size=256) for index in (2, 3, 4)]


@pytest.fixture(scope="session")
def noisy(clean: list[NDArray[np.int16]]) -> list[NDArray[np.float64]]:
    """The same under noise of the default task, as 12 bits hold it."""
    rng = np.random.default_rng(14)
    return [(one + rng.normal(0, SIGMA_HU, one.shape)).clip(-1024, 3071) for one in clean]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Write a baseline's run, as scoring one would."""

    def write(method: str = "blur(width=1.0)", task: str = "ct-sigma50") -> Path:
        folder = tmp_path / "runs" / method.partition("(")[0]
        folder.mkdir(parents=True, exist_ok=True)
        Result(
            method=method, kind="baseline", task=task, task_version=1, data="p", data_digest="d",
            split_digest="s", recipe="abc123", n_slices=1, n_patients=1, parameters=0,
            device="CPU", status="done",
        ).write(folder / "result.json")  # fmt: skip
        return folder

    return write


@pytest.fixture
def method(run: Callable[..., Path], tmp_path: Path) -> Callable[..., Method]:
    """Open a baseline's run as a method."""
    import torch

    (tmp_path / "blur.py").write_text(BLUR)

    def opened(name: str = "blur(width=1.0)", task: str = "ct-sigma50", **how: Any) -> Method:
        catalogue = find((tmp_path / "blur.py",))
        return method_of(open_run(run(name, task), catalogue), torch.device("cpu"), **how)

    return opened
