"""Jobs small enough for a test: data, a plug-in that keeps a ledger, and what was heard of them."""

import hashlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from denoisebench.data.dataset import DataSet
from denoisebench.data.named import open_data
from denoisebench.data.patches import crops
from denoisebench.fleet.cluster.executor import on_ray
from denoisebench.fleet.job import Job, News, Setting
from denoisebench.fleet.sweep import _leave_row
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.scoring import run as runs
from denoisebench.scoring.classical import baseline_key
from denoisebench.task import Task, load_task
from denoisebench.task.task import to_network
from denoisebench.training.recipe import plan

PLUGINS = '''
"""A small network, and losses that keep a ledger of the batches that they see."""

import hashlib
import os
import signal
import time

import torch
from torch import nn

from denoisebench import generator, loss
from denoisebench.training import loop

loop.CHECKPOINT_SECONDS = 0.2  # a test has no five


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)
        )

    def forward(self, noisy):
        return noisy - self.body(noisy)


@generator("tiny", multiple=4)
def tiny() -> nn.Module:
    """Two convolutions."""
    return Residual()


def note(word):
    with open({ledger!r}, "a") as file:
        file.write(f"{{os.getpid()}} {{word}}\\n")


@loss("noted")
def noted(output, target, *, pause: float = 0.02):
    """l1, slowly."""
    note(hashlib.sha256(target.numpy().tobytes()).hexdigest())
    time.sleep(pause)
    return (output - target).abs().mean()


@loss("broken")
def broken(output, target, *, pause: float = 0.02):
    """Raises."""
    note("broken")
    raise RuntimeError("as it was made to")


@loss("deadly")
def deadly(output, target, *, pause: float = 0.02):
    """Kills its process at each batch."""
    note("deadly")
    os.kill(os.getpid(), signal.SIGKILL)
'''
TASK = """
name = "tiny-task"
version = 1
summary = "What a test can afford"
window_hu = [-160, 240]
metrics = ["psnr"]
references = ["noisy"]
noise = {protocol = "tiny", sigma = 50}
"""


def write_slice(path: Path, hu: np.ndarray, patient: int) -> None:
    """Write an axial CT slice with HU as they are."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    dataset.SeriesInstanceUID = f"1.2.{patient + 1}"
    dataset.PatientID, dataset.Modality = f"P{patient}", "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient, dataset.PixelSpacing = [0, 0, 0], [0.7, 0.7]
    dataset.Rows, dataset.Columns = hu.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.PixelData = hu.astype("<i2").tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(path, dataset, enforce_file_format=True)


@dataclass
class Stage:
    """Data, plug-ins and a task that a test can afford, and what was heard of its jobs."""

    data: Path
    plugins: Path
    task_file: Path
    ledger: Path
    dataset: DataSet
    task: Task
    heard: list[News] = field(default_factory=list)

    def setting(self, runs: Path, device: str = "auto", **changes: Any) -> Setting:
        values = {
            "data": str(self.data), "data_digest": self.dataset.digest,
            "split_digest": self.dataset.split_digest, "task": str(self.task_file),
            "plugins": (self.plugins,), "device": device, "track": (), "runs": runs,
        }  # fmt: skip
        return Setting(**values | changes)

    def job(self, loss: str = "noted", *, steps: int = 100, seed: int = 0) -> Job:
        catalogue = find([self.plugins])
        planned = plan(catalogue, generator="tiny", loss=loss, steps=steps, seed=seed,
                       batch=2, patch=16)  # fmt: skip
        recipe = planned.recipe(self.task, self.dataset)
        bench = runs.Bench(self.dataset, self.task, catalogue, None, Path())
        return Job(runs.run_folder(bench, recipe).name, recipe.method, recipe)

    def baseline(self) -> Job:
        catalogue = find([self.plugins])
        bench = runs.Bench(self.dataset, self.task, catalogue, torch.device("cpu"), Path("x"))
        (part,) = resolve("noisy", "baseline", catalogue)
        return Job(f"noisy-{baseline_key(bench, part)[:8]}", "noisy", baseline="noisy")

    def fail(self, job: Job, place: Path) -> None:
        """Leave the row that an earlier sweep would have left of a job that failed."""
        bench = runs.Bench(self.dataset, self.task, find([]), torch.device("cpu"), place)
        _leave_row(job, bench, "it was out of memory")

    def tell(self, news: News) -> None:
        self.heard.append(news)

    def last(self, job: Job) -> News:
        return [news for news in self.heard if news.job == job.name][-1]

    def sessions(self, job: Job) -> list[list[int]]:
        """The steps that each other process did of a job, in the order of their beginning."""
        return list(self._did(job).values())

    def workers(self, job: Job) -> list[int]:
        """The numbers of those processes."""
        return list(self._did(job))

    def _did(self, job: Job) -> dict[int, list[int]]:
        recipe = job.recipe
        batches = {}
        for step in range(recipe.steps):
            grey = crops(self.dataset.train, self.task, seed=recipe.seed, step=step, batch=2,
                         patch=recipe.patch)  # fmt: skip
            batches[digest_of(grey)] = step
        assert len(batches) == recipe.steps, "two steps have one batch"
        did: dict[int, list[int]] = {}
        for line in self.ledger.read_text().splitlines() if self.ledger.exists() else []:
            process, word = line.split()
            if word in batches and int(process) != os.getpid():
                did.setdefault(int(process), []).append(batches[word])
        return did


def digest_of(grey: np.ndarray) -> str:
    """SHA-256 of a batch as a network sees it."""
    return hashlib.sha256(to_network(torch.from_numpy(grey)).numpy().tobytes()).hexdigest()


def textured(folder: Path) -> Path:
    """Make a folder of ten patients whose slice of 64 × 64 has no two equal crops."""
    folder.mkdir()
    for patient, hu in enumerate(np.random.default_rng(0).integers(-40, 160, (10, 64, 64))):
        write_slice(folder / f"{patient}.dcm", hu, patient)
    return folder


def stage_in(folder: Path, data: Path) -> Stage:
    """Write plug-ins and a task into a folder, where the ledger will be too."""
    ledger, plugins, task = (folder / name for name in ("ledger", "mine.py", "tiny-task.toml"))
    plugins.write_text(PLUGINS.format(ledger=str(ledger)))
    task.write_text(TASK)
    return Stage(data, plugins, task, ledger, open_data(str(data)), load_task(str(task)))


if __name__ == "__main__":  # a driver that a test kills
    place, data, address, runs_folder, steps = sys.argv[1:]
    stage = stage_in(Path(place), Path(data))
    job, setting = stage.job(steps=int(steps)), stage.setting(Path(runs_folder))
    on_ray(None if address == "here" else address, 1, home_seconds=0.3)(
        [job], setting, tell=lambda news: None, stopping=lambda: False
    )
