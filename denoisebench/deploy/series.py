"""DICOM series in a file or a folder: which there are, and their slices from feet to head."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import CTImageStorage

from denoisebench.data.intake import dicom
from denoisebench.data.intake.dicom import NotCT, StoredSlice
from denoisebench.data.intake.folder import shown, walk
from denoisebench.data.intake.header import value
from denoisebench.data.scan import SetAside
from denoisebench.errors import UsageError

Progress = Callable[[int, int], None]
LOWEST, HIGHEST = -32768, 32767  # HU, as intake has them


@dataclass(frozen=True)
class File:
    """A slice's file, of which the header has been read.

    Attributes:
        path: where it stands.
        name: how it is spelled for who gave the folder.
        series_uid, sop_uid: its own.
        position_mm: along its normal, towards the head.
        objections: why it is no clean axial slice.
    """

    path: Path = field(repr=False)
    name: str = field(repr=False)
    series_uid: str = field(repr=False)
    sop_uid: str = field(repr=False)
    position_mm: float | None
    objections: tuple[str, ...]

    def digest(self) -> str:
        """SHA-256 of the file, in hex."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Series:
    """Slices of one series, from the feet to the head where that is known.

    Attributes:
        files: its slices.
        holes: files of it that cannot be read.
    """

    uid: str = field(repr=False)
    files: tuple[File, ...]
    holes: tuple[SetAside, ...] = ()

    @property
    def objections(self) -> tuple[str, ...]:
        """What its slices are other than clean axial ones, each with how many."""
        count = Counter(reason for file in self.files for reason in file.objections)
        every = len(self.files)
        return tuple(
            reason if number == every else f"{reason} ({number} of {every} slices)"
            for reason, number in count.items()
        )


