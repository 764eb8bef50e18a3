"""A data set: slices in HU, split by patient, and digests of both.

Patients have pseudonyms: the first 12 hex digits of HMAC-SHA256 over the PatientID, under a key
made from the digests of all slices, train ones included. So whoever has the data computes the same
pseudonyms, on any machine and however the files are named; whoever has only results, which list
the digests of test slices at most, has no key and cannot try names out. One more slice gives every
patient another pseudonym, as it makes another data set.
"""

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from denoisebench.data import split
from denoisebench.data.intake import manifest
from denoisebench.data.intake.folder import (
    Folder,
    Progress,
    Source,
    read_files,
    read_folder,
    shown,
    walk,
)
from denoisebench.data.scan import SetAside, Slice
from denoisebench.data.split import SPLITS
from denoisebench.errors import UsageError

__all__ = ["SPLITS", "DataSet", "open_folder", "spread"]

NO_PATIENT = (
    "no PatientID, so no split by patient can place it; "
    "a manifest.csv with columns path, patient, split does"
)


@dataclass(frozen=True, eq=False)
class DataSet:
    """Slices by split, in an order that file names do not change; equal digests, equal data.

    Attributes:
        name: what boards call it; never the folder's name, which may hold a patient's.
        notes: what a reader of scores should know about the split.
        set_aside: files not used, by path inside the folder.
    """

    name: str
    train: tuple[Slice, ...]
    val: tuple[Slice, ...]
    test: tuple[Slice, ...]
    notes: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()

    def slices(self, split: str) -> tuple[Slice, ...]:
        """Return the slices of "train", "val" or "test"."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]

    def patients(self, split: str) -> tuple[str, ...]:
        """Return the pseudonyms of a split's patients, sorted."""
        return tuple(sorted({item.patient for item in self.slices(split)}))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the sorted digests of all slices, in hex: the pixels, however split."""
        return _sha256(sorted(item.digest for name in SPLITS for item in self.slices(name)))

    @cached_property
    def split_digest(self) -> str:
        """SHA-256 over the sorted lines "split digest", in hex: pixels and split."""
        return _sha256(
            sorted(f"{name} {item.digest}" for name in SPLITS for item in self.slices(name))
        )


def spread(slices: Sequence[Slice], count: int) -> list[Slice]:
    """Return at most `count` (two or more) at equal distances, from the first to the last."""
    if len(slices) <= count:
        return list(slices)
    return [slices[round(i * (len(slices) - 1) / (count - 1))] for i in range(count)]


def open_folder(
    folder: Path, *, workers: int | None = None, progress: Progress | None = None
) -> DataSet:
    """Read a folder of DICOM files: split by its `manifest.csv`, else by patient.

    Args:
        folder: any depth; anything but CT with known HU is set aside with a reason.
        workers: child processes that read; None for one a core, 0 to read in this process.
        progress: called with files done and files in all.

    Raises:
        UsageError: no folder, a wrong manifest, or slices that cannot fill three splits.
    """
    folder = Path(folder)
    if (folder / manifest.NAME).is_file():
        placed, aside, notes = _by_manifest(folder, workers, progress)
    else:
        found = read_folder(folder, workers=workers, progress=progress)
        placed, aside, notes = _by_patient(found)
    empty = [name for name in SPLITS if name not in {name for name, _ in placed}]
    if empty:
        raise UsageError(f"no slice in {' and '.join(empty)}: {_advice(aside)}")
    slices = _pseudonymous(placed)
    data = DataSet(
        "",
        *(slices["train"], slices["val"], slices["test"]),
        notes=tuple(notes),
        set_aside=tuple(sorted(aside, key=lambda item: item.path)),
    )
    return replace(data, name=f"folder-{data.digest[:8]}")


Placed = tuple[str, Source]  # a split and what it holds


def _by_manifest(
    folder: Path, workers: int | None, progress: Progress | None
) -> tuple[list[Placed], list[SetAside], list[str]]:
    rows = manifest.read_manifest(folder)
    paths = list(dict.fromkeys(row.path for row in rows))
    found = read_files(folder, paths, workers=workers, progress=progress)
    refused = {item.path: item.reason for item in found.set_aside}
    frames: dict[str, list[Source]] = defaultdict(list)
    for source in found.sources:
        frames[source.path].append(source)
    placed: list[Placed] = []
    for row in rows:
        where = f"{manifest.NAME}, line {row.line}: '{shown(row.path)}'"
        reason = refused.get(shown(row.path))
        if reason is not None and row.digest:
            raise UsageError(f"{where} cannot be read: {reason}; fetch the file again")
        if reason is None:
            placed += [(row.split, source) for source in _of_row(row, frames[row.path], where)]
    _one_split_a_patient(placed)
    placed, copies = _without_copies(placed)
    return placed, [*found.set_aside, *copies], _unlisted(folder, set(paths))


def _of_row(row: manifest.Row, frames: Sequence[Source], where: str) -> list[Source]:
    chosen = [source for source in frames if row.frame in (None, source.raw.frame)]
    if not chosen:
        raise UsageError(f"{where} has no frame {row.frame}; it has {len(frames)}")
    if row.digest and len(chosen) > 1:
        raise UsageError(
            f"{where} has {len(chosen)} frames and one pixel_sha256; list each frame on a line"
        )
    if row.digest and chosen[0].raw.digest != row.digest:
        raise UsageError(f"{where} has other pixels than its pixel_sha256; fetch the file again")
    patient = row.patient or chosen[0].raw.patient_id
    if not patient:
        raise UsageError(f"{where} has no PatientID; give {manifest.NAME} a patient column")
    return [replace(source, raw=replace(source.raw, patient_id=patient)) for source in chosen]


def _one_split_a_patient(placed: Iterable[Placed]) -> None:
    split_of: dict[str, str] = {}
    for name, source in placed:
        if split_of.setdefault(source.raw.patient_id, name) != name:
            raise UsageError(
                f"{manifest.NAME}: the patient of '{shown(source.path)}' is in "
                f"{split_of[source.raw.patient_id]} and in {name}; keep a patient in one split"
            )


def _unlisted(folder: Path, listed: set[str]) -> list[str]:
    count = 0
    for path in walk(folder)[0]:
        if Path(path).as_posix() not in listed:
            try:
                with open(folder / path, "rb") as file:
                    count += file.read(132)[128:] == b"DICM"
            except OSError:
                continue
    return [f"{count} DICOM files are not in {manifest.NAME} and were not read"] if count else []


def _by_patient(found: Folder) -> tuple[list[Placed], list[SetAside], list[str]]:
    aside, notes = list(found.set_aside), []
    known = [source for source in found.sources if source.raw.patient_id]
    nameless = [source for source in found.sources if not source.raw.patient_id]
    if nameless:
        aside += [SetAside(_place(source), NO_PATIENT) for source in nameless]
        notes.append(f"{len(nameless)} slices without PatientID were set aside")
    if not known:
        raise UsageError(f"no slice to split: {_advice(aside)}")
    known, odd = _one_size_a_series(known)
    unplaced, copies = _without_copies([("", source) for source in known])
    sources = [source for _, source in unplaced]
    aside += [*odd, *copies]
    patients = {source.raw.patient_id for source in sources}
    if len(patients) >= split.FEWEST_PATIENTS:
        split_of = split.by_patient(patients)
        placed = [(split_of[source.raw.patient_id], source) for source in sources]
        return placed, aside, notes
    placed, gaps = _by_blocks(sources)
    few = "one patient" if len(patients) == 1 else "two patients"
    notes.append(
        f"{few} only: train, val and test are blocks of the same body, with {len(gaps)} slices "
        "left out between them; scores say nothing about other patients"
    )
    return placed, [*aside, *gaps], notes


def _by_blocks(sources: Sequence[Source]) -> tuple[list[Placed], list[SetAside]]:
    of_patient: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        of_patient[source.raw.patient_id].append(source)
    placed: list[Placed] = []
    aside: list[SetAside] = []
    problem: UsageError | None = None
    for members in of_patient.values():
        placeable = [item for item in members if item.raw.position_mm is not None]
        reason = "no position along the patient, which a split by slice needs"
        aside += [SetAside(_place(i), reason) for i in members if i.raw.position_mm is None]
        if not placeable:
            continue
        try:
            splits = split.by_blocks(
                [item.raw.position_mm or 0.0 for item in placeable],
                [item.raw.series_uid for item in placeable],
                max(item.raw.thickness_mm for item in placeable),
            )
        except UsageError as error:  # of two patients, one may still fill three blocks
            problem, splits = error, ["train"] * len(placeable)
        for name, item in zip(splits, placeable, strict=True):
            if name is None:
                aside.append(SetAside(_place(item), "left out between two blocks of the split"))
            else:
                placed.append((name, item))
    if problem is not None and not set(SPLITS) <= {name for name, _ in placed}:
        raise problem
    return placed, aside


def _one_size_a_series(sources: Sequence[Source]) -> tuple[list[Source], list[SetAside]]:
    """Keep each series' most frequent size; of equally frequent ones, the largest."""
    sizes: dict[tuple[str, str], Counter[tuple[int, ...]]] = defaultdict(Counter)
    for source in sources:
        sizes[source.raw.patient_id, source.raw.series_uid][source.raw.hu.shape] += 1
    usual = {
        key: max(counter, key=lambda size: (counter[size], size))
        for key, counter in sizes.items()
    }  # fmt: skip
    kept, aside = [], []
    for source in sources:
        size, main = source.raw.hu.shape, usual[source.raw.patient_id, source.raw.series_uid]
        if size == main:
            kept.append(source)
        else:
            reason = f"{_by(size)} pixels in a series of {_by(main)}"
            aside.append(SetAside(_place(source), reason))
    return kept, aside


