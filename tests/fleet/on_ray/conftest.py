"""Jobs small enough for a test, and a Ray cluster whose two nodes share no disk with the driver.

The nodes' processes are on this machine. The driver reaches its runs folder by `/proc/self/cwd`,
which leads each process elsewhere; each node has a folder of its own for temporary files.
"""

import hashlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from denoisebench.data.dataset import DataSet
from denoisebench.data.named import open_data
from denoisebench.data.patches import crops
from denoisebench.fleet.job import Job, News, Setting
from denoisebench.plugins.find import find
from denoisebench.scoring import run as runs
from denoisebench.task import Task, load_task
from denoisebench.training.recipe import plan

PLUGINS = '''
"""A small network, and losses that keep a ledger of the batches that they see."""

import hashlib
import os
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
    """Ends its process at each batch."""
    note("deadly")
    os._exit(1)
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
                       batch=1, patch=16)  # fmt: skip
        recipe = planned.recipe(self.task, self.dataset)
        bench = runs.Bench(self.dataset, self.task, catalogue, None, Path())
        return Job(runs.run_folder(bench, recipe).name, recipe.method, recipe)

    def baseline(self) -> Job:
        import torch

        catalogue = find([self.plugins])
        bench = runs.Bench(self.dataset, self.task, catalogue, torch.device("cpu"), Path("x"))
        (part,) = runs.resolve("noisy", "baseline", catalogue)
        return Job(f"noisy-{runs._baseline_key(bench, part)[:8]}", "noisy", baseline="noisy")

    def tell(self, news: News) -> None:
        self.heard.append(news)

    def last(self, job: Job) -> News:
        return [news for news in self.heard if news.job == job.name][-1]

    def sessions(self, job: Job) -> list[list[int]]:
        """The steps that each process did of a job, in the order in which the processes began."""
        recipe = job.recipe
        batches = {}
        for step in range(recipe.steps):
            grey = crops(self.dataset.train, self.task, seed=recipe.seed, step=step, batch=1,
                         patch=recipe.patch)  # fmt: skip
            batches[hashlib.sha256(network_range(grey).tobytes()).hexdigest()] = step
        assert len(batches) == recipe.steps, "two steps have one batch"
        did: dict[str, list[int]] = {}
        for line in self.ledger.read_text().splitlines() if self.ledger.exists() else []:
            process, word = line.split()
            if word in batches:
                did.setdefault(process, []).append(batches[word])
        return list(did.values())


def network_range(grey: np.ndarray) -> np.ndarray:
    import torch

    from denoisebench.task.task import to_network

    return to_network(torch.from_numpy(grey)).numpy()


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """The cache that the driver and the nodes have, set before any of them starts."""
    with tempfile.TemporaryDirectory(prefix="dbt-") as folder, pytest.MonkeyPatch.context() as set_:
        set_.setenv("DENOISEBENCH_HOME", folder)
        set_.setenv("RAY_memory_monitor_refresh_ms", "0")  # others use this machine's memory
        set_.setenv("RAY_health_check_period_ms", "500")
        set_.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield Path(folder)


@pytest.fixture(scope="session")
def discs(home: Path) -> tuple[Path, DataSet]:
    """A folder of ten patients whose slice of 32 × 32 is textured, and prepared."""
    folder = home / "discs"
    folder.mkdir()
    texture = np.random.default_rng(0).integers(-40, 160, (10, 64, 64))
    for patient in range(10):
        write_slice(folder / f"{patient}.dcm", texture[patient], patient)
    return folder, open_data(str(folder))


@pytest.fixture
def stage(discs: tuple[Path, DataSet], tmp_path: Path) -> Stage:
    folder, dataset = discs
    ledger, plugins, task = (tmp_path / name for name in ("ledger", "mine.py", "tiny-task.toml"))
    plugins.write_text(PLUGINS.format(ledger=str(ledger)))
    task.write_text(TASK)
    return Stage(folder, plugins, task, ledger, dataset, load_task(str(task)))


@pytest.fixture
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runs folder that only this process sees: `/proc/self` is another in each."""
    place = tmp_path / "driver"
    (place / "runs").mkdir(parents=True)
    monkeypatch.chdir(place)
    return Path("/proc/self/cwd/runs")
