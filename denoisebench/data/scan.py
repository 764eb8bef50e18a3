"""A slice of CT in HU, and what was set aside on the way in."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


def digest_of(hu: NDArray[np.int16]) -> str:
    """Return the SHA-256 of HU as little-endian int16 in C order, in hex."""
    return hashlib.sha256(np.ascontiguousarray(hu, dtype="<i2").data).hexdigest()


@dataclass(frozen=True, eq=False)
class Slice:
    """One axial slice.

    Attributes:
        hu: (H, W) int16, Hounsfield units.
        patient: who it is of, as the data set names them (a pseudonym outside the reader).
        series: which scan of that patient.
        position_mm: along the patient, where known.
        spacing_mm: between rows and between columns; (nan, nan) where unknown.
    """

    hu: NDArray[np.int16]
    patient: str
    series: str
    position_mm: float | None = None
    spacing_mm: tuple[float, float] = (float("nan"), float("nan"))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the HU as little-endian int16 in C order, in hex."""
        return digest_of(self.hu)


@dataclass(frozen=True)
class SetAside:
    """A file that was not used: its path inside the folder that was given, and why."""

    path: str
    reason: str
