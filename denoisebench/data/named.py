"""Data sets by name, and folders."""

from collections.abc import Callable
from pathlib import Path

from denoisebench.data.dataset import DataSet
from denoisebench.errors import UsageError


def open_data(name: str, *, progress: Callable[[int, int], None] | None = None) -> DataSet:
    """Open data by name or by place.

    Args:
        name: `phantom`; a public data set that was fetched; prepared data as `data list` prints
            them; a folder of CT, prepared or not.
        progress: called with slices done and slices in all.
    Raises:
        UsageError: there is no such data.
    """
    if name == "phantom":
        from denoisebench.data.phantom.data_set import open_phantom

        return open_phantom(progress=progress)
    from denoisebench.data.fetch.known import fetched_folder, names
    from denoisebench.data.store import layout
    from denoisebench.data.store.opened import open_prepared
    from denoisebench.data.store.prepare import find_prepared, open_folder

    folder = Path(name).expanduser()
    if not folder.is_dir():
        prepared = find_prepared(name)
        if prepared is not None:
            folder = prepared
        elif name in names():
            folder = fetched_folder(name)
        else:
            known = ", ".join(["phantom", *names()])
            raise UsageError(f"no data set and no folder named {name!r}; use {known}, or a folder")
    if layout.is_prepared(folder):
        return open_prepared(folder)
    return open_folder(folder, progress=progress)
