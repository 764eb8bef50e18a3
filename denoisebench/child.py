"""Worker processes end with the process they work for, however that one ends."""

import multiprocessing
import os
import signal
import threading


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
