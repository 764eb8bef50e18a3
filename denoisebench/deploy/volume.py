"""Denoise a NIfTI volume, plane by axial plane; what stands before its voxels stays as it is."""

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from denoisebench import atomic
from denoisebench.data.intake import nifti
from denoisebench.data.intake.header import DENOISED
from denoisebench.data.intake.nifti import NotCT, StoredVolume
from denoisebench.deploy.denoise import Change, make_place, refuse_taken
from denoisebench.deploy.method import NOT_FOR_DIAGNOSIS, Method
from denoisebench.errors import UsageError

ENDINGS = (".nii", ".nii.gz")
DESCRIPTION = {348: 148, 540: 240}  # where 80 bytes of text stand, by the size of the header
DESCRIPTION_BYTES = 80


@dataclass(frozen=True, eq=False)
class Plane:
    """An axial plane of a volume; see `method.HasHU`.

    Attributes:
        stored: (H, W), a view of the volume's voxels.
        becomes: a view of the same place of what will be written.
    """

    stored: NDArray[Any] = field(repr=False)
    becomes: NDArray[Any] = field(repr=False)
    slope: float
    intercept: float

    @cached_property
    def padding(self) -> NDArray[np.bool_]:
        """(H, W), where nothing was measured: no number."""
        return np.asarray(~np.isfinite(self.stored))

    @cached_property
    def hu(self) -> NDArray[np.float64]:
        """(H, W) HU, 0 where nothing was measured."""
        known = np.where(self.padding, 0, self.stored).astype(np.float64)
        return np.where(self.padding, 0.0, known * self.slope + self.intercept)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the HU, in hex."""
        return hashlib.sha256(self.hu.tobytes()).hexdigest()

    def put(self, hu: NDArray[np.float64]) -> None:
        """Store (H, W) HU at its place; what is as it was, to the last digit."""
        changed = (hu != self.hu) & ~self.padding
        values = (hu - self.intercept) / self.slope
        if self.stored.dtype.kind in "iu":
            ends = np.iinfo(self.stored.dtype)
            values = np.rint(values).clip(ends.min, ends.max)
        self.becomes[changed] = values[changed].astype(self.stored.dtype)


def is_volume(path: Path) -> bool:
    """Tell a NIfTI file by its name."""
    return path.name.lower().endswith(ENDINGS)


def read_volume(path: Path) -> tuple[StoredVolume, list[str]]:
    """Read a volume, and what is wrong with it for CT in HU.

    Raises:
        UsageError: it holds no volume whose scale and orientation are known.
    """
    objections: list[str] = []
    try:
        return nifti.read_stored(path, objections.append), objections
    except NotCT as problem:
        raise UsageError(f"{path.name}: {problem.reason}") from None


def planes(volume: StoredVolume, becomes: NDArray[Any] | None = None) -> list[Plane]:
    """Return axial planes.

    Args:
        volume: that is read.
        becomes: voxels to be written, a copy of the volume's; None where nothing will be.
    """
    pairs = zip(
        volume.planes(volume.voxels),
        volume.planes(volume.voxels if becomes is None else becomes),
        strict=True,
    )
    return [Plane(one, other, volume.slope, volume.intercept) for one, other in pairs]


def denoise_volume(
    volume: StoredVolume, method: Method, output: Path, advance: Callable[[], None] = lambda: None
) -> Change:
    """Denoise a volume into a file of its own kind: same header, same type, same order.

    Args:
        volume: see `read_volume`.
        method: what denoises.
        output: .nii or .nii.gz; not there.
        advance: called after each plane.
    Raises:
        UsageError: something is there already.
        Unavailable: it cannot be written, or memory does not suffice.
    """
    refuse_taken(output)
    make_place(output)
    voxels, change = volume.voxels.copy(order="F"), Change()
    for result in method.denoised(planes(volume, voxels)):
        plane = result.source
        plane.put(result.hu)
        measured = ~plane.padding
        written = Plane(plane.becomes, plane.becomes, plane.slope, plane.intercept)
        change.add(plane.hu[measured], written.hu[measured])
        advance()
    content = _described(volume.head) + voxels.tobytes(order="F")
    with atomic.replacing(output) as file:
        # mtime 0: the same volume gives the same bytes
        packed = output.suffix.lower() == ".gz"
        file.write(gzip.compress(content, 6, mtime=0) if packed else content)
    return change


def _described(head: bytes) -> bytes:
    """Say in the header what it is now."""
    size = int.from_bytes(head[:4], "little")
    start = DESCRIPTION[size if size in DESCRIPTION else int.from_bytes(head[:4], "big")]
    text = f"{DENOISED}; {NOT_FOR_DIAGNOSIS.lower()}".encode()
    return head[:start] + text.ljust(DESCRIPTION_BYTES, b"\0") + head[start + DESCRIPTION_BYTES :]
