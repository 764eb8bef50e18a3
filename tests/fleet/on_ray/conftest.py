"""A Ray cluster of two nodes on this machine that share no disk with the driver.

The driver reaches its runs folder by `/proc/self/cwd`, which leads each process elsewhere; each
node has a folder of its own for temporary files.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_jobs import Stage, stage_in, textured

from denoisebench.data.named import open_data


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for something to be so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    raise TimeoutError


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """The cache that the driver and the nodes have, and where Ray writes, set before any starts."""
    with (
        tempfile.TemporaryDirectory(prefix="dbt", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in {
            "DENOISEBENCH_HOME": folder,
            "RAY_TMPDIR": folder,
            "RAY_memory_monitor_refresh_ms": "0",  # others use this machine's memory
            "RAY_USAGE_STATS_ENABLED": "0",
        }.items():
            environment.setenv(name, value)
        yield Path(folder)


@pytest.fixture(scope="session")
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


@dataclass
class TwoNodes:
    """A cluster: one node that the driver is connected to, and another."""

    cluster: Any
    home: Path
    other: Any = None

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def scratch(self, name: str) -> Path:
        """Where a node's processes write."""
        folder = self.home / name
        folder.mkdir(exist_ok=True)
        return folder

    def add(self, name: str, **environment: str) -> Any:
        return self.cluster.add_node(
            num_cpus=1,
            include_dashboard=False,
            object_store_memory=80 << 20,
            env_vars={"TMPDIR": str(self.scratch(name)), **environment},
        )

    def raylet(self, node: Any) -> psutil.Process:
        return psutil.Process(node.all_processes["raylet"][0].process.pid)

    def processes(self, node: Any) -> list[psutil.Process]:
        """Processes that do or could do jobs there."""
        return [self.raylet(node), *self.raylet(node).children(recursive=True)]

    def kill(self, node: Any) -> None:
        """Let a machine vanish: SIGKILL for all of its processes at once."""
        for process in self.processes(node):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self.cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def nodes(home: Path) -> Iterator[TwoNodes]:
    from ray.cluster_utils import Cluster

    nodes = TwoNodes(Cluster(shutdown_at_exit=False), home)
    nodes.add("first")
    nodes.other = nodes.add("other")
    yield nodes
    nodes.cluster.shutdown()
