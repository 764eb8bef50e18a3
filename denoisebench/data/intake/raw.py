"""A slice in HU as its file gives it, whatever the format; or the reason why there is none."""

import logging
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class NotCT(Exception):
    """The file is no CT slice with known HU; `reason` says why, without a word of the patient."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Raw:
    """One slice as its file gives it; who and which are the file's own and stay in this process.

    Attributes:
        hu: (H, W) int16, Hounsfield units; padding as the file rescales it (often -3024), or
            -32768 where that is no int16.
        patient_id: PatientID, "" where missing.
        series_uid, sop_uid: "" where missing.
        frame: which frame of the file, from 1.
        position_mm: along the normal of the slice, growing towards the head.
        spacing_mm: between rows and between columns; (nan, nan) where unknown.
        thickness_mm: 0 where unknown.
        digest: SHA-256 of the HU as little-endian int16 in C order, in hex.
    """

    hu: NDArray[np.int16] = field(repr=False)
    patient_id: str = field(repr=False)
    series_uid: str = field(repr=False)
    sop_uid: str = field(repr=False)
    frame: int
    position_mm: float | None
    spacing_mm: tuple[float, float]
    thickness_mm: float
    digest: str


def check_range(low: float, high: float) -> None:
    """Refuse a slice whose least and greatest HU say that it shows no body in air.

    Raises:
        NotCT: with the two values.
    """
    if low == high:
        raise NotCT(f"blank: every pixel is {low:.0f} HU")
    if low >= 0:
        raise NotCT(f"values that cannot be HU: none below 0 ({low:.0f} to {high:.0f})")


def regular_size(path: Path) -> int:
    """Return a file's bytes.

    Raises:
        NotCT: it is a folder or a pipe, or empty.
        OSError: it is not there, or must not be looked at.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise NotCT("not a regular file")  # opening a pipe would wait for ever
    if status.st_size == 0:
        raise NotCT("zero bytes")
    return status.st_size


@contextmanager
def refusing(kind: str, logger_name: str) -> Iterator[None]:
    """Turn whatever a parser raises into NotCT, and swallow what it warns and logs.

    Args:
        kind: what the file claims to be, for the reason.
        logger_name: of the parser's library.
    """
    logger = logging.getLogger(logger_name)
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except NotCT:
        raise
    except Exception as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise NotCT(f"cannot be read: {os.strerror(problem.errno)}") from None
        # Parsers of hostile bytes raise anything; their messages may quote the file.
        raise NotCT(f"damaged {kind} ({type(problem).__name__})") from None
    finally:
        logger.disabled = before
