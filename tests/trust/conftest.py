"""An afternoon's work on a hostile, secret data set, done once; each file here asks it something.

The folder of CT, its file names, every text in its headers and the user's home folder hold
canaries. In it, in the folder of runs and in the current folder lie modules that leave a mark when
they are imported. There is no network.
"""

import json
import os
import pickle
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from pydicom import Dataset, config, dcmread
from pydicom.datadict import keyword_dict
from pydicom.uid import generate_uid

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

PLUGINS = '''
"""A network, a baseline and two losses of the user's own."""

from torch import nn

from denoisebench import baseline, generator, loss


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, noisy):
        return noisy - self.body(noisy)


@generator("tiny")
def tiny() -> nn.Module:
    """A convolution."""
    return Residual()


@baseline("half")
def half(noisy, sigma, *, share: float = 0.5):
    """Halve."""
    return noisy * share


@loss("nan_loss")
def nan_loss(output, target):
    """Never a number."""
    return (output - target).mean() * float("nan")


@loss("raises")
def raises(output, target):
    """Names a place."""
    raise RuntimeError(f"cannot open {__file__}")
'''

METRIC = '''
"""A metric that names a place and a series in what it says."""

from denoisebench import Unavailable, metric


@metric("lost", unit="", better="higher", version=1)
def lost(output, target):
    """Fail."""
    raise Unavailable(f"no weights at {__file__}, series 1.2.840.113619.2.55.3.4")
'''

TASK = """
name = "ct-sigma50"
version = 1
summary = "The same, and affordable: without the slow references"
window_hu = [-160, 240]
metrics = ["psnr", "lpips"]
references = ["noisy"]
noise = {protocol = "awgn50", sigma = 50}
"""
LOST = TASK.replace('name = "ct-sigma50"', 'name = "lost"').replace("lpips", "lost")

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
NEEDED = ("Modality", "ImageType", "PhotometricInterpretation", "RescaleType")
TEXTS = ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "AE", "UR")
DATE, TIME = "19530417", "031416.926535"
ROOT = "1.2.826.0.1.3680043.9.7433."  # of the source's UIDs; what denoise makes has pydicom's
SECRETS = ["Canarz", DATE, TIME, ROOT]
PLACES = ["CanarysevenHome", "CanarysevenFolder", "CanarysevenPatient", "CanarysevenFile"]


@dataclass
class Journey:
    """Where all of it was done, what was said, and what must not be found.

    Attributes:
        secrets: what texts of headers begin with; `filled` of them differ.
        places: names of folders and files.
        answers: of each command, by its name in `COMMANDS`: code, out, err.
        written: folders that the commands wrote.
    """

    here: Path
    filled: int
    secrets: list[str] = field(default_factory=lambda: SECRETS)
    places: list[str] = field(default_factory=lambda: PLACES)
    answers: dict[str, SimpleNamespace] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    offline: bool = False
    written: list[Path] = field(default_factory=list)


def secret_header(number: int, patient: int) -> tuple[Dataset, list[str]]:
    """Fill every text element that DICOM knows, and private ones; return what was filled in."""
    dataset, secrets = Dataset(), []
    for keyword, tag in keyword_dict.items():
        if keyword in NEEDED or tag >> 16 in (0x0000, 0x0002) or keyword.startswith("Pixel"):
            continue
        element = dataset.__class__()
        vr = _vr(keyword)
        if vr in TEXTS:
            text = f"Canarz{tag:08x}{patient}"
            setattr(element, keyword, text)
        elif vr == "DA":
            setattr(element, keyword, DATE)
            text = DATE
        elif vr == "TM":
            setattr(element, keyword, TIME)
            text = TIME
        else:
            continue
        dataset.update(element)
        secrets.append(text)
    for keyword in UIDS:
        uid = generate_uid(
            ROOT, entropy_srcs=[keyword, str(patient), str(number * (keyword == UIDS[2]))]
        )
        setattr(dataset, keyword, uid)
        secrets.append(str(uid))
    block = dataset.private_block(0x0009, "CanarzCreator", create=True)
    block.add_new(0x01, "LO", "CanarzPrivate")
    return dataset, [*secrets, "CanarzCreator", "CanarzPrivate"]


