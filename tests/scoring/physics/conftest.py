"""A small phantom, and a linear denoiser all of whose physics is known in closed form."""

from pathlib import Path

import pytest
import torch

from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.scoring.opened import Opened
from denoisebench.scoring.physics.physics import measure_run
from denoisebench.scoring.result import Result
from denoisebench.task import load_task

PIXEL_MM = 0.8


@pytest.fixture(scope="session")
def phantom() -> DataSet:
    """Five patients with a slice of abdomen each, 512 × 512."""
    slices = [
        Slice(draw(patient, 2, size=512), f"patient{patient}", "1", spacing_mm=(PIXEL_MM, PIXEL_MM))
        for patient in range(5)
    ]
    return DataSet("small", tuple(slices[:1]), tuple(slices[1:2]), tuple(slices[2:]))


@pytest.fixture(scope="session")
def opened(phantom, tmp_path_factory):
    """Open a run of a baseline on the phantom."""

    def make(expression: str, dataset: DataSet = phantom) -> Opened:
        folder: Path = tmp_path_factory.mktemp("run")
        (part,) = resolve(expression, "baseline", find())
        result = Result(
            method=part.text,
            kind="baseline",
            task="ct-sigma50",
            task_version=1,
            data=dataset.name,
            data_digest=dataset.digest,
            split_digest=dataset.split_digest,
            recipe="ab" * 32,
            n_slices=len(dataset.test),
            n_patients=len(dataset.patients("test")),
            parameters=0,
            device="CPU, 1 core",
            status="done",
        )
        return Opened(folder, result, part, None, load_task("ct-sigma50"))

    return make


@pytest.fixture(scope="session")
def gaussian(opened, phantom):
    """The physics of a Gaussian of 1.5 pixels, with the folder it was written to."""
    run = opened("gaussian(width=1.5)")
    return measure_run(run, phantom, torch.device("cpu"), seeds=8), run.folder
