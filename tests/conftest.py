"""Fixtures that more than one room needs."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from denoisebench.home import home

# A suite on all cores: a worker's numeric libraries keep to one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_CT = Path(__file__).parents[2] / "shared" / "ct"
MACHINE_HOME = home()  # read on import, before a fixture sets another
ODD_CT = Path(__file__).parents[2] / "shared" / "ct-odd"


@pytest.fixture(scope="session")
def ct_folder() -> Path:
    """Real CT beside the checkout."""
    if not REAL_CT.is_dir():
        pytest.skip("real CT (../shared/ct) is not beside this checkout")
    return REAL_CT


@pytest.fixture(scope="session")
def ct_odd_folder() -> Path:
    """Odd DICOM from the wild beside the checkout."""
    if not ODD_CT.is_dir():
        pytest.skip("odd DICOM (../shared/ct-odd) is not beside this checkout")
    return ODD_CT


@pytest.fixture
def machine_weights() -> Path:
    """The folder of the weights that were fetched on this machine."""
    folder = MACHINE_HOME / "weights"
    if not list(folder.glob("lpips-*.safetensors")):
        pytest.skip("weights were not fetched: denoisebench weights fetch lpips")
    return folder


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 1 MiB of its own, where this user may mount one."""
    place = tmp_path / "small_disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user cannot mount a small tmpfs")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
