"""DICOM files made by pydicom, whose HU are worked by hand below.

Tests reach the functions here through the fixture `made`, whichever way pytest imports them.
"""

import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, config, dcmwrite
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from denoisebench.data.intake.dicom import NotCT, read

# Stored values and, with slope 1 and intercept -1024, their HU: air, lung, fat, water, liver, bone.
STORED = [0, 174, 924, 1024, 1084, 2024, 4095]
HU = [-1024, -850, -100, 0, 60, 1000, 3071]
BY_GDCM = (JPEGLossless, JPEGLosslessSV1, JPEGLSLossless)


def tiled(values: list[int], rows: int = 64, columns: int = 64) -> NDArray[np.int64]:
    """Lay values out over rows, again and again."""
    return np.resize(np.array(values, dtype=np.int64), (rows, columns))


def header(**tags: Any) -> Dataset:
    """Return a CT header with `tags` set; None leaves a tag out."""
    dataset = Dataset()
    usual = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": "1.2.3.4.5",
        "SeriesInstanceUID": "1.2.3.4",
        "Modality": "CT",
        "PatientID": "Iris",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [-100, -90, 12.5],
        "PixelSpacing": [0.7, 0.8],
        "SliceThickness": 2.5,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "PixelRepresentation": 0,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        **tags,
    }
    if usual.get("HighBit") is None and usual["BitsStored"] is not None:
        usual["HighBit"] = usual["BitsStored"] - 1
    padding = usual.get("PixelPaddingValue")
    if isinstance(padding, int):  # of either sign, whatever the pixels are
        dataset.add_new("PixelPaddingValue", "SS" if padding < 0 else "US", padding)
        del usual["PixelPaddingValue"]
    for keyword, value in usual.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def write(
    path: Path,
    stored: NDArray[Any] | None = None,
    syntax: str = ExplicitVRLittleEndian,
    **tags: Any,
) -> Path:
    """Write a CT slice, of STORED unless told otherwise, and return its path."""
    stored = tiled(STORED) if stored is None else stored
    before = config.settings.writing_validation_mode
    config.settings.writing_validation_mode = config.IGNORE  # wrong on purpose, here and there
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = _with_pixels(header(**tags), stored, syntax)
            path.parent.mkdir(parents=True, exist_ok=True)
            written = UID(ExplicitVRLittleEndian if syntax in BY_GDCM else syntax)
            implicit, little = written.is_implicit_VR, written.is_little_endian
            del dataset.file_meta
            meta = FileMetaDataset()
            meta.TransferSyntaxUID = written
            meta.MediaStorageSOPClassUID = CTImageStorage
            meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.5")
            file = FileDataset(
                None, dataset, b"\0" * 128, meta, is_implicit_VR=implicit, is_little_endian=little
            )
            dcmwrite(path, file, enforce_file_format=True, overwrite=True)
        if syntax in BY_GDCM:
            _transcode(path, syntax)
    finally:
        config.settings.writing_validation_mode = before
    return path


def _with_pixels(dataset: Dataset, stored: NDArray[Any], syntax: str) -> Dataset:
    frames = stored if stored.ndim == 3 else stored[None]
    if stored.ndim == 3:
        dataset.NumberOfFrames = len(frames)
    dataset.setdefault("Rows", frames.shape[1])
    dataset.setdefault("Columns", frames.shape[2])
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    kind = "i2" if dataset.get("PixelRepresentation") == 1 else "u2"
    big = syntax == ExplicitVRBigEndian
    dataset.PixelData = frames.astype(f"{'>' if big else '<'}{kind}").tobytes()
    dataset["PixelData"].VR = "OW"
    if syntax in (RLELossless, JPEG2000Lossless):
        plugin = "pydicom" if syntax == RLELossless else "pylibjpeg"
        dataset.compress(UID(syntax), encoding_plugin=plugin, generate_instance_uid=False)
    return dataset


def _transcode(path: Path, syntax: str) -> None:
    """Encode an uncompressed file again, by GDCM: pydicom writes no JPEG."""
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def enhanced(
    stored: NDArray[Any], rescale: list[tuple[float, float]], **tags: Any
) -> dict[str, Any]:
    """Return the tags of an Enhanced CT: a (slope, intercept) a frame, frames 5 mm apart."""
    per_frame = []
    for index, (slope, intercept) in enumerate(rescale):
        values, plane, kind = Dataset(), Dataset(), Dataset()
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = slope, intercept, "HU"
        plane.ImagePositionPatient = [0, 0, 100 + 5 * index]
        kind.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
        frame = Dataset()
        frame.PixelValueTransformationSequence = Sequence([values])
        frame.PlanePositionSequence = Sequence([plane])
        frame.CTImageFrameTypeSequence = Sequence([kind])
        per_frame.append(frame)
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.6], 5
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    left_out = ("RescaleSlope", "RescaleIntercept", "PixelSpacing", "SliceThickness",
                "ImageOrientationPatient", "ImagePositionPatient")  # fmt: skip
    return {
        **dict.fromkeys(left_out),
        "SOPClassUID": EnhancedCTImageStorage,
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        "stored": stored,
        "SharedFunctionalGroupsSequence": Sequence([shared]),
        "PerFrameFunctionalGroupsSequence": Sequence(per_frame),
        **tags,
    }


def body(seed: int, size: int = 64) -> NDArray[np.int64]:
    """Return stored values unlike those of any other seed, for slices that must differ."""
    return np.random.default_rng(seed).integers(0, 2000, (size, size))


def patients(folder: Path, names: str, slices: int = 2) -> Path:
    """Write a patient a letter, each with a few slices 5 mm apart, all different."""
    for number, name in enumerate(names):
        for index in range(slices):
            write(
                folder / name / f"{index:03}.dcm",
                body(1000 * number + index),
                PatientID=f"patient {name}",
                SeriesInstanceUID=f"1.2.{number}",
                SOPInstanceUID=f"1.2.{number}.{index}",
                ImagePositionPatient=[0, 0, 5 * index],
            )
    return folder


def refusal(path: Path) -> str:
    """Return the reason why a file is refused; a file that is read fails the test."""
    with pytest.raises(NotCT) as refused:
        read(path)
    return refused.value.reason


@pytest.fixture(scope="session")
def made() -> ModuleType:
    return sys.modules[__name__]


@pytest.fixture
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that nobody else uses."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("DENOISEBENCH_HOME", str(home))
    return home
