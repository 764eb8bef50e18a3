"""Prepared data opened: slices come from the map when they are asked for, and not before."""

import copy
import mmap
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.scan import Slice
from denoisebench.data.store import layout
from denoisebench.data.store.layout import SHARD_HEADER, shard_name
from denoisebench.errors import UsageError

OPEN_SHARDS = 512  # each costs a file descriptor


class Mapped(Sequence[Slice]):
    """The slices of one split.

    Args:
        folder: of the prepared data.
        rows: of the index.
        index: (N,) of `layout.INDEX`.
        checked: whether a slice is held against its digest whenever it is read: a quarter of a
            millisecond, which a score is worth and a crop is not.
    """

    def __init__(
        self, folder: Path, rows: range, index: NDArray[np.void], *, checked: bool
    ) -> None:
        self.folder, self.rows, self.table, self.checked = folder, rows, index, checked
        stood = os.stat(folder)

        def opened(number: int) -> _Shard:
            shard = _Shard(folder / shard_name(number))
            # Shards of data that were prepared anew do not fit an index that was read before.
            if not os.path.samestat(os.stat(folder), stood):
                raise UsageError(
                    f"the data of {folder} were prepared anew while they were in use; start again"
                )
            return shard

        self._shard = lru_cache(OPEN_SHARDS)(opened)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Slice: ...
    @overload
    def __getitem__(self, place: slice) -> "Mapped": ...
    def __getitem__(self, place: int | slice) -> "Slice | Mapped":
        if isinstance(place, slice):
            part = copy.copy(self)
            part.rows = self.rows[place]
            return part
        row = self.table[self.rows[place]]
        position = float(row["position_mm"])
        found = Slice(
            self.pixels(row),
            name_of(row["patient"]),
            name_of(row["series"]),
            None if position != position else position,
            (float(row["spacing_mm"][0]), float(row["spacing_mm"][1])),
        )
        if self.checked and found.digest != row["digest"].tobytes().hex():
            raise UsageError(
                f"{shard_name(row['shard'])} of the prepared data {self.folder} is damaged; "
                "denoisebench data verify says where, data prepare makes it again"
            )
        return found

    def pixels(self, row: np.void) -> NDArray[np.int16]:
        """Return the (H, W) HU of a row of the index, mapped; nothing is checked."""
        rows, columns, offset = int(row["rows"]), int(row["columns"]), int(row["offset"])
        shard = self._shard(int(row["shard"]))
        start = (offset - SHARD_HEADER) // 2
        values = shard.values[start : start + rows * columns]
        if len(values) != rows * columns:
            raise UsageError(
                f"{shard_name(int(row['shard']))} of the prepared data {self.folder} is cut short; "
                "denoisebench data prepare makes it again"
            )
        shard.soon(offset, values.nbytes)
        return values.reshape(rows, columns)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of the index for these slices, without reading a pixel."""
        found: NDArray[Any] = self.table[name]
        return found[self.rows.start : self.rows.stop : self.rows.step]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of each slice."""
        pairs = zip(self.column("rows").tolist(), self.column("columns").tolist(), strict=True)
        return list(pairs)

    @property
    def patients(self) -> tuple[str, ...]:
        """Pseudonyms, sorted."""
        return tuple(name_of(name) for name in np.unique(self.column("patient")))

    def __iter__(self) -> Iterator[Slice]:
        for place in range(len(self)):
            yield self[place]


def name_of(pseudonym: bytes) -> str:
    """Return a pseudonym as text; one that is damaged, too, which `verify` tells."""
    return str(pseudonym, "ascii", "replace")


class _Shard:
    """A mapped shard. The kernel is told to read what is asked for and not what follows.

    By itself it reads megabytes around each place, in the belief that the rest will be next: of
    crops at random places that was 20 times the time.

    Attributes:
        values: (N,) HU of all its slices.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as problem:  # ValueError: no bytes to map
            raise layout.unreadable(path, problem) from None
        if hasattr(mmap, "MADV_RANDOM"):
            self._map.madvise(mmap.MADV_RANDOM)
        if self._map[:SHARD_HEADER] != layout.shard_header(len(self._map)):
            raise layout.unreadable(path)
        count = (len(self._map) - SHARD_HEADER) // 2
        self.values: NDArray[np.int16] = np.frombuffer(self._map, "<i2", count, SHARD_HEADER)

    def soon(self, offset: int, count: int) -> None:
        """Have `count` bytes read at once rather than page by page."""
        if count and hasattr(mmap, "MADV_WILLNEED"):
            start = offset // mmap.PAGESIZE * mmap.PAGESIZE
            self._map.madvise(mmap.MADV_WILLNEED, start, offset + count - start)
