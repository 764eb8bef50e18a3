"""Ray itself: start it on this machine or join a cluster, and say what a job is given there."""

import contextlib
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from denoisebench.errors import Unavailable, UsageError
from denoisebench.fleet.cluster.freight import scratch
from denoisebench.home import home
from denoisebench.workers import cores

CONNECT_SECONDS = 5.0
STORE_BYTES = 200 << 20
"""Of memory that a local Ray shares between its processes; nothing large passes through it."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to Ray's makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # of answers that nobody waits for any more
}


@dataclass(frozen=True)
class Node:
    """A machine of the cluster that is alive, and what Ray may give away there."""

    id: str
    cpus: int
    gpus: int


@dataclass(frozen=True)
class Share:
    """What each job is given."""

    cpus: int
    gpu: bool


def share(nodes: list[Node], jobs_at_once: int, *, gpu: bool) -> Share:
    """Divide the cluster: as many cores a job as leave room for so many jobs at once.

    Args:
        nodes: that are alive.
        jobs_at_once: on the whole cluster; fewer run where there are fewer cores or GPUs.
        gpu: whether a job takes one.
    """
    most = max((node.cpus for node in nodes), default=1)
    limit = sum(node.gpus for node in nodes) if gpu else sum(node.cpus for node in nodes)
    wanted = max(1, min(jobs_at_once, limit))
    fitting = [
        cpus
        for cpus in range(1, most + 1)
        if sum(_places(node, cpus, gpu=gpu) for node in nodes) >= wanted
    ]
    return Share(max(fitting, default=1), gpu)


def fits(node: Node, given: Share) -> bool:
    """Whether a node that is idle has room for a job."""
    return _places(node, given.cpus, gpu=given.gpu) > 0


def _places(node: Node, cpus: int, *, gpu: bool) -> int:
    places = node.cpus // cpus
    return min(places, node.gpus) if gpu else places


def nodes() -> list[Node]:
    """List the machines of the cluster that are alive."""
    import ray

    return [
        Node(
            str(node["NodeID"]),
            int(node["Resources"].get("CPU", 0)),
            int(node["Resources"].get("GPU", 0)),
        )
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"]
    ]


def node_of(worker: Any) -> str:
    """Return the id of the node where an actor is."""
    import ray

    facts: Any = ray._private.state.actors(worker._actor_id.hex())
    return str(facts["Address"]["NodeID"])


@contextmanager
def joined(address: str | None, jobs_at_once: int) -> Iterator[None]:
    """Be connected to Ray while the block lasts.

    Args:
        address: `host:port` of a running cluster's head, or auto for the one that this machine is
            a node of; None starts one here, which ends with the block, or with this process.
        jobs_at_once: for which a Ray that is started here has room.
    Raises:
        UsageError: that is no address, or Ray is not installed.
        Unavailable: nobody answers there, or another version of Ray does.
    """
    os.environ.update(QUIET)
    try:
        import ray
    except ImportError:
        raise UsageError(
            "sweeps on several GPUs or machines need Ray: pip install 'denoisebench[cluster]'"
        ) from None
    logging.getLogger("ray").setLevel(logging.ERROR)
    if address is None:
        # Ray's servers listen to all: who has no secret must not run code as this user. Ray would
        # else make one itself, and keep it in the user's home folder.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    else:
        _refuse_silent(address)
    if "DENOISEBENCH_HOME" in os.environ:  # workers stand in another folder
        os.environ["DENOISEBENCH_HOME"] = str(home().absolute())
    with scratch(short=True) as folder:
        options: dict[str, Any] = {"address": address or "local", "log_to_driver": False}
        options |= {"configure_logging": False, "logging_level": logging.ERROR}
        if address is None:
            options |= {
                "num_cpus": max(cores(), jobs_at_once),
                "include_dashboard": False,
                "object_store_memory": STORE_BYTES,
                "_temp_dir": str(folder),
                # The kernel ends a process when memory is short; Ray's own watch would end a
                # training for what others use.
                "_system_config": {"memory_monitor_refresh_ms": 0},
            }
        try:
            with _kept_signals(), contextlib.chdir(folder):
                # Ray's workers look for modules first in the folder where `init` was called.
                ray.init(**options)
            # What happens to machines is told as news; Ray would print it to stdout as well.
            ray._private.worker._worker_logs_enabled = False
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            reason = " ".join(str(error).split())
            raise Unavailable(f"cannot use Ray ({address or 'here'}): {reason:.200}") from None
        try:
            yield
        finally:
            ray.shutdown()


def endpoint(address: str) -> tuple[str, int] | None:
    """Read an address as host and port; None for auto. UsageError where it is none."""
    if address == "auto":
        return None
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise UsageError(
            f"--ray {address!r} is no address; give host:port as `ray start --head` printed it, "
            "or auto"
        )
    return host, int(port)


def _refuse_silent(address: str) -> None:
    """Raise where nobody listens: Ray itself would try for minutes."""
    place = endpoint(address)
    if place is None:
        return
    try:
        socket.create_connection(place, CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise Unavailable(
            f"no Ray cluster answers at {address} ({error}); start one: ray start --head"
        ) from None


@contextmanager
def _kept_signals() -> Iterator[None]:
    """Put back what happens on SIGTERM: Ray puts an exit of its own there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
