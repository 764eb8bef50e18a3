"""The folder a page is written to: ours alone, and without leftovers of an earlier page."""

import json
from pathlib import Path

from denoisebench.errors import UsageError
from denoisebench.scoring.result import write_text

MARK = "page.json"
MADE_BY = "denoisebench publish"
OURS = ("assets/**/*", "runs/**/*", "pictures/**/*", "*.html")
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
        for pattern in OURS:
            for path in sorted(self.root.glob(pattern), reverse=True):
                if path.is_file() and path not in self._written:
                    path.unlink()
                elif path.is_dir() and not any(path.iterdir()):
                    path.rmdir()

    def size(self) -> int:
        """Bytes of all that was written."""
        return sum(path.stat().st_size for path in self._written)


def refuse(root: Path) -> None:
    """Raise UsageError for a folder that holds something else than a page."""
    if root.exists() and not root.is_dir():
        raise UsageError(f"{str(root)!r} is a file; name a folder for the page")
    if not root.is_dir() or not any(root.iterdir()):
        return
    try:
        ours = json.loads((root / MARK).read_text(encoding="utf-8")).get("made_by") == MADE_BY
    except (OSError, ValueError, AttributeError, RecursionError):
        ours = False
    if not ours:
        raise UsageError(
            f"{str(root)!r} is not empty and holds no page of denoisebench; name another folder"
        )
