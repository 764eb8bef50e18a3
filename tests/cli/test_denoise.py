"""`denoisebench denoise RUN INPUT OUTPUT`."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from denoisebench.data.named import open_data
from denoisebench.scoring.result import Result
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice

SLOPE, INTERCEPT = 0.02, -560  # of unsigned 16 bits: -560 to 750 HU, which five deviations hold
SECRET = "Canaryname"
TASK = """
name = "tiny-task"
version = 1
summary = "What a test can afford"
window_hu = [-160, 240]
metrics = ["psnr"]
references = ["noisy"]
noise = {protocol = "tiny", sigma = 50}
"""
BASELINES = '''
"""Blurs in this process: others start processes of their own."""

import time

from torch.nn.functional import avg_pool2d

from denoisebench import baseline


@baseline("blur", batched=True)
def blur(noisy, sigma):
    """Average over 5 × 5 pixels."""
    return avg_pool2d(noisy, 5, stride=1, padding=2, count_include_pad=False)


@baseline("slow", batched=True)
def slow(noisy, sigma):
    """Take one's time."""
    time.sleep(0.5)
    return blur(noisy, sigma)
'''


def write(path: Path, hu: Any, series: str = "1.2.3", number: int = 1, **tags: Any) -> None:
    """Write a slice whose stored values are a fiftieth of a HU apart."""
    image = Dataset()
    facts: dict[str, Any] = {
        "SOPClassUID": CTImageStorage, "SOPInstanceUID": f"{series}.{number}", "Modality": "CT",
        "StudyInstanceUID": "1.2.9", "SeriesInstanceUID": series, "PatientID": SECRET,
        "PatientName": SECRET, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [0, 0, number],
        "PixelSpacing": [0.7, 0.7], "SamplesPerPixel": 1, "PhotometricInterpretation":
        "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15,
        "PixelRepresentation": 0, "RescaleSlope": SLOPE, "RescaleIntercept": INTERCEPT, **tags,
    }  # fmt: skip
    for keyword, value in facts.items():
        setattr(image, keyword, value)
    image.Rows, image.Columns = hu.shape
    stored = np.rint((hu - image.RescaleIntercept) / image.RescaleSlope).clip(0, 65535)
    image.PixelData = stored.astype("<u2").tobytes()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, image, enforce_file_format=True)


def hu_of(path: Path) -> Any:
    image = dcmread(path)
    return image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, tuple[str, ...], Path]:
    """Train a small network on even discs: its folder, its options, and the data."""
    place = tmp_path_factory.mktemp("trained")
    rows, columns = np.mgrid[:128, :128]
    for patient in range(6):
        disc = (rows - 64) ** 2 + (columns - 60 - patient) ** 2 < (40 + patient) ** 2
        hu = np.where(disc, 10 * patient, -1000)
        write(place / "data" / f"{patient}.dcm", hu, f"1.2.{patient + 1}", RescaleSlope=1,
              RescaleIntercept=-1024, PatientID=f"P{patient}")  # fmt: skip
    (place / "task.toml").write_text(TASK)
    words = ["run", "--gen", "resunet(width=8,blocks=1)", "--loss", "l1", "--steps", "150",
             "--batch", "4", "--patch", "64", "--data", "data", "--task", "task.toml"]  # fmt: skip
    environment = {**os.environ, "DENOISEBENCH_HOME": str(place / "home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "denoisebench", *words]
    subprocess.run(command, cwd=place, env=environment, check=True, capture_output=True)
    (folder,) = place.glob("runs/resunet-*")
    return folder, ("--task", str(place / "task.toml")), place / "data"


@pytest.fixture
def blur(denoisebench, tmp_path) -> tuple[Path, tuple[Path | str, ...]]:
    """The run of a blur as scoring it would leave it: its folder, and its options."""
    return baseline_run(tmp_path, "blur")


def baseline_run(place: Path, name: str) -> tuple[Path, tuple[Path | str, ...]]:
    (place / "baselines.py").write_text(BASELINES)
    folder = place / "runs" / name
    folder.mkdir(parents=True)
    Result(
        method=name, kind="baseline", task="ct-sigma50", task_version=1, data="p", data_digest="d",
        split_digest="s", recipe="abc123", n_slices=1, n_patients=1, parameters=0, device="CPU",
        status="done",
    ).write(folder / "result.json")  # fmt: skip
    return folder, ("--plugin", place / "baselines.py")


@pytest.fixture
def noisy_series(tmp_path) -> Path:
    """Three slices of a disc in air under the default task's noise."""
    rows, columns = np.mgrid[:128, :128]
    rng = np.random.default_rng(2)
    for number in (1, 2, 3):
        disc = (rows - 64) ** 2 + (columns - 64) ** 2 < (45 + number) ** 2
        hu = np.where(disc, 40, -1000) + rng.normal(0, 78.4, disc.shape)
        write(tmp_path / "in" / f"{number}.dcm", hu, number=number, RescaleSlope=1,
              RescaleIntercept=-1024)  # fmt: skip
    return tmp_path / "in"


def test_its_psnr_is_the_evaluators(denoisebench, trained):
    """The test slices under the task's own noise, through DICOM, score what scores.csv says."""
    folder, options, data = trained
    task = load_task(options[1])
    slices = open_data(str(data)).test
    for number, one in enumerate(slices, 1):
        noisy = noisy_slice(task, task.to_grey(one.hu), one.digest)
        hu = noisy / task.grey_per_hu + task.window_hu[0]
        write(Path("in") / f"{number}.dcm", hu, number=number)
    answer = denoisebench("denoise", folder, "in", "out", *options)
    assert answer.code == 0, answer.err
    with (folder / "scores.csv").open() as file:
        scores = {row["slice"]: float(row["value"]) for row in csv.DictReader(file)
                  if row["metric"] == "psnr"}  # fmt: skip
    assert len(scores) == len(slices) > 0
    for number, one in enumerate(slices, 1):
        grey = (hu_of(Path("out") / f"000{number}.dcm") - task.window_hu[0]) * task.grey_per_hu
        psnr = 10 * np.log10(255**2 / ((grey - task.to_grey(one.hu)) ** 2).mean())
        assert psnr == pytest.approx(scores[one.digest[:16]], abs=0.01)


def test_air_around_moves_no_hu_within(denoisebench, trained, noisy_series):
    """The same noise on the same disc, in air as scanners see it and in a window's end."""
    folder, options, _ = trained
    for path in noisy_series.glob("*.dcm"):
        hu = hu_of(path)
        write(Path("windowed") / path.name, np.where(air(hu), hu + 840, hu), "1.2.4",
              int(path.stem), RescaleSlope=1, RescaleIntercept=-1024)  # fmt: skip
    answers = [denoisebench("denoise", folder, given, output, *options, "--json")
               for given, output in ((noisy_series, "out"), ("windowed", "other"))]  # fmt: skip
    assert [answer.code for answer in answers] == [0, 0], answers
    found, other = (json.loads(answer.out)["series"][0] for answer in answers)
    assert (found["slices"], found["resumed"]) == (3, 0)
    assert found["noise_hu"] == pytest.approx(78.4, rel=0.1)
    assert 0.5 < found["kept"] < 0.65  # the air around a disc
    assert other["kept"] < 0.01
    outputs = [
        [hu_of(Path(place) / f"000{n}.dcm") for n in (1, 2, 3)] for place in ("out", "other")
    ]
    given = [hu_of(noisy_series / f"{n}.dcm") for n in (1, 2, 3)]
    for before, after, windowed in zip(given, *outputs, strict=True):
        inside = ~air(before)
        # A network of 150 steps is off by some HU itself; what lies around must not add one.
        assert abs((after - windowed)[inside].mean()) < 1
        assert np.array_equal(after[air(before)], before[air(before)])


def air(hu: Any) -> Any:
    """Tell air from a disc of 40 HU under noise of 78."""
    return hu < -480


@pytest.fixture
def denoise(denoisebench, blur):
    """Denoise with the blur."""
    folder, options = blur
    return lambda *words: denoisebench("denoise", folder, *words, *options)


def test_what_is_said_holds_no_word_of_headers(denoise, noisy_series):
    (noisy_series / "broken.dcm").write_bytes((noisy_series / "1.dcm").read_bytes()[:700])
    said = [denoise(noisy_series, "out"), denoise(noisy_series, "out", "--anyway"),
            denoise(noisy_series, "more", "--series", "9.9"),
            denoise(noisy_series, "again", "--json", "--anyway")]  # fmt: skip
    assert [answer.code for answer in said] == [2, 0, 2, 0]
    for answer in said:
        assert SECRET not in answer.out + answer.err
        assert "1.2.3" not in answer.out + answer.err
        assert str(noisy_series) not in answer.out


def test_a_clean_series_is_refused_unless_told(denoise, noisy_series, tmp_path):
    rows, columns = np.mgrid[:128, :128]
    disc = (rows - 64) ** 2 + (columns - 64) ** 2 < 50**2
    hu = np.where(disc, 40, -1000) + np.random.default_rng(0).normal(0, 10, disc.shape)
    write(tmp_path / "clean" / "1.dcm", hu, RescaleSlope=1, RescaleIntercept=-1024)
    answer = denoise(tmp_path / "clean", "out")
    assert (answer.code, answer.out) == (2, "")
    assert re.search(r"noise of 10 HU where the run removes 78 \(47 to 118", answer.err)
    assert answer.err.count("\n") == 1
    assert not list(Path().glob("out*"))
    answer = denoise(tmp_path / "clean", "out", "--anyway")
    assert answer.code == 0
    assert "note: blur was not trained for this: noise of" in answer.err


def test_one_line_names_all_that_is_wrong(denoise, tmp_path):
    hu = np.random.default_rng(0).normal(40, 10, (60, 70)) - 10
    write(tmp_path / "in" / "1.dcm", hu, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
          ImageOrientationPatient=[1, 0, 0, 0, 0, -1], LossyImageCompression="01")  # fmt: skip
    answer = denoise(tmp_path / "in", "out")
    assert answer.code == 2
    for words in ("a localizer", "not axial", "lossy compression", "60 × 70 pixels", "noise of"):
        assert words in answer.err
    assert answer.err.count("\n") == 1
    assert denoise(tmp_path / "in", "out", "--anyway").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing", "in", "out"), "no run is called 'nothing'"),
        (("RUN", "nowhere", "out"), "no file or folder 'nowhere'"),
        (("RUN", "in", "in/out"), "stands in INPUT"),
        (("RUN", "in", "taken"), "'taken' is there already|taken is there already"),
        (("RUN", "in", "out.nii"), "not of INPUT's kind; give a folder"),
        (("RUN", "in", "out", "--tile", 128), "--tile is for networks"),
        (("RUN", "in", "out", "--sigma", 0), "x>0"),
        (("RUN", "empty", "out"), "no CT slice to denoise: the folder is empty"),
        (("RUN", "in"), "Missing argument 'OUTPUT'"),
    ],
)
def test_mistakes_are_one_line(denoisebench, blur, noisy_series, words, message):
    folder, options = blur
    Path("in").symlink_to(noisy_series)
    Path("taken").mkdir()
    Path("empty").mkdir()
    (Path("taken") / "mine").write_text("mine")
    answer = denoisebench("denoise", *(folder if w == "RUN" else w for w in words), *options)
    assert (answer.code, answer.out) == (2, "")
    assert re.search(message, answer.err)
    assert answer.err.count("\n") == 1
    assert not Path("out").exists()


def test_one_file_becomes_one_file(denoise, noisy_series):
    answer = denoise(noisy_series / "1.dcm", "one.dcm")
    assert answer.code == 0, answer.err
    assert dcmread("one.dcm").ImageType[0] == "DERIVED"
    assert denoise(noisy_series / "1.dcm", "one.dcm").code == 2


def test_a_volume_becomes_a_volume(denoise, noisy_series):
    nib = pytest.importorskip("nibabel", reason="the extra nifti is not installed")
    hu = np.stack([hu_of(path) for path in sorted(noisy_series.glob("*.dcm"))])
    affine = np.diag([-0.7, -0.7, 3.0, 1.0])
    nib.save(nib.Nifti1Image(hu.transpose(2, 1, 0).astype(np.int16), affine), "in.nii.gz")
    answer = denoise("in.nii.gz", "out.nii.gz", "--json")
    assert answer.code == 0, answer.err
    (found,) = json.loads(answer.out)["series"]
    assert found["slices"] == 3
    # a blur takes from a disc's rim: 290 pixels around, some 100 HU, of 16,384
    assert -4 < found["mean_change_hu"] < 0
    assert nib.load("out.nii.gz").shape == (128, 128, 3)


def test_a_baseline_is_told_how_much_noise_there_is(denoisebench, noisy_series, blur):
    folder, options = blur
    words = ("denoise", folder, noisy_series)
    answer = denoisebench(*words, "out", "--sigma", 20, *options)
    assert answer.code == 2
    assert "the run removes 20" in answer.err
    assert denoisebench(*words, "out", "--sigma", 70, *options).code == 0


def test_a_network_takes_tiles_and_no_noise_level(denoisebench, trained, noisy_series):
    folder, options, _ = trained
    answer = denoisebench("denoise", folder, noisy_series, "out", *options, "--sigma", 70)
    assert answer.code == 2
    assert "a network was trained for 78.4 HU" in answer.err
    for name, more in (("whole", ()), ("tiles", ("--tile", 128))):
        words = ("denoise", folder, noisy_series, name, *options, *more)
        assert denoisebench(*words).code == 0


def test_a_killed_command_goes_on_and_ends_the_same(denoisebench, noisy_series, tmp_path):
    """SIGKILL after the first slice; the same command again; an undisturbed one beside it."""
    folder, options = baseline_run(tmp_path, "slow")
    again = [*map(str, ("denoise", folder, noisy_series, "out", *options, "--json"))]
    command = subprocess.Popen([sys.executable, "-m", "denoisebench", *again],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(Path().glob("out.unfinished/0001.dcm")) and time.monotonic() < deadline:
        time.sleep(0.01)
    command.send_signal(signal.SIGKILL)
    command.wait()
    assert not Path("out").exists()
    answer = denoisebench(*again)
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["series"][0]["resumed"] >= 1
    again[again.index("out")] = "undisturbed"
    assert denoisebench(*again).code == 0
    files = [{path.name: path.read_bytes() for path in Path(place).iterdir()}
             for place in ("out", "undisturbed")]  # fmt: skip
    assert files[0] == files[1]
    assert set(files[0]) == {"0001.dcm", "0002.dcm", "0003.dcm"}


def test_two_at_one_place_do_not_meet(denoise, noisy_series):
    from denoisebench import lock

    with lock.alone(Path("out.unfinished")):
        answer = denoise(noisy_series, "out")
    assert answer.code == 2
    assert "in use by another denoisebench" in answer.err
