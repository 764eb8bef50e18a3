"""What a prepared folder holds, and how it is read and written."""

import os
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from denoisebench.data.split import SPLITS
from denoisebench.errors import UsageError

RECORD, INDEX_FILE, THUMBNAILS = "prepared.json", "index.npy", "thumbnails.npy"
LARGEST_RECORD = 512 << 20  # bytes; a million files set aside take 100 MB
SAME_BODY = "train, val and test are blocks of the same body"  # in the note on such a split
SHARD_HEADER = 128  # bytes of a one-dimensional .npy before its values, whatever its length

INDEX = np.dtype(
    [
        ("split", "u1"),  # place in SPLITS
        ("patient", "S12"),
        ("series", "S12"),
        ("position_mm", "<f8"),  # nan where unknown
        ("spacing_mm", "<f8", (2,)),  # nan where unknown
        ("digest", "V32"),  # SHA-256 of the HU
        ("shard", "<u4"),
        ("offset", "<u8"),  # bytes from the shard's beginning
        ("rows", "<u2"),
        ("columns", "<u2"),
        ("licence", "<u2"),  # place in Prepared.licences
    ]
)


class Aside(BaseModel):
    """A file that was not used, by its number in the order of paths: a path may hold a name.

    Attributes:
        file, frame: which; frame 0 is the whole file.
        reason: why.
        other: the file that it is a copy of.
    """

    model_config = ConfigDict(frozen=True)

    file: int
    frame: int
    reason: str
    other: tuple[int, int] | None = None


class Prepared(BaseModel):
    """`prepared.json`.

    Attributes:
        name: what boards call the data.
        digest, split_digest: as `DataSet` defines them.
        slices, patients: of train, val and test.
        notes: what a reader of scores should know about the split.
        licences: of the source, as its manifest says; the index points here.
        shards: values in each.
        files, accepted: how many were looked at, and in how many were slices.
        aside: the rest.
        source: SHA-256 over paths, sizes and times of the files, and the manifest.
        index_digest: SHA-256 of index.npy.
        made: the day.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    name: str
    digest: str
    split_digest: str
    slices: tuple[int, int, int]
    patients: tuple[int, int, int]
    notes: tuple[str, ...]
    licences: tuple[str, ...]
    shards: tuple[int, ...]
    files: int
    accepted: int
    aside: tuple[Aside, ...]
    source: str
    index_digest: str
    made: date

    @property
    def of_one_body(self) -> bool:
        """Whether patients are in several splits, by blocks: there were too few for more."""
        return any(SAME_BODY in note for note in self.notes)


def is_prepared(folder: Path) -> bool:
    """Tell whether a folder is prepared data."""
    return (folder / RECORD).is_file()


def read_record(folder: Path) -> Prepared:
    """Read `prepared.json`.

    Raises:
        UsageError: it is missing, damaged, or of another version.
    """
    path = folder / RECORD
    try:
        if path.stat().st_size > LARGEST_RECORD:
            raise UsageError(f"{path} is larger than {LARGEST_RECORD >> 20} MiB; prepare again")
        return Prepared.model_validate_json(path.read_bytes())
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {os.strerror(problem.errno or 5)}") from None
    except ValidationError as problem:
        where = ".".join(map(str, problem.errors()[0]["loc"])) or "its text"
        raise UsageError(
            f"{path} is damaged or of another version ({where}); "
            "denoisebench data prepare makes it again"
        ) from None


def shard_name(number: int) -> str:
    """Return the file name of a shard."""
    return f"shard-{number:05d}.npy"


def read_array(path: Path) -> NDArray[Any]:
    """Map a .npy file, without looking at its values.

    Raises:
        UsageError: it is missing or damaged.
    """
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except Exception as problem:  # NumPy's parser of a damaged header raises whatever it meets
        raise unreadable(path, problem) from None


def unreadable(path: Path, problem: Exception | None = None) -> UsageError:
    """Return what to say of a file of prepared data that the system, or its contents, refuse."""
    number = problem.errno if isinstance(problem, OSError) else None
    reason = os.strerror(number) if number else "damaged"
    return UsageError(
        f"{path.name} of the prepared data {path.parent} cannot be read ({reason}); "
        "denoisebench data prepare makes it again"
    )


def shard_header(size: int) -> bytes:
    """Return the first bytes of a shard whose file has `size` bytes, as .npy has them."""
    count = (size - SHARD_HEADER) // 2
    written = BytesIO()
    header = {"descr": "<i2", "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(written, header)
    assert written.tell() == SHARD_HEADER
    return written.getvalue()


def close_shard(path: Path) -> int:
    """Write the header of a shard whose values are there, and return their number."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(shard_header(size))
        file.flush()
        os.fsync(file.fileno())
    return (size - SHARD_HEADER) // 2


def split_rows(record: Prepared, split: str) -> range:
    """Return which rows of the index are of a split."""
    place = SPLITS.index(split)
    first = sum(record.slices[:place])
    return range(first, first + record.slices[place])