@dataclass(frozen=True, eq=False)
class Slice:
    """A file's slice, decoded; see `method.HasHU`."""

    file: File
    source: StoredSlice

    @cached_property
    def hu(self) -> NDArray[np.float64]:
        """(H, W) HU, not rounded."""
        frame = self.source.frame
        return np.asarray(self.source.stored * frame.slope + frame.intercept, np.float64)

    @cached_property
    def padding(self) -> NDArray[np.bool_]:
        """(H, W), where the file says that nothing was measured."""
        return self.source.padding(self.source.stored)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the stored values and their rescale, in hex."""
        frame = self.source.frame
        found = hashlib.sha256(self.source.stored.astype("<i4").tobytes())
        found.update(f"{frame.slope!r} {frame.intercept!r}".encode())
        return found.hexdigest()


def find_series(
    given: Path, *, progress: Progress = lambda done, total: None
) -> tuple[list[Series], list[SetAside]]:
    """Find the series of a file or a folder, in the order of their first files.

    Args:
        given: a DICOM file, or a folder of any depth.
        progress: told how many files are read.
    Returns:
        Series of slices with known HU, and files that hold none.
    Raises:
        UsageError: there is nothing at that place.
    """
    aside: list[SetAside] = []
    folder, paths = given.parent, [given.name]
    if not given.is_file():
        folder = given
        paths, aside = walk(given)
    found: dict[str, list[File]] = {}
    unread: dict[str, list[SetAside]] = {}
    seen: dict[tuple[str, str], File] = {}
    for number, path in enumerate(paths):
        file = _examined(folder, path)
        if isinstance(file, SetAside):
            aside.append(file)
            unread.setdefault(dicom.identity(folder / path)[1], []).append(file)
        elif first := seen.get((file.series_uid, file.sop_uid)):
            same = "its SOP Instance UID is that of another file"
            if _copies(first, file):
                aside.append(SetAside(file.name, same))
            else:
                aside.append(SetAside(file.name, f"{same}, which holds another slice"))
                unread.setdefault(file.series_uid, []).append(aside[-1])
        else:
            seen[file.series_uid, file.sop_uid] = file
            found.setdefault(file.series_uid, []).append(file)
        progress(number + 1, len(paths))
    unread.pop("", None)
    return [
        Series(uid, _ordered(files), tuple(unread.get(uid, ()))) for uid, files in found.items()
    ], aside


def choose(
    series: Sequence[Series], aside: Sequence[SetAside], wanted: str | None, *, anyway: bool
) -> tuple[list[Series], list[SetAside]]:
    """Choose what is to be denoised.

    Args:
        series, aside: see `find_series`.
        wanted: a SeriesInstanceUID; all where None.
        anyway: take what is no clean axial slice, too.
    Returns:
        Series to be denoised, and files that are not. Slices with objections stand in the former
        where they are asked for, or where there are no others.
    Raises:
        UsageError: nothing is left; the message says why.
    """
    left, aside = list(series), list(aside)
    if wanted is not None:
        left = [one for one in series if one.uid == wanted]
        if not left:
            counts = ", ".join(str(len(one.files)) for one in series) or "none"
            raise UsageError(f"no series of that UID; series found, by their slices: {counts}")
    clean = [replace(one, files=_clean(one.files)) for one in left]
    clean = [one for one in clean if one.files]
    if clean and not anyway:  # else there is nothing but what a run was not trained for
        objected = [file for one in left for file in one.files if file.objections]
        aside += [SetAside(file.name, "; ".join(file.objections)) for file in objected]
        left = clean
    if not left:
        raise UsageError(f"no CT slice to denoise: {_summary(aside)}")
    holes = [hole for one in left for hole in one.holes]
    if holes and not anyway:
        more = f", and {len(holes) - 1} more" if len(holes) > 1 else ""
        raise UsageError(
            f"{holes[0].path}{more}: {holes[0].reason}; a series with a hole is another volume: "
            "mend it, take it out of the folder, or --anyway"
        )
    return left, aside


def read(file: File) -> Slice:
    """Decode a file's slice.

    Raises:
        UsageError: it cannot be decoded; its neighbours without it would be another volume.
    """
    try:
        found = Slice(file, dicom.read_stored(file.path, lambda reason: None))
        measured = found.hu[~found.padding]
        if measured.size and not (measured.min() >= LOWEST and measured.max() <= HIGHEST):
            raise NotCT(f"values that cannot be HU: {measured.min():.0f} to {measured.max():.0f}")
        return found
    except NotCT as problem:
        raise UsageError(
            f"{file.name}: {problem.reason}; a series with a hole is another volume: "
            "mend it, or take it out of the folder"
        ) from None


def _examined(folder: Path, path: str) -> File | SetAside:
    objections: list[str] = []
    try:
        header, frame = dicom.examine(folder / path, objections.append)
    except NotCT as problem:
        return SetAside(shown(path), problem.reason)
    series, image = (str(value(header, f"{of}InstanceUID") or "") for of in ("Series", "SOP"))
    if not (series and image and value(header, "SOPClassUID")):
        reason = "no UIDs, as before DICOM: what is derived of it could not say of what"
        return SetAside(shown(path), reason)
    if value(header, "SOPClassUID") != CTImageStorage:
        reason = "an Enhanced CT, whose frames say more than what is derived of it; save CT Images"
        return SetAside(shown(path), reason)
    return File(folder / path, shown(path), series, image, frame.position_mm, tuple(objections))


def _copies(one: File, other: File) -> bool:
    """Tell whether two files hold one slice, whatever else their headers say."""
    try:
        return one.position_mm == other.position_mm and read(one).digest == read(other).digest
    except UsageError:  # which cannot be decoded
        return False


def _ordered(files: Iterable[File]) -> tuple[File, ...]:
    def place(file: File) -> tuple[bool, float, bytes]:
        known = file.position_mm is not None
        return not known, file.position_mm or 0.0, os.fsencode(file.path)

    return tuple(sorted(files, key=place))


def _clean(files: Sequence[File]) -> tuple[File, ...]:
    return tuple(file for file in files if not file.objections)


def _summary(aside: Sequence[SetAside]) -> str:
    if len(aside) == 1:
        return aside[0].reason
    counts = Counter(one.reason for one in aside)
    told = [f"{reason} ({count})" for reason, count in counts.most_common(5)]
    return "; ".join(told) or "the folder is empty"
