"""A stage for cheats: six test patients of the phantom, and the harness of benchmarks/."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw
from denoisebench.data.phantom.data_set import members
from denoisebench.data.scan import Slice
from denoisebench.task import load_task

DRAWN = (24, 2)  # patients, slices of each


@pytest.fixture(scope="session")
def canaries():
    """The harness."""
    file = Path(__file__).parents[3] / "benchmarks" / "canaries.py"
    spec = spec_from_file_location("canaries", file)
    module = module_from_spec(spec)
    sys.modules["canaries"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def patients() -> DataSet:
    """Six test slices of 512 × 512, one a patient."""
    found = {"train": [], "val": [], "test": []}
    for split, patient, index in members(*DRAWN):
        if split == "test" or not found[split]:
            hu = draw(patient, index, slices=DRAWN[1])
            found[split].append(Slice(hu, f"phantom-{patient:03d}", "s", float(index)))
    return DataSet("phantom-24x2x512", *map(tuple, found.values()))


@pytest.fixture
def stage(canaries, patients, tmp_path):
    """A folder for runs, and one with the slices, as the phantom's cache keeps them."""
    data = tmp_path / "data"
    data.mkdir()
    np.save(data / "phantom.npy", np.stack([one.hu for one in patients.test]))
    task = load_task("ct-sigma50").model_copy(update={"metrics": ("psnr",)})
    # A salt of its own for each test would fail once in some thousand by chance.
    return canaries.Stage(patients, task, tmp_path / "runs", data, salt=2017, drawn=DRAWN)
