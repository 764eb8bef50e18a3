"""A folder of files becomes prepared data: read over all cores, resumable, there at once or not.

The work stands beside the result, in NAME.unfinished, and takes its place when all is done. Files
are read in batches of fixed membership, a shard each; a batch that was finished is not read again.
Who the slices are of is never written: after a kill, headers of finished batches are read again.
"""

import base64
import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from denoisebench import atomic
from denoisebench.data.dataset import DataSet
from denoisebench.data.intake import manifest
from denoisebench.data.intake.child import Answer, Batch, Facts
from denoisebench.data.intake.folder import shown, walk
from denoisebench.data.intake.readers import Progress, read_batches, read_files
from denoisebench.data.leaks import SIDE, near_copies
from denoisebench.data.scan import SetAside
from denoisebench.data.split import SPLITS
from denoisebench.data.store import layout, placing
from denoisebench.data.store.cache import OLD, UNFINISHED, cached
from denoisebench.data.store.layout import SHARD_HEADER, Aside
from denoisebench.data.store.opened import open_prepared
from denoisebench.data.store.placing import Found, Placement
from denoisebench.data.store.writing import write_index
from denoisebench.errors import Unavailable, UsageError
from denoisebench.lock import alone

Waiting = Callable[[str], None]
RULES = 2  # raised when a reader or a rule of placing changes what comes out
LEAST_SHARDS, LEAST_FILES, MOST_FILES = 64, 16, 4096  # enough shards for all cores; files in one


def open_folder(
    folder: Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
) -> DataSet:
    """Open a folder of CT: prepared in the cache the first time, and again when files change.

    Args:
        folder: see `prepare`.
        workers: see `prepare`.
        progress, waiting: see `prepare`.

    Raises:
        UsageError: see `prepare`.
    """
    place = cached(folder)
    return prepare(folder, place, workers=workers, progress=progress, waiting=waiting)


def prepare(
    folder: Path,
    out: Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
) -> DataSet:
    """Prepare a folder of CT and open it: split by its `manifest.csv`, else by patient.

    Args:
        folder: any depth; anything but CT with known HU is set aside with a reason.
        out: the folder to make; does not exist, or is prepared data.
        workers: child processes that read; None for one a core, 0 to read in this process.
        progress: called with files done and files in all.
        waiting: told which process prepares the same, while this one waits for it.

    Raises:
        UsageError: no folder, prepared data, one that `out` lies in, a wrong manifest, slices that
            cannot fill three splits, or a leak from split to split.
        Unavailable: it cannot be written; what was read stays, and the same call goes on.
    """
    _refuse(folder, out)
    source = _look(folder)
    if out.exists() and not layout.is_prepared(out):
        if not out.is_dir() or any(out.iterdir()):
            raise UsageError(f"'{out}' exists and is no prepared data; name another place")
        out.rmdir()
    lock = out.with_name(f"{out.name}.lock")  # beside it: the folder is put there when it is whole
    with _going_on(), atomic.told(out), alone(lock, waiting=waiting or _patiently):
        if layout.is_prepared(out) and layout.read_record(out).source == source.digest:
            return open_prepared(out, source.names)
        work = out.with_name(out.name + UNFINISHED)
        _begin(work, source.listing)
        found, refused, thumbnails = _read(source, work, workers, progress)
        place = _place(source, found, refused, _copies(work, thumbnails))
        counts = (len(source.names), len({one.file for one in found}))
        write_index(work, place, thumbnails, counts, source.digest)
        _put(work, out)
        return open_prepared(out, source.names)


def _refuse(folder: Path, out: Path) -> None:
    if layout.is_prepared(folder):
        raise UsageError(f"'{folder}' is prepared already; --data '{folder}' opens it")
    if out.resolve().is_relative_to(folder.resolve()):  # it would be another folder each time
        raise UsageError(
            f"'{out}' lies in '{folder}', all of which is read; name a place outside "
            "(--out DIR, or DENOISEBENCH_HOME for the cache)"
        )


