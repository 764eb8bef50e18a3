"""Read files that anybody may have written: regular files, of bounded size, and never code.

What a parser builds can be a hundred times as large as its text, or take hours; so the text is
bounded before a parser sees it. What is refused is a `UsageError` of one line.
"""

import io
import json
import os
import stat
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from denoisebench.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

JSON_AT_MOST = 2 << 20
"""Bytes of a JSON file; the largest that a run leaves, physics.json, has some 20,000."""
HEADER_AT_MOST = 4 << 20
"""Bytes of the header of safetensors; a network of 2,000 tensors has some 200,000."""
ZIP_READ_AT_MOST = 4 << 20
"""Bytes that are read from a zip at once: so many its list of contents may have."""


def read_text(path: Path, at_most: int) -> str:
    """Return a file's text, UTF-8.

    Raises:
        UsageError: it is not there, no regular file, larger than `at_most` bytes, or not UTF-8.
    """
    try:
        refuse_large(path, at_most)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {os.strerror(error.errno or 5)}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {path}: it is not UTF-8") from None


def refuse_large(path: Path, at_most: int) -> None:
    """Raise UsageError where there is no regular file of at most so many bytes.

    Raises:
        OSError: it is not there, or must not be looked at.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device would never end
        raise UsageError(f"cannot read {path}: it is not a regular file")
    if status.st_size > at_most:
        raise UsageError(f"cannot read {path}: it has more than {at_most:,} bytes")


def read_json(path: Path, at_most: int = JSON_AT_MOST) -> Any:
    """Return what a JSON file holds.

    Raises:
        UsageError: as `read_text`; or it is no JSON, nested too deeply, or has an endless number.
    """
    text = read_text(path, at_most)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: integers of 4,300 digits, too
        raise UsageError(f"cannot read {path}: {type(error).__name__}") from None


def read_tensors(path: Path) -> "dict[str, Tensor]":
    """Return what a safetensors file holds, on the CPU.

    Raises:
        UsageError: it is not there, or holds no safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        refuse_header(path)
        return load_file(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {os.strerror(error.errno or 5)}") from None
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{path} holds no safetensors: {reason:.120}") from None


def refuse_header(path: Path) -> None:
    """Raise UsageError for a file that cannot be safetensors, before its header is parsed.

    Raises:
        OSError: it is not there.
    """
    refuse_large(path, 1 << 62)
    with path.open("rb") as file:
        head = file.read(8)
    length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
    if not 2 <= length <= min(HEADER_AT_MOST, path.stat().st_size):
        raise UsageError(f"{path} holds no safetensors: its header would have {length:,} bytes")


class ZipSource(io.FileIO):
    """A file for `zipfile`, which would read a list of contents of any length at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as `FileIO` does; BadZipFile where that is more than a zip of ours needs."""
        left = os.fstat(self.fileno()).st_size - self.tell()
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > ZIP_READ_AT_MOST:
            raise zipfile.BadZipFile("its list of contents is too long")
        return super().read(size) or b""


def refuse_bomb(path: Path, described: str, at_most: int) -> None:
    """Raise ValueError for a zip that says that it holds more bytes than it has.

    Args:
        path: of a zip as torch writes it, without compression.
        described: the end of the name of the file in it that says what the others are.
        at_most: bytes of that file.
    Raises:
        BadZipFile: it is no zip.
        OSError: it is not there.
    """
    with ZipSource(path) as file, zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("its contents are compressed")
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise ValueError("its contents would have more bytes than it has")
    if sum(e.file_size for e in entries if e.filename.endswith(described)) > at_most:
        raise ValueError(f"its {described} has more than {at_most:,} bytes")
