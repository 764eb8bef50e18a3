"""Ctrl-C, a scheduler's SIGTERM, a closed terminal: leave in good order, and within seconds."""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType

GRACE_SECONDS = 8.0  # for leaving in good order; the promise is ten
ECHO_SECONDS = 0.5  # wrappers and terminals may both pass on what was one key press
SHOW_CURSOR = b"\x1b[?25h"  # a progress bar had hidden it

NUMBERS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Stopping:
    """Whether somebody asked to stop; called by a loop that looks after its own end.

    Inside `with stopping:` such a loop runs, and a signal is only noted. Elsewhere a signal raises
    KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.asked = self._looked_after = False
        self._others = set(multiprocessing.active_children())  # begun before, by somebody else

    def __call__(self) -> bool:
        """Say whether a signal came."""
        return self.asked

    def __enter__(self) -> None:
        self._looked_after = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._looked_after = False
        if self.asked and kind is None:  # it was asked too late to see
            raise KeyboardInterrupt

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take a signal; runs between two steps of this process's own Python."""
        again, self.asked = self.asked, True
        if not again and not self._looked_after:
            for child in multiprocessing.active_children():  # a pool waits for its workers
                if child not in self._others:
                    child.terminate()
            raise KeyboardInterrupt


@contextmanager
def stop_on_signals() -> Iterator[Stopping]:
    """Leave in good order on the first Ctrl-C, SIGTERM or SIGHUP, and at once on the second.

    A thread watches too: it ends the process when leaving takes too long, or a second signal comes,
    whatever the main thread is at. Files are old or new at any moment, so no harm is done.
    """
    stopping = Stopping()
    caught = [number for number in NUMBERS if not _nohup(number)]
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    woken = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, stopping.ask) for number in caught}
    watch = threading.Thread(target=_watch, args=(ours, caught), daemon=True)
    watch.start()
    try:
        yield stopping
    finally:
        if stopping.asked:
            theirs.detach()  # the watch goes on until the process has ended
        else:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
            theirs.close()
            watch.join()
            ours.close()


@contextmanager
def stop_on_interrupt() -> Iterator[Stopping]:
    """Note a first Ctrl-C as above, and end no process: where this one is somebody's, as a kernel.

    A second Ctrl-C does not wait for a loop to see the first. Only a main thread gets signals.
    """
    stopping = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stopping.asked:
            raise KeyboardInterrupt
        stopping.ask(number, frame)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGINT, before or signal.default_int_handler)


def _nohup(number: int) -> bool:
    """Whether it is the end of a terminal that this process was told to outlive."""
    return number not in NUMBERS[:2] and signal.getsignal(number) == signal.SIG_IGN


def _watch(signals: socket.socket, caught: list[int]) -> None:
    """Wait for a first signal, then for a second or for the grace to end, and leave."""
    if not _next(signals, caught):
        return
    time.sleep(ECHO_SECONDS)
    signals.setblocking(False)
    with suppress(BlockingIOError):
        signals.recv(1024)
    signals.settimeout(GRACE_SECONDS - ECHO_SECONDS)
    with suppress(TimeoutError):
        _next(signals, caught)
    _leave()


def _next(signals: socket.socket, caught: list[int]) -> bool:
    """Wait for one of these signals; False where there will be none."""
    while number := signals.recv(1):
        if number[0] in caught:
            return True
    return False


def _leave() -> None:
    """End this process and its children, whatever they are at."""
    with suppress(OSError):
        if sys.stderr.isatty():
            os.write(2, SHOW_CURSOR)
        os.write(2, b"stopped at once; what was saved stays, and can be gone on with\n")
    for child in _children():
        with suppress(OSError):
            os.kill(child, signal.SIGTERM)
    os._exit(130)


def _children() -> set[int]:
    """Process numbers of the children; where the system lists none, of those Python started."""
    found = {child.pid for child in multiprocessing.active_children() if child.pid}
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError, ValueError):
            found |= {int(number) for number in path.read_text(encoding="ascii").split()}
    return found
