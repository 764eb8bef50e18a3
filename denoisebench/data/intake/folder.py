"""What files a folder of any depth holds, and how their names are spelled for people."""

import os
import stat
from pathlib import Path

from denoisebench.data.scan import SetAside
from denoisebench.errors import UsageError


def shown(path: str) -> str:
    """Spell a path so that it can be printed: bytes that are no UTF-8 and controls escaped."""
    printable = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in printable)


def walk(folder: Path) -> tuple[list[str], list[SetAside]]:
    """List the files under a folder, relative to it, sorted by their bytes; and what is no file.

    Links are entered after all real folders, so a file is listed by its own path where it has one;
    each real folder is entered once.

    Raises:
        UsageError: the folder is not there, or is no folder.
    """
    if not folder.exists():
        raise UsageError(f"no folder '{folder}'; give one that holds DICOM files")
    if not folder.is_dir():
        raise UsageError(f"'{folder}' is a file; give the folder that holds it")
    files: list[str] = []
    aside: list[SetAside] = []
    entered: set[tuple[int, int]] = set()
    real, links = [""], list[str]()
    while real or links:
        inside = real.pop() if real else links.pop()
        try:
            status = os.stat(folder / inside)
            if (status.st_dev, status.st_ino) in entered:
                if inside in _above(folder, inside):
                    aside.append(SetAside(shown(inside), "a link to a folder that holds it"))
                continue
            entered.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder / inside), key=lambda entry: os.fsencode(entry.name))
        except OSError as problem:
            reason = f"folder cannot be read: {os.strerror(problem.errno or 5)}"
            aside.append(SetAside(shown(inside), reason))
            continue
        for entry in reversed(entries):  # popped from the end
            path = os.path.join(inside, entry.name)
            try:
                mode = os.stat(entry.path).st_mode
            except OSError as problem:
                aside.append(SetAside(shown(path), _unreadable(entry, problem)))
                continue
            if stat.S_ISDIR(mode):
                (links if entry.is_symlink() else real).append(path)
            elif stat.S_ISREG(mode):
                files.append(path)
            else:
                aside.append(SetAside(shown(path), "not a regular file"))
    return sorted(files, key=os.fsencode), aside


def _above(folder: Path, inside: str) -> list[str]:
    """Return [inside] when it leads to a folder that it stands in, else []."""
    parents = Path(inside).parents
    return [inside] if any(os.path.samefile(folder / inside, folder / up) for up in parents) else []


def _unreadable(entry: "os.DirEntry[str]", problem: OSError) -> str:
    if entry.is_symlink():
        return "a link that leads nowhere"
    return f"cannot be read: {os.strerror(problem.errno or 5)}"
