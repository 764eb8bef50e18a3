"""A data set's files into a folder: fetched side by side, read, compared, put into place.

Files come into a folder of their own and are read there by child processes; only one that is what
the manifest says is moved to its own name. So a killed fetch leaves no half file under such a name,
and the same command goes on where it ended.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from denoisebench import atomic, lock
from denoisebench.data.fetch import beside, idc, ledger, tcia
from denoisebench.data.fetch.known import Known, Row
from denoisebench.data.fetch.ledger import Entry, Ledger
from denoisebench.data.fetch.transfer import CONNECTIONS, Away, Lost, Transfer
from denoisebench.data.fetch.wanted import Files, Wanted, place
from denoisebench.data.intake.child import Answer
from denoisebench.data.intake.manifest import NAME as MANIFEST
from denoisebench.data.intake.readers import read_files
from denoisebench.errors import Unavailable, UsageError

Progress = Callable[[int, int], None]  # slices that came, slices in all

INCOMING = ".incoming"
BATCH = 64  # slices that are read at once, while the next ones come
READERS: int | None = None  # child processes; one a core
SPARE_BYTES = 64 << 20  # beside the files themselves


@dataclass(frozen=True)
class Failure:
    """A slice or a series that could not be had, by its place in the folder, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Fetched:
    """What a fetch did.

    Attributes:
        wanted, here, new: slices in all, in place, and put there by this fetch.
        set_aside: files among them that are the archive's own but hold no CT in HU.
    """

    name: str
    folder: Path
    wanted: int
    here: int
    new: int
    set_aside: int
    failures: tuple[Failure, ...]


def fetch(
    facts: Known,
    rows: Sequence[Row],
    folder: Path,
    *,
    via: str | None = None,
    url: str | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Fetch what is not in the folder yet; write the manifest once all of it is.

    Args:
        facts: the data set.
        rows: of its manifest, all or those of some patients.
        folder: made where it is not there.
        via: which of its archives is asked; None for the first.
        url: of a mirror of that archive.
        progress: called as slices come, before they are read.

    Raises:
        UsageError: the folder holds other data, or another process is at work in it.
        Unavailable: the archive cannot be reached, or the disk is full; what came stays.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"'{folder}' is a file; give a folder")
    if (folder / MANIFEST).exists() and not (folder / ledger.NAME).exists():
        raise UsageError(f"'{folder}' holds a {MANIFEST} of its own; give an empty folder")
    if via is not None and via not in facts.archives:
        raise UsageError(f"{facts.name} comes via {' or '.join(facts.archives)}, not via {via}")
    with lock.alone(folder), atomic.told(folder):
        transfer = Transfer()
        try:
            shutil.rmtree(folder / INCOMING, ignore_errors=True)  # what a killed fetch left
            (folder / INCOMING).mkdir()
            job = Job(facts, folder, Ledger(folder), transfer, rows, progress)
            return _fetch(job, via or facts.archives[0], url)
        finally:
            transfer.close()
            shutil.rmtree(folder / INCOMING, ignore_errors=True)


def _fetch(job: "Job", via: str, url: str | None) -> Fetched:
    facts = job.facts
    missing = job.missing()
    try:
        if missing:
            _check_room(facts, job.folder, missing)
            files = _archive(facts, missing, job.transfer, via, url)
            job.run(missing, files)
            missing = job.missing()
        if missing:
            job.run(missing, files)  # wrong bytes may be right ones the second time
            missing = job.missing()
    except Away as problem:
        other = "".join(f", as does --via {name}" for name in facts.archives if name != via)
        raise Unavailable(
            f"{facts.name}: the archive cannot be reached ({problem}); {job.here} of {job.wanted} "
            f"slices are here, and the same command goes on{other}"
        ) from None
    held = [(row, job.ledger.standing(place(row))) for row in job.rows]
    if not missing:
        beside.write_manifest(job.folder, facts, held)
    return Fetched(
        name=facts.name,
        folder=job.folder,
        wanted=job.wanted,
        here=job.here,
        new=job.new,
        set_aside=sum(bool(entry.set_aside) for _, found in held for entry in found),
        failures=tuple(Failure(path, reason) for path, reason in sorted(job.failures.items())),
    )


def _archive(
    facts: Known, rows: Sequence[Row], transfer: Transfer, via: str, url: str | None
) -> Files:
    if via == "tcia":
        return tcia.slices(url)
    return (idc.slices if rows[0].sop_uid else idc.series)(rows, facts, transfer, url)


def _check_room(facts: Known, folder: Path, missing: Sequence[Row]) -> None:
    slices = sum(row.slices for row in missing)
    needed = round(slices * facts.bytes / facts.slices) + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Unavailable(
            f"{facts.name} needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free in "
            f"'{folder}'; name a larger disk by --out DIR"
        )


