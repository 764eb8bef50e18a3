"""Which public data sets can be fetched by name, and what is known of each.

`registry/datasets/NAME.toml` says what a data set is, `NAME.csv` beside it what it holds: a line a
slice, or a line a series where the archive is asked for whole series.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from denoisebench import tomlfile
from denoisebench.data.fetch import ledger
from denoisebench.data.intake import manifest
from denoisebench.data.split import SPLITS
from denoisebench.errors import UsageError
from denoisebench.home import home, registry_folder

LICENCES = {
    "CC BY 3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
}


class Collection(BaseModel):
    """A collection of the archive that slices come from: its own name, DOI and licence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    doi: str
    licence: Literal["CC BY 3.0", "CC BY 4.0"]


class Known(BaseModel):
    """A public data set.

    Attributes:
        archives: who may be asked, the usual one first: "tcia" has single slices only.
        bytes: of all files together, about.
        split: the rule, in words; the manifest holds its outcome.
        digest, split_digest: as of a `DataSet` of all its slices; None where no digests are known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str
    archives: tuple[Literal["tcia", "idc"], ...]
    patients: int
    slices: int
    bytes: int
    split: str
    collections: tuple[Collection, ...]
    digest: str | None = None
    split_digest: str | None = None


@dataclass(frozen=True)
class Row:
    """A line of a manifest.

    Attributes:
        sop_uid, digest: of the slice; "" where the line is a whole series.
        slices, bytes: of the series; 1 and 0 where the line is a slice.
    """

    collection: str
    patient: str
    series_uid: str
    split: str
    sop_uid: str = ""
    digest: str = ""
    slices: int = 1
    bytes: int = 0


def names() -> tuple[str, ...]:
    """Return the names of the data sets that can be fetched, sorted."""
    return tuple(sorted(path.stem for path in _folder().glob("*.toml")))


def known(name: str) -> Known | None:
    """Return what is known of the data set of that name; None where there is none."""
    return _read(_folder() / f"{name}.toml") if name in names() else None


def rows(name: str) -> tuple[Row, ...]:
    """Return the manifest of a data set, in the order in which patients are taken."""
    with open(_folder() / f"{name}.csv", encoding="utf-8", newline="") as file:
        lines = [
            Row(
                collection=line["collection"],
                patient=line["patient"],
                series_uid=line["series_uid"],
                split=line["split"],
                sop_uid=line.get("sop_uid", ""),
                digest=line.get("pixel_sha256", ""),
                slices=int(line.get("slices", 1)),
                bytes=int(line.get("bytes", 0)),
            )
            for line in csv.DictReader(file)
        ]
    assert {line.split for line in lines} <= set(SPLITS)
    return tuple(lines)


def choose(name: str, patients: int | None = None) -> tuple[Known, tuple[Row, ...]]:
    """Return a data set and the rows of its first patients, or of all of them.

    Raises:
        UsageError: there is no such data set, not so many patients, or it comes whole only.
    """
    facts = known(name)
    if facts is None:
        nearest = (get_close_matches(name, names(), 1) or names())[0]
        every = ", ".join(names())
        raise UsageError(f"no public data set named {name!r}; nearest: {nearest}. All: {every}")
    found = rows(name)
    if patients is None:
        return facts, found
    if found[0].sop_uid:
        raise UsageError(f"{name} is fetched whole; --patients is for sets of whole series")
    order = list(dict.fromkeys(row.patient for row in found))
    if patients > len(order):
        raise UsageError(f"--patients {patients}: {name} has {len(order)} patients")
    chosen = set(order[:patients])
    return facts, tuple(row for row in found if row.patient in chosen)


def citations() -> Path:
    """Return the BibTeX file of all collections."""
    return _folder() / "datasets.bib"


def default_folder(name: str) -> Path:
    """Return where a data set is fetched to unless another folder is named."""
    return home() / "data" / "fetched" / name


def is_fetched(name: str) -> bool:
    """Tell whether all that was asked for of a data set stands in its default folder."""
    return (default_folder(name) / manifest.NAME).is_file()


def fetched_folder(name: str) -> Path:
    """Return the folder of a data set that was fetched, for `open_folder`.

    Raises:
        UsageError: it is not on this machine, or not all of it is.
    """
    folder = default_folder(name)
    if not is_fetched(name):
        part = (folder / ledger.NAME).is_file()
        where = "is on this machine in part only" if part else "is not on this machine"
        raise UsageError(f"{name} {where}; denoisebench data fetch {name}")
    return folder


def recognise(digest: str, split_digest: str) -> str | None:
    """Return the name of the data set with these digests, wherever its files stand."""
    for name in names():
        facts = known(name)
        if facts is not None and (facts.digest, facts.split_digest) == (digest, split_digest):
            return name
    return None


def resemble(digests: Iterable[str]) -> tuple[str, int, int] | None:
    """Return the data set that these slices' HU digests are most of, for a check of a folder.

    Returns:
        Its name, how many of its slices are among them, and how many it has; None where no slice
        of any is.
    """
    here = set(digests)
    counts = []
    for name in names():
        known_digests = {row.digest for row in rows(name) if row.digest}
        counts.append((len(known_digests & here), name, len(known_digests)))
    found, name, total = max(counts)
    return (name, found, total) if found else None


def _folder() -> Path:
    return registry_folder() / "datasets"


@lru_cache
def _read(path: Path) -> Known:
    return tomlfile.read(path, Known)