def _vr(keyword: str) -> str:
    from pydicom.datadict import dictionary_VR

    return dictionary_VR(keyword_dict[keyword])


def secret_ct(folder: Path, write: Any) -> int:
    """Write six patients of two slices of 128², and a broken file; count the canaries."""
    rows, columns = np.mgrid[:128, :128]
    secrets: list[str] = []
    before = config.settings.writing_validation_mode
    config.settings.writing_validation_mode = config.IGNORE
    try:
        for patient in range(6):
            for number in range(2):
                place = folder / f"CanarysevenPatient{patient}" / f"CanarysevenFile{number}.dcm"
                disc = (rows - 64) ** 2 + (columns - 60 - patient) ** 2 < (44 + number) ** 2
                hu = np.where(disc, 20 + 10 * patient, -1000).astype(np.int16)
                write(place, hu, patient, number)
                dataset = dcmread(place)
                texts, filled = secret_header(number, patient)
                dataset.update({element.tag: element for element in texts})
                dataset.save_as(place)
                secrets += filled
    finally:
        config.settings.writing_validation_mode = before
    (folder / "CanarysevenBroken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 500)
    return len(dict.fromkeys(secrets))


def write_slice(path: Path, hu: np.ndarray, patient: int, number: int) -> None:
    from pydicom import dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    dataset = Dataset()
    dataset.SOPClassUID, dataset.Modality = CTImageStorage, "CT"
    dataset.SOPInstanceUID = generate_uid()
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [0, 0, 5.0 * number]
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


def traps(folder: Path, marks: Path, *, every: bool) -> None:
    """Lay modules that leave a mark when they are imported: of Python's names and of ours."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {"sitecustomize", "usercustomize", "conftest", "torch", "numpy", "pydicom", "pip",
             "denoisebench", "matplotlib", "rich", "l1", "noisy", "unet7", "tiny", "half",
             "multiprocessing", "struct", "json"}  # fmt: skip
    names |= {name for name in sys.stdlib_module_names if every and not name.startswith("_")}
    for name in names:
        text = f"open({str(marks / f'{folder.name}-{name}')!r}, 'w').close()\n"
        (folder / f"{name}.py").write_text(text)
    (folder / "matplotlibrc").write_text("text.usetex: True\nfigure.dpi: 7\n")


FAST = ("--batch", "2", "--patch", "32", "--steps", "3")
OWN = ("--plugin", "mine.py")


def commands(data: str) -> dict[str, tuple[str, ...]]:
    on = ("--data", data, "--task", "task.toml", *OWN)
    run = "runs/network"
    return {
        "half": ("run", "--baseline", "half", *on),
        "lost": (
            "run",
            "--baseline",
            "half",
            "--data",
            data,
            "--task",
            "lost.toml",
            *OWN,
            "--plugin",
            "lost.py",
        ),
        "diverges": ("run", "--gen", "tiny", "--loss", "nan_loss", *FAST, *on),
        "raises": ("run", "--gen", "tiny", "--loss", "raises", *FAST, *on),
        "gan": ("run", "--gen", "tiny", "--loss", "cgan+l1", "--disc", "pixel", *FAST, *on),
        "blend": ("blend", run, "tiny-cgan+l1", *on, "--weights", "0.5"),
        "denoise": ("denoise", run, data, "../denoised", "--task", "task.toml", "--anyway", *OWN),
        "denoise by a blend": (
            "denoise",
            "tiny-blend",
            f"{data}/CanarysevenPatient0",
            "../denoised-by-a-blend",
            "--task",
            "task.toml",
            "--anyway",
            *OWN,
        ),
        "denoise what is none": (
            "denoise",
            run,
            f"{data}/CanarysevenBroken.dcm",
            "../none.dcm",
            "--task",
            "task.toml",
            *OWN,
        ),
        "export": ("export", run, "--onnx", "network.onnx", "--task", "task.toml", *OWN),
        "no such data": ("run", "--baseline", "half", "--data", f"{data}/nothing", *OWN),
        **{
            form: ("leaderboard", "--format", form, *OWN)
            for form in ("table", "md", "csv", "json", "tex", "html", "bibtex")
        },
        "card": ("leaderboard", run, "--format", "model-index", *OWN),
        "publish": ("publish", "page", "--data", data, "--pictures", "--slices", "2", *OWN),
        "audit": ("audit", run, *on, "--slices", "2", "--seeds", "2"),
        "verify": ("verify", run, *on, "--slices", "2"),
        "submit": ("submit", run, *OWN, "--out", "s.zip"),
        "receive": ("submit", "--check", "s.zip", "--into", "received"),
        "doctor": ("doctor", "--json"),
        "list": ("list", *OWN),
        "info": ("info", "l1"),
        "check": ("check", "half", *OWN),
        "new": ("new", "loss", "my_loss"),
        "data prepare": ("data", "prepare", data),
        "data verify": ("data", "verify", data),
        "data list": ("data", "list"),
        "weights": ("weights", "list"),
        "fetch": ("weights", "fetch", "lpips"),
    }


def offline() -> list[str]:
    """What starts a command without any network device; nothing where the system has no such."""
    for words in (["unshare", "-n"], ["unshare", "-rn"]):
        with suppress(OSError):
            if not subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
                return words
    return []


@pytest.fixture(scope="session")
def journey(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Journey:
    """Run all commands once, whatever number of processes the tests run in."""
    root = tmp_path_factory.getbasetemp().parent / f"trust-{testrun_uid}"
    with FileLock(f"{root}.lock"):
        kept = root / "journey.pickle"
        if not kept.exists():
            root.mkdir()
            kept.write_bytes(pickle.dumps(travelled(root)))
        return pickle.loads(kept.read_bytes())


def travelled(root: Path) -> Journey:
    """Run all commands, the first of them as a user does, without any network."""
    home, here, marks = root / "CanarysevenHome", root / "here", root / "marks"
    data = root / "CanarysevenFolder"
    for folder in (home, marks, data):
        folder.mkdir()
    filled = secret_ct(data, write_slice)
    for place in (here, here / "runs", data):
        traps(place, marks, every=place == here)
    for name, text in {"mine.py": PLUGINS, "lost.py": METRIC, "task.toml": TASK,
                       "lost.toml": LOST}.items():  # fmt: skip
        (here / name).write_text(text)
    import matplotlib as mpl

    refusals = root / "refusals"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DENOISEB")},
        "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "REFUSALS": str(refusals),
        "PYTHONPATH": str(HERE / "refuses"), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200",
        "MPLCONFIGDIR": mpl.get_cachedir(), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    found = Journey(here, filled)
    first = ("run", "--gen", "tiny", "--loss", "l1", *FAST, "--data", str(data), "--task",
             "task.toml", *OWN)  # fmt: skip
    script = Path(sys.executable).with_name("denoisebench")
    start = [str(script)] if script.exists() else [sys.executable, "-P", "-m", "denoisebench"]
    told = subprocess.run(
        [*offline(), *start, *first],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found.answers["run"] = SimpleNamespace(code=told.returncode, out=told.stdout, err=told.stderr)
    (made,) = (here / "runs").glob("tiny-*")
    made.rename(here / "runs" / "network")
    asked = commands(str(data))
    (root / "asked.json").write_text(json.dumps(list(asked.values())))
    rest = subprocess.run(
        [*offline(), sys.executable, "-P", str(HERE / "journey.py"), str(root / "asked.json")],
        cwd=here, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name, answer in zip(asked, json.loads(rest.stdout), strict=True):
        found.answers[name] = SimpleNamespace(**answer)
    found.marks = sorted(path.name for path in marks.iterdir())
    found.refusals = refusals.read_text().splitlines() if refusals.exists() else []
    for place in (here, here / "runs"):
        for path in place.iterdir():
            if path.is_file() and path.suffix in (".py", ".toml", ""):
                path.unlink()
    shutil.rmtree(data)
    found.written, found.offline = [here, home], bool(offline())
    return found