@dataclass
class Job:
    """One fetch at work.

    Attributes:
        here, new: slices in place, and those of them that this job put there.
        failures: reasons by place, of the last try.
    """

    facts: Known
    folder: Path
    ledger: Ledger
    transfer: Transfer
    rows: Sequence[Row]
    progress: Progress | None
    new: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wanted = sum(row.slices for row in self.rows)
        self.here = sum(len(self.ledger.standing(place(row))) for row in self.rows)
        self.parts = 0

    def missing(self) -> list[Row]:
        """Return the rows of which not all slices stand in the folder."""
        return [row for row in self.rows if len(self.ledger.standing(place(row))) < row.slices]

    def run(self, rows: Sequence[Row], files: Files) -> None:
        """Try each row once: while a batch is read, the next one comes."""
        self.failures.clear()
        with ThreadPoolExecutor(CONNECTIONS, "fetch") as pool:
            before: list[tuple[Wanted, Future[Path]]] = []
            try:
                for batch in [*_batches(rows), []]:
                    wanted = [item for row in batch for item in self._list(row, files)]
                    coming = [
                        (item, pool.submit(self._bring, item, self._part())) for item in wanted
                    ]
                    before, settled = coming, before
                    self._settle(settled)
            except Away:
                self._settle(before)  # what came, or still comes, is kept
                raise
            except BaseException:
                self.transfer.stopped.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _list(self, row: Row, files: Files) -> list[Wanted]:
        try:
            return [item for item in files(row) if not self.ledger.stands(item.path)]
        except Lost as problem:
            self.failures[place(row)] = str(problem)
            return []

    def _part(self) -> Path:
        self.parts += 1
        return self.folder / INCOMING / f"{self.parts}.dcm"

    def _bring(self, wanted: Wanted, part: Path) -> Path:
        """Let the file come, unless one of that name is there and only has to be read."""
        there = self.folder / wanted.path
        if there.is_file():
            os.replace(there, part)
            if _fits(part, wanted):
                return part
        try:
            self.transfer.save(wanted.url, part, size=wanted.size, md5=wanted.md5)
        except Away:
            self.transfer.stopped.set()  # the other threads need not find out
            raise
        return part

    def _settle(self, came: Sequence[tuple[Wanted, Future[Path]]]) -> None:
        """Read what came and put the right ones into place."""
        parts: dict[str, Wanted] = {}
        away: Away | None = None
        for wanted, future in came:
            try:
                parts[future.result().name] = wanted
                if self.progress is not None:
                    self.progress(self.here + len(parts), self.wanted)
            except Lost as problem:
                self.failures[wanted.path] = str(problem)
            except Away as problem:
                away = problem
        answers = _read(self.folder / INCOMING, list(parts))
        entries: list[Entry] = []
        for name, wanted in parts.items():
            part = self.folder / INCOMING / name
            try:
                entry = self._judge(wanted, part, answers[name])
            except Lost as problem:
                self.failures[wanted.path] = str(problem)
                part.unlink()
                continue
            if not self.ledger.entries and not entries:
                beside.write_terms(self.folder, self.facts)  # no slice is ever without them
            (self.folder / wanted.path).parent.mkdir(parents=True, exist_ok=True)
            with part.open("rb") as file:
                os.fsync(file.fileno())  # the ledger's word for it comes later
            os.replace(part, self.folder / wanted.path)
            entries.append(entry)
        if entries:
            self.ledger.add(entries)
        self.new += len(entries)
        self.here += len(entries)
        if away is not None:
            raise away

    def _judge(self, wanted: Wanted, part: Path, answer: Answer) -> Entry:
        """Return the ledger's entry of a file that is what was asked for."""
        size = part.stat().st_size
        if isinstance(answer, str):
            if wanted.md5 and not wanted.digest:
                return Entry(wanted.path, size, "", answer)  # the archive's own, and no CT in HU
            raise Lost(f"what came cannot be read: {answer}")
        if len(answer) != 1:
            raise Lost(f"what came has {len(answer)} frames")
        (raw,) = answer
        if wanted.digest and raw.digest != wanted.digest:
            raise Lost("what came has other pixels than the manifest says")
        if (raw.series_uid, raw.patient_id) != (wanted.series_uid, wanted.patient):
            raise Lost("what came is of another series or patient")
        before = self.ledger.entries.get(wanted.path)
        if before is not None and before.pixel_sha256 not in ("", raw.digest):
            raise Lost("what came has other pixels than when it was fetched first")
        return Entry(wanted.path, size, raw.digest, "")


def _read(folder: Path, names: Sequence[str]) -> dict[str, Answer]:
    """Read files in child processes: each one's slices, or why it has none."""
    return dict(zip(names, read_files(folder, names, workers=READERS), strict=True))


def _batches(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Cut rows into batches of about BATCH slices; a series is not cut."""
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if sum(item.slices for item in batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _fits(part: Path, wanted: Wanted) -> bool:
    """Whether a file has the size and MD5 that are known; its pixels are judged when it is read."""
    if wanted.size and part.stat().st_size != wanted.size:
        return False
    with open(part, "rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return not wanted.md5 or digest.hexdigest() == wanted.md5