# ---- What there is to read -------------------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """A folder's files before any is opened.

    Attributes:
        paths: relative to the folder, as the system spells them.
        aside: what is no file; numbered after the paths.
        rows: of the manifest; None without one.
        unlisted: DICOM files beside those of the manifest.
        listing: SHA-256 of paths, sizes and times.
        digest: of that, the manifest, and the rules.
    """

    folder: Path
    paths: tuple[str, ...]
    aside: tuple[SetAside, ...]
    rows: tuple[manifest.Row, ...] | None
    unlisted: int
    listing: str
    digest: str

    @property
    def names(self) -> list[str]:
        """What to call each number."""
        return [shown(path) for path in self.paths] + [item.path for item in self.aside]


def _look(folder: Path) -> _Source:
    listed = (folder / manifest.NAME).is_file()
    rows = tuple(manifest.read_manifest(folder)) if listed else None
    walked, aside = walk(folder)
    unlisted = 0
    if rows is not None:
        paths, aside = list(dict.fromkeys(row.path for row in rows)), []
        unlisted = _unlisted(folder, walked, set(paths))
    else:
        paths = walked
    able = find_spec("nibabel") is not None  # else volumes are set aside
    listing = hashlib.sha256(f"{RULES} {able}".encode())
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(folder / path)
            line = f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode()
            listing.update(os.fsencode(path) + line)
    everything = listing.copy()
    for item in aside:
        everything.update(f"{item.path}\0{item.reason}\n".encode())
    if rows is not None:
        everything.update((folder / manifest.NAME).read_bytes() + f"\0{unlisted}".encode())
    digests = (listing.hexdigest(), everything.hexdigest())
    return _Source(folder, tuple(paths), tuple(aside), rows, unlisted, *digests)


def _unlisted(folder: Path, walked: Sequence[str], listed: set[str]) -> int:
    count = 0
    for path in walked:
        if Path(path).as_posix() not in listed:
            with contextlib.suppress(OSError), open(folder / path, "rb") as file:
                count += file.read(132)[128:] == b"DICM"
    return count


# ---- Read it -----------------------------------------------------------------------------------


def _read(
    source: _Source, work: Path, workers: int | None, progress: Progress | None
) -> tuple[list[Found], list[Aside], NDArray[np.int16]]:
    """Read all batches that are not there yet; return all slices, refusals, and thumbnails."""
    size = min(MOST_FILES, max(LEAST_FILES, -(-len(source.paths) // LEAST_SHARDS)))
    firsts = range(0, len(source.paths), size)
    members = [source.paths[first : first + size] for first in firsts]
    there = [number for number in range(len(members)) if _part(work, number).exists()]
    todo = [number for number in range(len(members)) if number not in set(there)]
    for number in todo:  # a child that outlived a killed parent may still write there
        _shard(work, number).unlink(missing_ok=True)
    who: dict[int, tuple[str, str]] = {}
    kept = [(number, place) for number in there for place in range(len(members[number]))]
    again = [members[number][place] for number, place in kept]
    answers = read_files(source.folder, again, who=True, workers=workers) if again else []
    for (number, place), answer in zip(kept, answers, strict=True):
        who[firsts[number] + place] = _whose(answer)
    before = len(again)

    def advance(done: int, total: int) -> None:
        if progress is not None:
            progress(before + done, before + total)

    batches = [Batch(members[number], _shard(work, number), SHARD_HEADER) for number in todo]
    for place, answers in read_batches(source.folder, batches, workers=workers, progress=advance):
        number = todo[place]
        for offset, answer in enumerate(answers):
            who[firsts[number] + offset] = _whose(answer)
        _finish_part(work, number, answers)
    return _collect(source, work, firsts, who)


def _whose(answer: Answer) -> tuple[str, str]:
    if isinstance(answer, str) or not answer:
        return "", ""
    return answer[0].patient_id, answer[0].series_uid


def _finish_part(work: Path, number: int, answers: Sequence[Answer]) -> None:
    """Close a batch's shard, then write what is known of its slices but whose they are."""
    if any(not isinstance(answer, str) and answer for answer in answers):
        layout.close_shard(_shard(work, number))
    else:
        _shard(work, number).unlink(missing_ok=True)
    lines: list[object] = []
    for answer in answers:
        if isinstance(answer, str):
            lines.append(answer)
        else:
            lines.append(
                [{**asdict(facts), "patient_id": "", "series_uid": ""} for facts in answer]
            )
    atomic.write_text(_part(work, number), json.dumps(lines))


