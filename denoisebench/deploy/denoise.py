"""Denoise series and volumes: read, denoise, write back; killed, and begun again, go on.

A folder is made beside the place that was asked for, and takes it when it is whole. Each slice is a
file, old or new; which are there already is told by their UIDs, which stand for all that a file is
made of.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from denoisebench import atomic, lock
from denoisebench.data.intake import dicom
from denoisebench.data.intake.dicom import NotCT
from denoisebench.deploy.derived import derived, new_series_uid, new_sop_uid
from denoisebench.deploy.method import Method
from denoisebench.deploy.series import Series, Slice, read
from denoisebench.errors import UsageError

Advance = Callable[[], None]

UNFINISHED = ".unfinished"  # ends the name of a folder that is being made
OURS, UID = re.compile(r"\d{4,}\.dcm"), re.compile(r"[0-9.]+")


@dataclass
class Change:
    """What became of the values of a series or volume, told from what was written.

    Attributes:
        slices, resumed: how many, and how many of them were there already.
        pixels, kept: that were measured, and that are to the last digit as they were.
        sum_hu: of the differences, after minus before.
    """

    slices: int = 0
    resumed: int = 0
    pixels: int = 0
    kept: int = 0
    sum_hu: float = field(default=0.0, repr=False)

    def add(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> None:
        """Count a slice's measured pixels, in HU."""
        self.slices += 1
        self.pixels += before.size
        self.kept += int(np.count_nonzero(before == after))
        self.sum_hu += float((after - before).sum())

    @property
    def mean_hu(self) -> float:
        """Mean difference, after minus before, in HU."""
        return self.sum_hu / max(self.pixels, 1)


def refuse_taken(output: Path, *, folder: bool = False) -> None:
    """Raise UsageError where something stands at the place of an output.

    Args:
        output: what will be written.
        folder: whether it will be a folder, which may be there if it is empty and can be replaced.
    """
    with atomic.told(output):
        if folder and output.is_dir() and not any(output.iterdir()):
            if output.is_symlink() or output.is_mount() or output.samefile("."):
                raise UsageError(
                    f"{output} is a link, a mount or the current folder, and cannot be replaced; "
                    f"name a folder in it, such as {output / 'denoised'}"
                )
        elif output.exists() or output.is_symlink():
            raise UsageError(f"{output} is there already; remove it, or name another place")


def make_place(output: Path) -> None:
    """Make the folder that an output will stand in.

    Raises:
        UsageError, Unavailable: nothing can be written there; better now than after an hour.
    """
    with atomic.told(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=output.parent).close()


def denoise_file(one: Slice, method: Method, output: Path) -> Change:
    """Denoise a DICOM file into another.

    Raises:
        UsageError: something is there already.
    """
    refuse_taken(output)
    make_place(output)
    return _write([(one, output)], method, lambda: None)


def denoise_series(
    chosen: Sequence[Series], method: Method, output: Path, advance: Advance = lambda: None
) -> list[tuple[str, Change]]:
    """Denoise series into a folder; several, into one folder each, called by their new UIDs.

    Args:
        chosen: see `series.choose`.
        method: what denoises.
        output: the folder; not there, or empty.
        advance: called after each slice.
    Returns:
        New SeriesInstanceUID of each, and what became of it.
    Raises:
        UsageError: something is there already, or a slice cannot be decoded.
        Unavailable: it cannot be written, or memory does not suffice.
    """
    refuse_taken(output, folder=True)
    unfinished = output.with_name(output.name + UNFINISHED)
    uids = [new_series_uid(method, one.uid) for one in chosen]
    places = [
        [(unfinished / uid if len(uids) > 1 else unfinished) / f"{number:04}.dcm"
         for number in range(1, len(one.files) + 1)]
        for uid, one in zip(uids, chosen, strict=True)
    ]  # fmt: skip
    found = []
    with lock.alone(unfinished):
        _remove_others(unfinished, {place for own in places for place in own})
        for uid, one, own in zip(uids, chosen, places, strict=True):
            with atomic.told(own[0]):
                own[0].parent.mkdir(exist_ok=True)
            slices = (read(file) for file in one.files)
            found.append((uid, _write(zip(slices, own, strict=True), method, advance)))
    with atomic.told(output):
        (unfinished / lock.LOCK).unlink(missing_ok=True)
        if output.is_dir():
            output.rmdir()
        unfinished.replace(output)
        atomic.flush(output.parent)
    return found


def _write(slices: Iterable[tuple[Slice, Path]], method: Method, advance: Advance) -> Change:
    """Write what is not there yet, and count what is there in the end."""
    change, waiting = Change(), deque[tuple[Path, str]]()

    def missing() -> Iterator[Slice]:
        for one, place in slices:
            uid = new_sop_uid(method, one.file.series_uid, one.file.sop_uid, one.file.digest())
            if _is_there(place, uid):
                change.resumed += 1
                _count(one, place, change)
                advance()
            else:
                waiting.append((place, uid))
                yield one

    for output in method.denoised(missing()):
        one, (place, uid) = output.source, waiting.popleft()
        try:
            content = derived(one.file.path, one.source, output.hu, method, uid)
            with atomic.replacing(place) as file:
                file.write(content)
            _count(one, place, change)
        except NotCT as problem:
            place.unlink(missing_ok=True)
            raise UsageError(f"{one.file.name}: {problem.reason}") from None
        advance()
    return change


def _is_there(place: Path, uid: str) -> bool:
    """Tell whether a slice was written before, by a command that was the same."""
    try:
        header = dcmread(place, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
    except (OSError, InvalidDicomError):
        return False
    return str(header.get("SOPInstanceUID")) == uid


def _count(one: Slice, place: Path, change: Change) -> None:
    """Count from what stands on the disk."""
    written = Slice(one.file, dicom.read_stored(place, lambda reason: None))
    measured = ~one.padding
    change.add(one.hu[measured], written.hu[measured])


def _remove_others(unfinished: Path, expected: Set[Path]) -> None:
    """Remove what an interrupted command left: by another method, of other series, half a file."""
    with atomic.told(unfinished):
        folders = [path for path in unfinished.iterdir() if UID.fullmatch(path.name)]
        for folder in [unfinished, *(path for path in folders if path.is_dir())]:
            atomic.clean(folder)
            for path in folder.iterdir():
                if OURS.fullmatch(path.name) and path not in expected:
                    path.unlink()
            if folder != unfinished and not any(folder.iterdir()):
                folder.rmdir()
