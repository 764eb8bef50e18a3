"""Where prepared data stand in the cache, and which there are."""

import contextlib
import hashlib
import os
from pathlib import Path

from denoisebench.data.store import layout
from denoisebench.errors import UsageError
from denoisebench.home import home

UNFINISHED, OLD = ".unfinished", ".old"  # after the name: on its way in, and out


def cached(folder: Path) -> Path:
    """Return where a folder is prepared that was given no place of its own."""
    return prepared_home() / hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]


def prepared_home() -> Path:
    """Return the folder of all prepared data in the cache."""
    return home() / "data" / "prepared"


def find_prepared(name: str) -> Path | None:
    """Return the prepared data in the cache that boards call by this name, if there is any.

    Raises:
        UsageError: there are several, of the same pixels in other splits.
    """
    found: dict[str, Path] = {}
    for place in in_cache():
        with contextlib.suppress(UsageError):
            record = layout.read_record(place)
            if record.name == name:
                found.setdefault(record.split_digest, place)
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} prepared data are called {name!r}, the same pixels in other splits; "
            "give --data the folder that it was prepared from"
        )
    return next(iter(found.values()), None)


def in_cache() -> list[Path]:
    """Return the folders of prepared data in the cache: none that is on its way in or out."""
    there = sorted(prepared_home().glob("*"))
    return [
        place for place in there
        if place.suffix not in (UNFINISHED, OLD) and layout.is_prepared(place)
    ]  # fmt: skip


def unfinished() -> list[Path]:
    """Return the folders in the cache at which a preparation is at work, or was stopped."""
    return sorted(prepared_home().glob(f"*{UNFINISHED}"))
