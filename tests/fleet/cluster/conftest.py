"""Small jobs, and a cluster for them; a driver's runs folder that no other process sees."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_jobs import Stage, stage_in, textured
from two_nodes import ENVIRONMENT, TwoNodes

from denoisebench.data.named import open_data


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The cache that the driver and the nodes have, and where Ray writes, set before any starts.

    The whole environment is put back: sweeps on Ray set variables of their own, such as its token.
    """
    with tempfile.TemporaryDirectory(prefix="dbt", ignore_cleanup_errors=True) as folder:
        here = {"DENOISEBENCH_HOME": folder, "RAY_TMPDIR": folder, "TMPDIR": folder}
        with patch.dict(os.environ, here | ENVIRONMENT):
            yield Path(folder)


@pytest.fixture(scope="module")
def discs(home: Path) -> Path:
    """A folder of CT, prepared."""
    folder = textured(home / "discs")
    open_data(str(folder))
    return folder


@pytest.fixture
def stage(discs: Path, tmp_path: Path) -> Stage:
    return stage_in(tmp_path, discs)


@pytest.fixture
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runs folder that only this process sees: `/proc/self` is another in each."""
    if not Path("/proc/self/cwd").exists():
        pytest.skip("no /proc here to hide a folder by")
    place = tmp_path / "driver"
    (place / "runs").mkdir(parents=True)
    monkeypatch.chdir(place)
    return Path("/proc/self/cwd/runs")


@pytest.fixture(scope="module")
def nodes(home: Path) -> Iterator[TwoNodes]:
    nodes = TwoNodes(home)
    yield nodes
    nodes.cluster.shutdown()
