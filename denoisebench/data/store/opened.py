"""A prepared folder becomes a data set."""

from collections.abc import Sequence
from pathlib import Path

from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import SetAside
from denoisebench.data.split import SPLITS
from denoisebench.data.store import layout
from denoisebench.data.store.layout import INDEX, INDEX_FILE, Prepared
from denoisebench.data.store.mapped import Mapped
from denoisebench.errors import UsageError


def open_prepared(folder: Path, paths: Sequence[str] = ()) -> DataSet:
    """Open prepared data: no pixel is read, however many there are.

    Args:
        folder: holds `prepared.json`.
        paths: of the source's files, for naming those set aside; without, they have numbers.

    Raises:
        UsageError: damaged, or of another version.
    """
    record = layout.read_record(folder)
    slices = {name: mapped_slices(folder, record, name) for name in SPLITS}
    return DataSet(
        record.name,
        **slices,
        notes=record.notes,
        set_aside=named(record, paths),
        digests=(record.digest, record.split_digest),
    )


def mapped_slices(folder: Path, record: Prepared, split: str) -> Mapped:
    """Return the slices of a split; see `open_prepared`."""
    index = layout.read_array(folder / INDEX_FILE)
    if index.dtype != INDEX or index.shape != (sum(record.slices),):
        raise UsageError(
            f"{INDEX_FILE} of {folder} does not fit its {layout.RECORD}; "
            "denoisebench data prepare makes both again"
        )
    return Mapped(folder, layout.split_rows(record, split), index, checked=split != "train")


def named(record: Prepared, paths: Sequence[str]) -> tuple[SetAside, ...]:
    """Return what was set aside, files by their paths."""

    def place(file: int, frame: int) -> str:
        path = paths[file] if file < len(paths) else f"file {file + 1}"
        return path + (f" frame {frame}" if frame > 1 else "")

    found = [
        SetAside(
            place(aside.file, aside.frame),
            aside.reason + (f" {place(*aside.other)}" if aside.other else ""),
        )
        for aside in record.aside
    ]
    return tuple(found)
