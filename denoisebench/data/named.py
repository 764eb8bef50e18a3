"""Data sets by name, and folders."""

from collections.abc import Callable
from pathlib import Path

from denoisebench.data.dataset import DataSet, open_folder
from denoisebench.errors import UsageError


def open_data(name: str, *, progress: Callable[[int, int], None] | None = None) -> DataSet:
    """Open `phantom`, or a folder of DICOM.

    Args:
        name: of a data set, or a path.
        progress: called with slices done and slices in all.
    Raises:
        UsageError: there is neither.
    """
    if name == "phantom":
        from denoisebench.data.phantom.data_set import open_phantom

        return open_phantom(progress=progress)
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise UsageError(f"no data set and no folder named {name!r}; use phantom, or --data DIR")
    return open_folder(folder, progress=progress)
