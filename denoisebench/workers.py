"""Worker processes: they end with their parent, and import nothing from the current folder.

A worker of `multiprocessing` is `python -c …`, which looks for modules in the current folder before
it is told where this process looks: a `multiprocessing.py` that lies among somebody's data would be
run by every worker. It would also run the script that this process runs, unless that is guarded.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

_starting = threading.Lock()


# Python starts as with -P. Numeric libraries keep to one core of their worker: they read this when
# they are loaded, and NumPy's is by the first function that a worker is sent.
_ENVIRONMENT = {
    "PYTHONSAFEPATH": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class _Worker(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:
        with _prepared(), _without_script():
            return SpawnProcess._Popen(process_obj)


class Spawning(SpawnContext):
    """Starts workers afresh: a forked child of a process that runs torch's threads can hang."""

    Process = _Worker

    def __init__(self) -> None:
        if os.name == "posix":
            from multiprocessing import resource_tracker

            with _prepared():  # it is a child, too, and else starts with the first queue
                resource_tracker.ensure_running()


@contextmanager
def _prepared() -> Iterator[None]:
    """Let children start with their environment, which is none of this process's."""
    with _starting:
        before = {name: os.environ.get(name) for name in _ENVIRONMENT}
        os.environ.update(_ENVIRONMENT)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@contextmanager
def _without_script() -> Iterator[None]:
    """Let a child start without the script that this process runs.

    What it runs would be run again by each worker, `denoisebench.train` in it included.
    """
    told: Any = vars(spawn)["get_preparation_data"]

    def without(name: str) -> dict[str, Any]:
        facts: dict[str, Any] = told(name)
        return {key: value for key, value in facts.items() if not key.startswith("init_main")}

    spawn.get_preparation_data = without
    try:
        yield
    finally:
        spawn.get_preparation_data = told


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def rank() -> int:
    """Return this process's number among those that torchrun started; 0 where it started none."""
    return int(os.environ["RANK"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0


def begin() -> None:
    """Start a worker's life: to be a pool's initializer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A parent that is killed tells nobody, and its workers would wait for jobs for ever.
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
