"""A folder of any depth in; CT slices in HU out, and every other file with the reason why not.

Files are read by child processes, a file at a time: a decoder that crashes or hangs on a hostile
file costs that file, and what C libraries print goes nowhere. The children are plain interpreters
rather than `multiprocessing`, which would run a caller's unguarded script again in each of them.
"""

import contextlib
import json
import os
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from queue import LifoQueue
from types import TracebackType
from typing import IO, Self

import numpy as np

from denoisebench.data.intake.dicom import NotCT, Raw, read
from denoisebench.data.scan import SetAside
from denoisebench.errors import UsageError

Progress = Callable[[int, int], None]  # files done, files in all

SECONDS_PER_FILE = 60.0  # a 512² slice takes 0.03
SECONDS_PER_MIB = 1.0  # a large Enhanced CT on a slow disk
MOST_WORKERS = 32
READY = "ready"
FILES_PER_WORKER = 4  # starting one costs as much as reading about 10 files


@dataclass(frozen=True)
class Source:
    """A slice and the file it came from, relative to the folder, as the system spells it."""

    path: str
    raw: Raw


@dataclass(frozen=True)
class Folder:
    """What a folder held: its slices by path and frame, and the rest."""

    sources: tuple[Source, ...]
    set_aside: tuple[SetAside, ...]


def shown(path: str) -> str:
    """Spell a path so that it can be printed: bytes that are no UTF-8 and controls escaped."""
    printable = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in printable)


def read_folder(
    folder: Path, *, workers: int | None = None, progress: Progress | None = None
) -> Folder:
    """Read all CT slices under a folder, in the byte order of their paths.

    Args:
        folder: any depth; links are followed, each real folder is entered once.
        workers: child processes; None for one a core, 0 to read in this process.
        progress: called in this thread after each file.

    Raises:
        UsageError: the folder is not there, or is no folder.
    """
    paths, aside = walk(folder)
    return read_files(folder, paths, aside, workers=workers, progress=progress)


def read_files(
    folder: Path,
    paths: Sequence[str],
    aside: Sequence[SetAside] = (),
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Folder:
    """Read the files named, relative to the folder, in the order given."""
    sources: list[Source] = []
    refused = list(aside)
    for path, answer in zip(paths, _answers(folder, paths, workers, progress), strict=True):
        if isinstance(answer, str):
            refused.append(SetAside(shown(path), answer))
        else:
            sources.extend(Source(path, raw) for raw in answer)
    return Folder(tuple(sources), tuple(sorted(refused, key=lambda item: item.path)))


def walk(folder: Path) -> tuple[list[str], list[SetAside]]:
    """List the files under a folder, relative to it, sorted by their bytes; and what is no file.

    Links are entered after all real folders, so a file is listed by its own path where it has one.
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


def _answers(
    folder: Path, paths: Sequence[str], workers: int | None, progress: Progress | None
) -> Iterator[list[Raw] | str]:
    count = _cores() if workers is None else workers
    count = min(count, MOST_WORKERS, -(-len(paths) // FILES_PER_WORKER))
    with contextlib.ExitStack() as stack:
        if count <= 0:
            answers: Iterator[list[Raw] | str] = (_answer(folder / path) for path in paths)
        else:
            # last in, first out: a short list of files starts few of them
            idle: LifoQueue[_Reader] = LifoQueue()
            for _ in range(count):
                idle.put(stack.enter_context(_Reader()))
            pool = stack.enter_context(ThreadPoolExecutor(count, "read"))
            stack.callback(pool.shutdown, wait=False, cancel_futures=True)

            def ask(path: str) -> list[Raw] | str:
                reader = idle.get()
                try:
                    return reader.read(folder / path)
                finally:
                    idle.put(reader)

            answers = pool.map(ask, paths)
        for done, answer in enumerate(answers, 1):
            if progress is not None:
                progress(done, len(paths))
            yield answer


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _answer(path: Path) -> list[Raw] | str:
    try:
        return read(path)
    except NotCT as refusal:
        return refusal.reason


class _Reader:
    """A child process that reads files; started at its first file, and again after a crash."""

    # What the child runs: it looks for packages where this process does, nowhere else.
    CODE = (
        "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline());"
        "from denoisebench.data.intake.folder import serve; serve()"
    )
    here = threading.Lock()  # for reading in this process, one file at a time

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.closed = True
        self._end()

    def read(self, path: Path) -> list[Raw] | str:
        """Return the file's slices, or the reason why there are none."""
        if self.closed:
            return "reading was interrupted"
        if self.child is None and not self._start():
            with _Reader.here:
                return _answer(path)
        child = self.child
        if child is None:
            return "reading was interrupted"
        seconds = SECONDS_PER_FILE
        with contextlib.suppress(OSError):
            seconds += SECONDS_PER_MIB * path.stat().st_size / (1 << 20)
        slow = threading.Event()

        def give_up() -> None:
            slow.set()
            child.kill()

        watchdog = threading.Timer(seconds, give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            return _ask(child, str(path))
        except (OSError, EOFError, ValueError):
            self._end()
            return "its decoder took too long" if slow.is_set() else "its decoder crashed"
        finally:
            watchdog.cancel()

    def _start(self) -> bool:
        """Start the child; False where this machine cannot start one."""
        if self.closed or not sys.executable or getattr(sys, "frozen", False):
            return False
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONWARNINGS", None)
        try:
            self.child = subprocess.Popen(
                [sys.executable, "-P", "-c", self.CODE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            return _ask(self.child, sys.path) == READY
        except (OSError, EOFError):
            self._end()
            return False

    def _end(self) -> None:
        child, self.child = self.child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        child.wait()


def _ask(child: "subprocess.Popen[bytes]", question: object) -> list[Raw] | str:
    asked, answered = child.stdin, child.stdout
    if asked is None or answered is None:
        raise EOFError
    asked.write(json.dumps(question).encode() + b"\n")
    asked.flush()
    return _receive(answered)


def _receive(pipe: IO[bytes]) -> list[Raw] | str:
    size = bytearray(8)
    _fill(pipe, memoryview(size))
    head = bytearray(*struct.unpack("<Q", size))
    _fill(pipe, memoryview(head))
    reason, slices = json.loads(head)
    if reason is not None:
        return str(reason)
    raws = []
    for shape, facts in slices:
        hu = np.empty(shape, np.int16)
        _fill(pipe, hu.data.cast("B"))
        raws.append(Raw(hu, **{**facts, "spacing_mm": tuple(facts["spacing_mm"])}))
    return raws


def _fill(pipe: IO[bytes], room: memoryview) -> None:
    while len(room):
        count = pipe.readinto(room)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        room = room[count:]


def _send(pipe: IO[bytes], answer: list[Raw] | str) -> None:
    """Write an answer as JSON and pixels: a child that a file took over sends no code."""
    raws = [] if isinstance(answer, str) else answer
    names = [item.name for item in fields(Raw) if item.name != "hu"]
    slices = [(raw.hu.shape, {name: getattr(raw, name) for name in names}) for raw in raws]
    head = json.dumps([answer if isinstance(answer, str) else None, slices]).encode()
    pipe.write(struct.pack("<Q", len(head)) + head)
    for raw in raws:
        pipe.write(raw.hu.data.cast("B"))
    pipe.flush()


def serve() -> None:
    """Answer paths on stdin with slices on stdout until stdin ends: the child's whole life."""
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # C libraries print where they like
    os.dup2(nowhere, 2)
    _send(out, READY)
    for line in sys.stdin.buffer:
        _send(out, _answer(Path(json.loads(line))))
