"""Data sets by name, and folders."""

import re
from collections.abc import Callable
from pathlib import Path

from denoisebench.data.dataset import DataSet
from denoisebench.errors import UsageError

PHANTOM = re.compile(
    r"phantom(-(?P<patients>[1-9]\d{0,3})x(?P<slices>[1-9]\d{0,2})x(?P<size>[1-9]\d{1,3}))?"
)
"""`phantom`, or as boards call one of other sizes: patients × slices × side, `phantom-16x2x128`."""


def open_data(
    name: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    waiting: Callable[[str], None] | None = None,
) -> DataSet:
    """Open data by name or by place.

    Args:
        name: `phantom`, or `phantom-16x2x128` for 16 patients with two slices of 128²; a public
            data set that was fetched; prepared data as `data list` prints them; a folder of CT,
            prepared or not.
        progress: called with slices done and slices in all.
        waiting: told which process prepares the same, while this one waits for it.
    Raises:
        UsageError: there is no such data.
    """
    if sizes := PHANTOM.fullmatch(name):
        from denoisebench.data.phantom.data_set import open_phantom

        named = {key: int(value) for key, value in sizes.groupdict().items() if value}
        return open_phantom(**named, progress=progress)
    from denoisebench.data.store import layout
    from denoisebench.data.store.opened import open_prepared
    from denoisebench.data.store.prepare import open_folder

    folder = folder_of(name)
    if layout.is_prepared(folder):
        return open_prepared(folder)
    return open_folder(folder, progress=progress, waiting=waiting)


def folder_of(name: str) -> Path:
    """Return the folder of data that are named: itself, as fetched, or as prepared in the cache.

    Raises:
        UsageError: there is none.
    """
    from denoisebench.data.fetch import known
    from denoisebench.data.store.cache import find_prepared

    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    public = name in known.names()
    if public and known.is_fetched(name):
        return known.default_folder(name)
    prepared = find_prepared(name)
    if prepared is not None:
        return prepared
    if public:
        return known.fetched_folder(name)  # says what is missing
    names = ", ".join(["phantom", *known.names()])
    raise UsageError(f"no data set and no folder named {name!r}; use {names}, or a folder")
