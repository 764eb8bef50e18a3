"""Prepared data opened: slices come from the map when they are asked for, and not before."""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.scan import Slice
from denoisebench.data.store import layout
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
        self._shard = lru_cache(OPEN_SHARDS)(partial(_shard, folder))

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Slice: ...
    @overload
    def __getitem__(self, place: slice) -> "Mapped": ...
    def __getitem__(self, place: int | slice) -> "Slice | Mapped":
        if isinstance(place, slice):
            return Mapped(self.folder, self.rows[place], self.table, checked=self.checked)
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
                f"{layout.shard_name(row['shard'])} of the prepared data {self.folder} is damaged; "
                "denoisebench data verify says where, data prepare makes it again"
            )
        return found

    def pixels(self, row: np.void) -> NDArray[np.int16]:
        """Return the (H, W) HU of a row of the index, mapped; nothing is checked."""
        rows, columns = int(row["rows"]), int(row["columns"])
        start = (int(row["offset"]) - layout.SHARD_HEADER) // 2
        values = self._shard(int(row["shard"]))[start : start + rows * columns]
        if len(values) != rows * columns:
            raise UsageError(
                f"{layout.shard_name(row['shard'])} of the prepared data {self.folder} is cut "
                "short; denoisebench data prepare makes it again"
            )
        return values.reshape(rows, columns)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of the index for these slices, without reading a pixel."""
        found: NDArray[Any] = self.table[name]
        return found[self.rows.start : self.rows.stop : self.rows.step]

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


def _shard(folder: Path, number: int) -> NDArray[np.int16]:
    found = layout.read_array(folder / layout.shard_name(number))
    if found.dtype != np.dtype("<i2") or found.ndim != 1:
        raise UsageError(f"{layout.shard_name(number)} of {folder} holds something else than HU")
    return found
