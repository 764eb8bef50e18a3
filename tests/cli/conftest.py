import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from denoisebench.cli import main as cli

TINY = '''
"""A network small enough to train in a test, and a loss of a user's own."""

from torch import nn

from denoisebench import generator, loss


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 1, 3, padding=1)
        )

    def forward(self, noisy):
        return noisy - self.body(noisy)


@generator("tiny", multiple=4)
def tiny(*, width: int = 8) -> nn.Module:
    """Two convolutions."""
    return Residual(width)


@loss("my_loss", weight=30)
def my_loss(output, target, *, alpha: float = 0.5):
    """l1 to the power of alpha.

    Knobs:
        alpha: the power.
    """
    return ((output - target).abs() + 1e-3).pow(alpha).mean()


@loss("nan_loss")
def nan_loss(output, target):
    """Never a number."""
    return (output - target).mean() * float("nan")
'''


TINY_TASK = """
name = "tiny-task"
version = 1
summary = "What a test can afford"
window_hu = [-160, 240]
metrics = ["psnr", "lpips"]
references = ["noisy"]
noise = {protocol = "tiny", sigma = 50}
"""


@pytest.fixture
def tiny_task(tmp_path) -> Path:
    """A task whose only reference is the noisy slice."""
    path = tmp_path / "tiny-task.toml"
    path.write_text(TINY_TASK)
    return path


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def denoisebench(monkeypatch, capfd, tmp_path):
    """Run the command line in this process, in an empty folder, with an empty cache."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["denoisebench", *map(str, words)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        out, err = capfd.readouterr()
        return Answer(int(exit_.value.code or 0), out, err)

    return call


@pytest.fixture
def plugin(tmp_path) -> Path:
    path = tmp_path / "tiny_plugins.py"
    path.write_text(TINY)
    return path


def write_slice(path: Path, hu: np.ndarray, patient: str, series: str, position: float) -> None:
    """Write an axial CT slice with HU as they are."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    dataset.SeriesInstanceUID, dataset.PatientID, dataset.Modality = series, patient, "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [0, 0, position]
    dataset.PixelSpacing = [0.7, 0.7]
    dataset.Rows, dataset.Columns = hu.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.PixelData = hu.astype("<i2").tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, dataset, enforce_file_format=True)


@pytest.fixture
def one_patient(tmp_path) -> Path:
    """A folder with forty slices of a single patient."""
    folder = tmp_path / "one_patient"
    rows, columns = np.mgrid[:64, :64]
    for position in range(40):
        disc = (rows - 32) ** 2 + (columns - 32) ** 2 < (10 + position / 4) ** 2
        hu = np.where(disc, 40, -1000).astype(np.int16)
        write_slice(folder / f"{position}.dcm", hu, "solo", "1.2.3", 3.0 * position)
    return folder


@pytest.fixture
def tiny_ct(tmp_path) -> Path:
    """A folder of eight patients with two slices of 64 × 64."""
    folder = tmp_path / "tiny_ct"
    rows, columns = np.mgrid[:64, :64]
    for patient in range(8):
        series = generate_uid()
        for position in range(2):
            disc = (rows - 32) ** 2 + (columns - 28 - patient) ** 2 < (18 + position) ** 2
            hu = np.where(disc, 20 + 10 * patient, -1000).astype(np.int16)
            path = folder / f"patient{patient}" / f"{position}.dcm"
            write_slice(path, hu, f"P{patient}", series, 5.0 * position)
    return folder


@pytest.fixture
def roomy_ct(tmp_path) -> Path:
    """A folder of six patients whose slice of 128 × 128 is an even disc."""
    folder = tmp_path / "roomy_ct"
    rows, columns = np.mgrid[:128, :128]
    for patient in range(6):
        disc = (rows - 64) ** 2 + (columns - 64) ** 2 < 50**2
        hu = np.where(disc, 30 + 5 * patient, -1000).astype(np.int16)
        write_slice(folder / f"{patient}.dcm", hu, f"P{patient}", f"1.2.{patient + 1}", 0.0)
    return folder