def _by(size: tuple[int, ...]) -> str:
    return " × ".join(map(str, size))


def _without_copies(placed: Sequence[Placed]) -> tuple[list[Placed], list[SetAside]]:
    """Keep the first of slices with equal pixels; one that is in two splits is an error."""
    first: dict[str, Placed] = {}
    aside = []
    for name, source in placed:
        before, original = first.setdefault(source.raw.digest, (name, source))
        if original is source:
            continue
        if before != name:
            raise UsageError(
                f"{manifest.NAME}: '{_place(original)}' in {before} and '{_place(source)}' in "
                f"{name} have the same pixels; drop one"
            )
        aside.append(SetAside(_place(source), f"same pixels as {_place(original)}"))
    return list(first.values()), aside


def _place(source: Source) -> str:
    frame = f" frame {source.raw.frame}" if source.raw.frame > 1 else ""
    return shown(source.path) + frame


def _pseudonymous(placed: Sequence[Placed]) -> dict[str, tuple[Slice, ...]]:
    digests = sorted(source.raw.digest for _, source in placed)
    key = hashlib.sha256(b"denoisebench-patient-key" + "".join(digests).encode()).digest()

    def pseudonym(kind: str, text: str) -> str:
        message = f"{kind}:{text}".encode("utf-8", "surrogateescape")
        return hmac.new(key, message, hashlib.sha256).hexdigest()[:12]

    slices: dict[str, list[Slice]] = {name: [] for name in SPLITS}
    for name, source in placed:
        raw = source.raw
        patient = hmac.new(
            key, raw.patient_id.encode("utf-8", "surrogateescape"), hashlib.sha256
        ).hexdigest()[:12]
        series = pseudonym("series", f"{raw.patient_id}:{raw.series_uid}")
        slices[name].append(Slice(raw.hu, patient, series, raw.position_mm, raw.spacing_mm))
    return {name: tuple(sorted(found, key=_order)) for name, found in slices.items()}


def _order(item: Slice) -> tuple[str, str, float, str]:
    position = float("-inf") if item.position_mm is None else item.position_mm
    return item.patient, item.series, position, item.digest


def _advice(aside: Sequence[SetAside]) -> str:
    """Say why files were set aside, most frequent reason first, and what to do."""
    if not aside:
        return "the folder holds no file; give one with DICOM files"
    reason, count = Counter(item.reason for item in aside).most_common(1)[0]
    return f"{len(aside)} set aside, {count} of them as: {reason}"


def _sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