def _collect(
    source: _Source, work: Path, firsts: Sequence[int], who: dict[int, tuple[str, str]]
) -> tuple[list[Found], list[Aside], NDArray[np.int16]]:
    found: list[Found] = []
    refused: list[Aside] = []
    thumbnails = bytearray()
    for number, first in enumerate(firsts):
        for place, answer in enumerate(json.loads(_part(work, number).read_bytes())):
            file = first + place
            if isinstance(answer, str):
                refused.append(Aside(file=file, frame=0, reason=answer))
                continue
            patient, series = who[file]
            if len(answer) > 1:  # a volume without a UID is a series of its own
                series = series or answer[0]["digest"]
            for each in answer:
                thumbnails += base64.b64decode(each["thumbnail"])
                facts = Facts(
                    **{**each, "spacing_mm": tuple(each["spacing_mm"]), "thumbnail": "",
                       "patient_id": patient, "series_uid": series}
                )  # fmt: skip
                found.append(Found(file, source.paths[file], facts, number, len(found)))
    refused += [
        Aside(file=len(source.paths) + place, frame=0, reason=item.reason)
        for place, item in enumerate(source.aside)
    ]
    return found, refused, np.frombuffer(thumbnails, "<i2").reshape(-1, SIDE, SIDE)


def _shard(work: Path, number: int) -> Path:
    return work / layout.shard_name(number)


def _part(work: Path, number: int) -> Path:
    return work / f"part-{number:05d}.json"


# ---- Place it ----------------------------------------------------------------------------------


def _place(
    source: _Source, found: Sequence[Found], refused: Sequence[Aside], copies: placing.Copies
) -> Placement:
    if source.rows is not None:
        reasons = {source.paths[item.file]: item.reason for item in refused}
        place = placing.by_manifest(source.rows, found, reasons, copies)
        if source.unlisted:
            said = f"{source.unlisted} DICOM files are not in {manifest.NAME} and were not read"
            place.notes.append(said)
    elif found:
        place = placing.by_patient(found, copies)
    else:
        raise UsageError(f"no slice to split: {placing.advice(refused)}")
    place.aside += refused
    empty = [name for name in SPLITS if name not in {name for name, _ in place.placed}]
    if empty:
        raise UsageError(f"no slice in {' and '.join(empty)}: {placing.advice(place.aside)}")
    return place


def _copies(work: Path, thumbnails: NDArray[np.int16]) -> placing.Copies:
    """Return what finds slices of different groups that show the same."""

    def search(slices: Sequence[Found], groups: Sequence[object]) -> list[tuple[Found, Found]]:
        numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
        if len(numbers) < 2:
            return []

        def pixels(place: int) -> NDArray[np.int16]:
            facts = slices[place].facts
            mapped = np.memmap(
                _shard(work, slices[place].shard), "<i2", "r", facts.offset,
                (facts.rows, facts.columns),
            )  # fmt: skip
            return np.asarray(mapped)

        rows = np.array([one.row for one in slices])
        group = np.array([numbers[group] for group in groups])
        pairs = near_copies(thumbnails[rows], group, pixels)
        return [(slices[pair.first], slices[pair.second]) for pair in pairs]

    return search


# ---- There at once, or not ---------------------------------------------------------------------


def _begin(work: Path, listing: str) -> None:
    """Keep what was read of the same files; else begin anew."""
    said = work / "listing"
    if not said.is_file() or said.read_text(encoding="utf-8") != listing:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True, mode=0o700)
        atomic.write_text(said, listing)
    atomic.clean(work)


def _put(work: Path, out: Path) -> None:
    for path in [*work.glob("part-*"), work / "listing"]:
        path.unlink()
    for path in work.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    atomic.flush(work)
    old = out.with_name(out.name + OLD)
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    work.rename(out)
    atomic.flush(out.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _going_on() -> Iterator[None]:
    try:
        yield
    except Unavailable as reason:
        raise Unavailable(f"{reason}, and the same command goes on") from None


def _patiently(owner: str) -> None:
    """Wait without a word."""
