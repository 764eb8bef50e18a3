"""manifest.csv: which files of a folder are used, and in which split.

Columns, in any order; others are ignored:
    path: of the file, relative to the manifest, parts joined by "/".
    split: train, val or test.
    patient: who it is of; without it, PatientID of the file. Scores average over patients.
    pixel_sha256: SHA-256 of the HU as little-endian int16 in C order; checked where it is given.
    frame: of a multi-frame file, from 1; without it, all its frames.
    licence: of the source, kept with the prepared data.

Links inside the folder are followed, as everywhere: who lays out a folder chooses its links. Only
a path that climbs out of it by its own words is refused.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from denoisebench.data.intake.folder import shown
from denoisebench.data.split import SPLITS
from denoisebench.errors import UsageError

NAME = "manifest.csv"
LARGEST = 256 << 20  # bytes
MOST_ROWS = 1_000_000
LONGEST_LINE = 10_000  # bytes


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the manifest; "" and None where a column says nothing."""

    line: int
    path: str
    split: str
    patient: str
    digest: str
    frame: int | None
    licence: str = ""


def read_manifest(folder: Path) -> list[Row]:
    """Read and check `manifest.csv` of a folder, without opening any file it lists.

    Raises:
        UsageError: with the line, what it says, and what is accepted.
    """
    rows = _parse(folder)
    seen: set[tuple[str, int | None]] = set()
    whole = {row.path for row in rows if row.frame is None}
    split_of: dict[str, str] = {}
    for row in rows:
        key = (row.path, row.frame)
        if key in seen or (row.frame is not None and row.path in whole):
            raise _error(row.line, f"'{shown(row.path)}' is listed twice; list each slice once")
        seen.add(key)
        if row.patient and split_of.setdefault(row.patient, row.split) != row.split:
            raise _error(
                row.line,
                f"the patient of '{shown(row.path)}' is in {split_of[row.patient]} and in "
                f"{row.split}; put all slices of a patient in one split",
            )
    return rows


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system has
        return False


def _parse(folder: Path) -> list[Row]:
    size = (folder / NAME).stat().st_size
    if size > LARGEST:
        raise UsageError(f"{NAME} is larger than {LARGEST >> 20} MiB; split the data set")
    with (folder / NAME).open("rb") as file:
        return _rows(folder, csv.DictReader(_lines(file), restkey="", strict=True))


def _lines(file: IO[bytes]) -> Iterator[str]:
    """Yield lines; UsageError for one, or for a number of them, that no manifest has."""
    for number in range(1, MOST_ROWS + 2):
        line = file.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE:
            raise _error(number, f"longer than {LONGEST_LINE:,} bytes")
        if not line:
            return
        # surrogateescape: names that are not UTF-8 come back as the file system spells them
        yield line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")
    raise UsageError(f"{NAME} has more than {MOST_ROWS:,} lines; split the data set")


def _rows(folder: Path, reader: "csv.DictReader[str]") -> list[Row]:
    try:
        columns = [name.strip() for name in reader.fieldnames or ()]
        missing = [name for name in ("path", "split") if name not in columns]
        if missing:
            raise UsageError(
                f"{NAME} has no column '{missing[0]}'; its first line names columns, with commas: "
                "path,split and optionally patient, pixel_sha256, frame, licence"
            )
        reader.fieldnames = columns
        rows = []
        for cells in reader:
            row = _row(reader.line_num, cells)
            if not _is_file(folder / row.path):
                absent = f"'{shown(row.path)}' is not in the folder"
                raise _error(row.line, f"{absent}; add it, or drop the line")
            rows.append(row)
    except csv.Error as problem:
        raise _error(reader.line_num, f"cannot be read as CSV ({problem})") from None
    if not rows:
        raise UsageError(f"{NAME} lists no file; add a line a slice, or remove it")
    return rows


def _row(line: int, cells: dict[str, str | None]) -> Row:
    path, split, patient, digest, frame, licence = (
        (cells.get(name) or "").strip()
        for name in ("path", "split", "patient", "pixel_sha256", "frame", "licence")
    )
    if split not in SPLITS:
        raise _error(line, f"no split '{shown(split[:40])}'; there are train, val and test")
    windows = PureWindowsPath(path)
    if (
        not path
        or "\0" in path
        or PurePosixPath(path).is_absolute()
        or windows.drive
        or windows.root
        or ".." in windows.parts
        or ".." in PurePosixPath(path).parts
    ):
        outside = f"path '{shown(path[:200])}' is not inside the folder"
        raise _error(line, f"{outside}; paths are relative to the manifest, without '..'")
    digest = digest.lower()
    if digest and not re.fullmatch("[0-9a-f]{64}", digest):
        raise _error(line, "pixel_sha256 is not 64 hex digits; give them or leave it empty")
    if frame and not re.fullmatch("[1-9][0-9]{0,6}", frame):
        raise _error(line, "frame is not a whole number from 1; give it or leave it empty")
    number = int(frame) if frame else None
    return Row(line, str(PurePosixPath(path)), split, patient, digest, number, licence)


def _error(line: int, message: str) -> UsageError:
    return UsageError(f"{NAME}, line {line}: {message}")
