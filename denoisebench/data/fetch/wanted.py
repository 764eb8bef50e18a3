"""A file to fetch: where it is, where it goes, and how it will be known."""

from collections.abc import Callable
from dataclasses import dataclass

from denoisebench.data.fetch.known import Row


@dataclass(frozen=True)
class Wanted:
    """A file to fetch.

    Attributes:
        path: where it will stand, relative to the data set's folder.
        digest: of its HU, "" where the manifest does not know it.
        size, md5: of its bytes, 0 and "" where the archive does not say.
    """

    path: str
    url: str
    patient: str
    series_uid: str
    digest: str = ""
    size: int = 0
    md5: str = ""


Files = Callable[[Row], list[Wanted]]
"""Says which files a row of a manifest stands for; may ask the archive, and raise as it does."""


def place(row: Row) -> str:
    """Return where a row's slice or series stands in the folder: collection, patient, series."""
    parts = [row.collection.replace(" ", "-"), row.patient, row.series_uid]
    return "/".join([*parts, f"{row.sop_uid}.dcm"] if row.sop_uid else parts)
