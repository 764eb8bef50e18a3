"""The folder a page is written to: ours alone, and without leftovers of an earlier page."""

import json
from pathlib import Path

from denoisebench.atomic import write_text
from denoisebench.bounded import read_json
from denoisebench.errors import UsageError

MARK = "page.json"
MADE_BY = "denoisebench publish"
OURS = ("*.html", "assets", "assets/**/*", "runs", "runs/**/*", "pictures", "pictures/**/*")
"""What a page may hold; files of these names that a rendering did not write are removed."""


class Output:
    """Write the files of a page.

    Attributes:
        root: the page's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._written: set[Path] = set()

    def open(self) -> None:
        """Take the folder; see `refuse`."""
        refuse(self.root)
        self.write(MARK, json.dumps({"made_by": MADE_BY}) + "\n")

    def write(self, name: str, text: str) -> None:
        """Write a file, its name relative to the page; letters that UTF-8 lacks become "?"."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text.encode("utf-8", "replace").decode())
        self._written.add(path)

    def finish(self) -> None:
        """Remove what an earlier page left: no picture outlives the page it was made for."""
        found = {path for pattern in OURS for path in self.root.glob(pattern)}
        for path in sorted(found - self._written, reverse=True):  # what is in a folder before it
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            else:
                path.unlink()


def refuse(root: Path) -> None:
    """Raise UsageError for a folder that holds something else than a page."""
    if root.exists() and not root.is_dir():
        raise UsageError(f"{str(root)!r} is a file; name a folder for the page")
    if not root.is_dir() or not any(root.iterdir()):
        return
    try:
        ours = read_json(root / MARK).get("made_by") == MADE_BY
    except (UsageError, AttributeError):
        ours = False
    if not ours:
        raise UsageError(
            f"{str(root)!r} is not empty and holds no page of denoisebench; name another folder"
        )
