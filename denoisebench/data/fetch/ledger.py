"""digests.csv: which files stand in a fetched folder and were checked, a line a file.

A line is written after its file was read, compared and put into place; so a file of the size that
its line says needs no second reading. A line that a killed process left half is dropped, and its
file read again.
"""

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from denoisebench.atomic import write_text

NAME = "digests.csv"


@dataclass(frozen=True)
class Entry:
    """A file that stands in the folder.

    Attributes:
        path: relative to the folder, parts joined by "/".
        bytes: of the file.
        pixel_sha256: of its HU; "" where it holds none.
        set_aside: why no slice of it is used; "" where it is.
    """

    path: str
    bytes: int
    pixel_sha256: str
    set_aside: str


HEADER = tuple(field.name for field in fields(Entry))


class Ledger:
    """The entries of a folder by path; what is added is on disk when `add` returns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        self.inside: dict[str, set[str]] = defaultdict(set)
        self.path = folder / NAME
        if self.path.is_file():
            whole = self.path.read_text(encoding="utf-8", errors="replace").rpartition("\n")[0]
            for cells in csv.reader(io.StringIO(whole)):
                if len(cells) == len(HEADER) and cells[1].isdecimal():
                    self._take(Entry(cells[0], int(cells[1]), cells[2], cells[3]))
            self._rewrite()

    def stands(self, path: str) -> bool:
        """Whether the file is in place with the size that it was checked with."""
        entry = self.entries.get(path)
        try:
            return entry is not None and os.stat(self.folder / path).st_size == entry.bytes
        except OSError:
            return False

    def standing(self, place: str) -> list[Entry]:
        """Return the entries that stand at a place: a file, or a folder's files, by their paths."""
        paths = [place] if place in self.entries else sorted(self.inside[place])
        return [self.entries[path] for path in paths if self.stands(path)]

    def add(self, entries: Iterable[Entry]) -> None:
        """Add files that are in place."""
        found = list(entries)
        for entry in found:
            self._take(entry)
        if not self.path.exists():
            self._rewrite()
            return
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(astuple(entry) for entry in found)
            file.flush()
            os.fsync(file.fileno())

    def _take(self, entry: Entry) -> None:
        self.entries[entry.path] = entry
        self.inside[entry.path.rpartition("/")[0]].add(entry.path)

    def _rewrite(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(astuple(entry) for entry in self.entries.values())
        write_text(self.path, text.getvalue())
