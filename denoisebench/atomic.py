"""Files are the old one or the new one, never half: written beside, then put in their place."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from denoisebench.errors import Unavailable, UsageError

LEFT_OVER = "*.writing"  # of a process that was killed while it wrote

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_FOLDER = {errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file that takes the place of `path` when the block ends, if it ends well.

    Content and name are on the disk by then, so that a loss of power leaves one or the other too.

    Raises:
        UsageError, Unavailable: see `told`; `path` is as it was.
    """
    # Not by the process alone: those of two containers may have one number.
    beside = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.writing")
    with told(path):
        try:
            with beside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            flush(path.parent)
        except BaseException:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Replace a file by UTF-8 text at once; see `replacing`."""
    with replacing(path) as file:
        file.write(text.encode())


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Say in one line why the system refuses to write `path`, and what to do.

    Raises:
        UsageError: there can be no such file: a part of its path is a file.
        Unavailable: the disk is full, the folder is read-only, the device fails.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        reason = os.strerror(refusal.errno or errno.EIO)
        if refusal.errno in NO_FOLDER:
            raise UsageError(f"cannot write {_shown(path)}: {reason}; name another place") from None
        if refusal.errno in FULL:
            mend = "make room there"
        elif refusal.errno in CLOSED:
            mend = "use a folder that can be written (--out; DENOISEBENCH_HOME for the cache)"
        else:
            mend = "see to that disk"
        raise Unavailable(f"cannot write {_shown(path)}: {reason}; {mend}") from None


def clean(folder: Path) -> None:
    """Remove what a killed process left half-written; nobody else may be writing there."""
    with told(folder):
        for left in folder.glob(LEFT_OVER):
            left.unlink(missing_ok=True)


def flush(folder: Path) -> None:
    """Bring a folder's names to the disk, where the system can (Windows does so by itself)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refusal(error: BaseException) -> OSError | None:
    """Find the system's refusal; torch's writer raises an error of its own over it."""
    if isinstance(error, Unavailable):  # told already
        return None
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, OSError):
        seen = seen.__context__
    return seen


def _shown(path: Path) -> str:
    """Spell a path without the name of the user's own folder."""
    with suppress(ValueError, RuntimeError):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)
