"""Worker processes: they end with their parent, and import nothing from the current folder.

A worker of `multiprocessing` is `python -c …`, which looks for modules in the current folder before
it is told where this process looks: a `multiprocessing.py` that lies among somebody's data would be
run by every worker.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

_starting = threading.Lock()


class _Worker(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:
        with _safe_path():
            return SpawnProcess._Popen(process_obj)


class Spawning(SpawnContext):
    """Starts workers afresh: a forked child of a process that runs torch's threads can hang."""

    Process = _Worker

    def __init__(self) -> None:
        if os.name == "posix":
            from multiprocessing import resource_tracker

            with _safe_path():  # it is a child, too, and else starts with the first queue
                resource_tracker.ensure_running()


@contextmanager
def _safe_path() -> Iterator[None]:
    """Let Python start as with -P."""
    with _starting:
        before = os.environ.get("PYTHONSAFEPATH")
        os.environ["PYTHONSAFEPATH"] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ["PYTHONSAFEPATH"]
            else:
                os.environ["PYTHONSAFEPATH"] = before


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
