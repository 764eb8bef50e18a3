"""One process at a time in a folder; a second is told which the first is."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import filelock

from denoisebench import atomic
from denoisebench.errors import UsageError

LOCK, OWNER = ".lock", ".lock.owner"
LOOK_SECONDS = 0.2  # longer than another process takes to look who is there


class Held(UsageError):
    """Another process is at work in a folder; the message says which."""


@contextmanager
def alone(folder: Path, *, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a folder, which is made where it is not there, and clean it of half-written files.

    The lock is the operating system's (flock), which drops it when its process dies, however that
    happens: none is ever stale. Between machines that share a network folder it holds as far as
    that folder's system carries locks.

    Args:
        folder: to be held until the block ends.
        waiting: told who holds it while this process waits; without it, a held folder is refused.
    Raises:
        Held: another process holds it.
        Unavailable: nothing can be written there.
    """
    with atomic.told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=LOOK_SECONDS)
        except filelock.Timeout:
            if waiting is None:
                raise _refusal(folder) from None
            waiting(_owner(folder))
            lock.acquire(timeout=-1)
    try:
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        atomic.write_text(folder / OWNER, f"process {os.getpid()}, since {since}")
        atomic.clean(folder)
        yield
    finally:
        with suppress(OSError):
            (folder / OWNER).unlink(missing_ok=True)
        lock.release()


def refuse_held(folder: Path) -> None:
    """Raise Held where another process holds a folder; nothing is made or changed."""
    if not (folder / LOCK).exists():
        return
    lock = filelock.FileLock(folder / LOCK)
    with suppress(OSError):  # a folder that cannot be written is told when it is written
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise _refusal(folder) from None
        lock.release()


def _refusal(folder: Path) -> Held:
    return Held(
        f"{folder} is in use by another denoisebench ({_owner(folder)}); wait for it, or stop it"
    )


def _owner(folder: Path) -> str:
    try:
        return (folder / OWNER).read_text(encoding="utf-8")
    except OSError:
        return "a process that has just begun"
