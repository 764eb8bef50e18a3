"""What travels between machines that share no disk: a job with its files out, a run's files home.

Data do not travel: each machine opens its own, and the digests say whether they are the same.
"""

import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import filelock

from denoisebench import __version__, atomic
from denoisebench.errors import Unavailable
from denoisebench.fleet.job import Job, Setting
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import Catalogue, find, own_files
from denoisebench.plugins.source import source_files
from denoisebench.scoring.weights import store
from denoisebench.task import load_task

FILES = (
    "recipe.toml",
    "log.jsonl",
    "best.pt",
    "checkpoint.pt",
    "model.safetensors",
    "best.safetensors",
    "scores.csv",
    "environment.json",
    "preview.png",
    "result.json",
)
"""What a run folder has, in the order of arrival: log and best weights are never behind the
checkpoint, and a result means that the rest is there."""
UNFINISHED = FILES[:4]
"""What a run needs to go on elsewhere."""
TRACKED = re.compile(r"(tensorboard|wandb)(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}){1,6}")
"""Names of what trackers write into a run folder."""

PIECE = 8 << 20
"""Bytes that travel at once; one piece of a run is under way at a time."""
HOME_SHARE = 0.05
"""At most, of the time that checkpoints are on their way home."""

TOKEN = ".sweep"
SCRATCH = "denoisebench-fleet-"
SHORT_BYTES = 16
ABANDONED_SECONDS = 60.0  # longer than it takes to lock a folder that was just made


@dataclass(frozen=True)
class Bundle:
    """A file that travels, and those beside it that it needs: names from a common folder."""

    name: str
    files: dict[str, bytes]


@dataclass(frozen=True)
class Freight:
    """All that a machine needs to do a job, but for data and weights.

    Attributes:
        version: of denoisebench, which must be the same there.
        plugins: files of the user's own, and those in `$DENOISEBENCH_PLUGINS`.
        task: where it is a file.
        token: what stands in the runs folder, for a machine that sees that very folder.
        weights: names of the weights that the job uses and that are there at home.
    """

    job: Job
    setting: Setting
    version: str
    plugins: tuple[Bundle, ...]
    task: Bundle | None
    token: str
    weights: tuple[str, ...]


def pack(jobs: Sequence[Job], setting: Setting, token: str) -> list[Freight]:
    """Put together what each job needs on another machine.

    Args:
        jobs, setting: as they are here.
        token: see `showing`.
    """
    catalogue = find(setting.plugins)
    plugins = tuple(_bundle(path) for path in own_files(catalogue, setting.plugins))
    toml = Path(setting.task)
    task = Bundle(toml.name, {toml.name: toml.read_bytes()}) if toml.suffix == ".toml" else None
    there = replace(setting, data=_everywhere(setting.data), runs=setting.runs.absolute())
    return [
        Freight(job, there, __version__, plugins, task, token, _weights(job, setting, catalogue))
        for job in jobs
    ]


def unpack(freight: Freight, folder: Path) -> Setting:
    """Write a job's files into a folder; return its setting as it is on this machine.

    The run folder shall stand in `runs` below, unless this machine sees the very runs folder.
    """
    plugins = tuple(
        _unbundle(bundle, folder / f"plugin{number}")
        for number, bundle in enumerate(freight.plugins)
    )
    task = str(_unbundle(freight.task, folder / "task")) if freight.task else freight.setting.task
    runs = freight.setting.runs if sees(freight) else folder / "runs"
    return replace(freight.setting, plugins=plugins, task=task, runs=runs)


def _everywhere(data: str) -> str:
    """Spell a folder of data so that it means the same from another current folder."""
    folder = Path(data).expanduser()
    return str(folder.absolute()) if data != "phantom" and folder.is_dir() else data


def _bundle(path: Path) -> Bundle:
    read = dict(source_files(path))
    common = Path(os.path.commonpath([file.parent for file in read]))
    files = {file.relative_to(common).as_posix(): content for file, content in read.items()}
    return Bundle(path.resolve().relative_to(common).as_posix(), files)


def _unbundle(bundle: Bundle, folder: Path) -> Path:
    for name, content in bundle.files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{name!r} leaves its folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / bundle.name


def _weights(job: Job, setting: Setting, catalogue: Catalogue) -> tuple[str, ...]:
    """Name the fetched weights that a job uses: without them a row would have nulls."""
    texts = [("metric", text) for text in load_task(setting.task).metrics]
    if job.recipe is not None:
        texts.append(("loss", job.recipe.loss))
    parts = [part for kind, text in texts for part in resolve(text, kind, catalogue)]
    present = {entry.name for entry in store.listing() if entry.present}
    return tuple(sorted({str(part.card.facts.get("weights")) for part in parts} & present))


@contextmanager
def showing(runs: Path) -> Iterator[str]:
    """Put a token into the runs folder: a machine that finds it there sees that very folder."""
    token = secrets.token_hex(16)
    with atomic.told(runs):
        runs.mkdir(parents=True, exist_ok=True)
    shown = _shown(runs, token)
    atomic.write_text(shown, "")
    try:
        yield token
    finally:
        with suppress(OSError):
            shown.unlink()


def _shown(runs: Path, token: str) -> Path:
    """The file by which a runs folder is known; each sweep there has its own."""
    return runs / f"{TOKEN}-{token}"


def sees(freight: Freight) -> bool:
    """Whether this machine sees the runs folder of the one that packed the freight."""
    runs = freight.setting.runs
    with suppress(OSError, ValueError):
        return _shown(runs, freight.token).exists() and os.access(runs, os.W_OK)
    return False


