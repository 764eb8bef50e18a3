"""A Ray cluster of two nodes on this machine.

They share no disk with a driver that reaches its runs folder by `/proc/self/cwd`, which leads each
process elsewhere; each node has a folder of its own for temporary files.
"""

import secrets
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

ENVIRONMENT = {
    "RAY_memory_monitor_refresh_ms": "0",  # others use this machine's memory
    "RAY_USAGE_STATS_ENABLED": "0",
    # A process keeps the secret of the first cluster it was in, and would refuse calls without it.
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}
"""To be set before a cluster starts, with RAY_TMPDIR, a short path: where Ray writes."""


def until(true: Callable[[], Any], seconds: float = 180.0) -> Any:
    """Wait for something to be so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    raise TimeoutError


class TwoNodes:
    """A cluster: one node that the driver is connected to, and another."""

    def __init__(self, home: Path) -> None:
        from ray.cluster_utils import Cluster

        self.home = home
        self.cluster = Cluster(shutdown_at_exit=False)
        self.add("first")
        self.other = self.add("other")

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