def names_in(folder: Path) -> tuple[str, ...]:
    """Name what of a run folder travels, in the order of arrival."""
    tracked = [
        path.relative_to(folder).as_posix()
        for tree in ("tensorboard", "wandb")
        for path in sorted((folder / tree).rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]
    there = [name for name in FILES if (folder / name).is_file()]
    return tuple(sorted([*there, *filter(TRACKED.fullmatch, tracked)], key=_order))


def _travels(name: object) -> bool:
    return isinstance(name, str) and (name in FILES or bool(TRACKED.fullmatch(name)))


def _order(name: str) -> int:
    """Place in the order of arrival; what trackers wrote comes before the result."""
    return FILES.index(name) if name in FILES else len(FILES) - 2


class Offer:
    """A run folder's files as they were at one moment, while its run goes on."""

    def __init__(self) -> None:
        self._files: dict[str, BinaryIO] = {}

    def look(self, folder: Path, names: tuple[str, ...], known: int) -> tuple[int, dict[str, int]]:
        """Hold the files of those names, and say their sizes in bytes.

        A file that is held stays as it is when a newer one takes its place.

        Args:
            folder: of the run.
            names: in the order of arrival.
            known: what this returned for the checkpoint that came home last; 0 at first.
        Returns:
            what tells one checkpoint from another; sizes, none where it is the known one.
        """
        self.close()
        for name in reversed(names):  # a log that is opened later holds all that is counted on
            with suppress(FileNotFoundError):
                self._files[name] = (folder / name).open("rb")
        status = {name: os.fstat(file.fileno()) for name, file in self._files.items()}
        saved = status["checkpoint.pt"].st_mtime_ns if "checkpoint.pt" in status else 0
        if names == UNFINISHED and saved in (0, known):
            self.close()
            return saved, {}
        return saved, {name: status[name].st_size for name in names if name in status}

    def piece(self, name: str, offset: int) -> bytes:
        """Return the next bytes of a file that is held."""
        self._files[name].seek(offset)
        return self._files[name].read(PIECE)

    def close(self) -> None:
        """Let the files go."""
        while self._files:
            self._files.popitem()[1].close()


class Home:
    """A run folder at home, into which files come; what comes is data, whoever sent it."""

    def __init__(self, folder: Path, every: float) -> None:
        """Begin without having fetched anything.

        Args:
            folder: of the run.
            every: seconds at least between two checkpoints' arrivals.
        """
        self.folder, self.known = folder, 0
        self._every = every
        self._next = time.monotonic() + every

    @property
    def due(self) -> bool:
        """Whether a checkpoint may come home again."""
        return time.monotonic() >= self._next

    def receive(
        self, sizes: dict[str, int], piece: Callable[[str, int], bytes], *, whole: bool = False
    ) -> None:
        """Write files in the order in which they count on each other, each old or new at any time.

        Args:
            sizes: file name → bytes.
            piece: gives the bytes of a file from an offset on.
            whole: it is all that the run has; files of trackers that are not among it are older
                ones, which would show each curve twice, and are removed.
        Raises:
            Unavailable: it cannot be written, or a name or a size is none that a run has.
        """
        began = time.monotonic()
        for name in sizes:
            if not _travels(name):
                raise Unavailable(f"a node sent {str(name)[:60]!r}, which no run has")
        for name in sorted(sizes, key=_order):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            with atomic.replacing(self.folder / name) as file:
                _copy(file, sizes[name], partial(piece, name))
        for name in names_in(self.folder) if whole else ():
            if TRACKED.fullmatch(name) and name not in sizes:
                (self.folder / name).unlink(missing_ok=True)
        now = time.monotonic()
        self._next = now + max(self._every, (now - began) / HOME_SHARE)

    def pieces(self) -> Iterator[tuple[str, bytes]]:
        """Yield what a node needs to go on with this run: names, and bytes to be put together."""
        for name in names_in(self.folder):
            with suppress(FileNotFoundError), (self.folder / name).open("rb") as file:
                yield name, b""
                while piece := file.read(PIECE):
                    yield name, piece


def _copy(file: BinaryIO, size: int, piece: Callable[[int], bytes]) -> None:
    offset = 0
    while offset < size:
        content = piece(offset)[: size - offset]
        if not content:
            raise Unavailable("a file ended on its way home")
        file.write(content)
        offset += len(content)


def put(folder: Path, name: str, content: bytes) -> None:
    """Add bytes to a file that a run folder has."""
    if not _travels(name):
        raise ValueError(f"no run has a file {name!r}")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("ab") as file:
        file.write(content)


@contextmanager
def scratch(*, short: bool = False) -> Iterator[Path]:
    """Give a folder for as long as the block lasts, and clear away those of processes that died.

    Args:
        short: its path must be: Ray's sockets stand in it, and theirs have 107 bytes at most.
    """
    place = Path(tempfile.gettempdir())
    if short and os.name == "posix" and len(os.fsencode(place)) > SHORT_BYTES:
        place = Path("/tmp")
    for left in place.glob(f"{SCRATCH}*"):
        _clear(left)
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=place))
    lock = filelock.FileLock(folder / ".lock", thread_local=False)
    lock.acquire()
    try:
        yield folder
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Remove a folder of this user's that nobody holds."""
    with suppress(OSError, filelock.Timeout):
        status = folder.lstat()
        mine = not hasattr(os, "getuid") or status.st_uid == os.getuid()
        if folder.is_symlink() or not mine or time.time() - status.st_mtime < ABANDONED_SECONDS:
            return
        with filelock.FileLock(folder / ".lock", timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
