"""Twenty copies of slices as leaks hide: other names, other encodings, pixels all but the same.

`plant` writes them as DICOM, each of a patient of its own. Slices must have 128 pixels a side or
more, since a copy at half the matrix is among them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from openjpeg.utils import decode, encode_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from denoisebench.data.intake.dicom import read

HU = NDArray[np.int16]


def as_it_is(hu: HU) -> HU:
    return hu


def shifted(by: int) -> Callable[[HU], HU]:
    return lambda hu: hu + np.int16(by)


def jittered(hu: HU) -> HU:
    """Add -1, 0 or 1 HU to each pixel."""
    return hu + np.random.default_rng(1).integers(-1, 2, hu.shape, dtype=np.int16)


def padded(value: int) -> Callable[[HU], HU]:
    """Give air outside the inscribed circle the value that some scanner pads with."""

    def pad(hu: HU) -> HU:
        y, x = (np.linspace(-1, 1, side) for side in hu.shape)
        outside = (np.hypot(y[:, None], x) > 1) & (hu <= -900)
        return np.where(outside, np.int16(value), hu)

    return pad


def annotated(hu: HU) -> HU:
    """Burn lines of text, 9 by 30 in a hundred, into the upper left corner."""
    hu, (tall, wide) = hu.copy(), (round(0.09 * hu.shape[0]), round(0.3 * hu.shape[1]))
    text = np.random.default_rng(2).random((tall, wide)) < 0.3
    hu[2 : 2 + tall, 2 : 2 + wide][text] = 1000
    return hu


def halved(hu: HU) -> HU:
    tall, wide = (side // 2 for side in hu.shape)
    blocks = hu[: 2 * tall, : 2 * wide].reshape(tall, 2, wide, 2)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.int16)


def lossy(hu: HU) -> HU:
    """Compress 10:1 by JPEG 2000, and decompress."""
    stored = (np.clip(hu, -1024, 3071) + 1024).astype(np.uint16)
    stream = encode_array(
        stored, bits_stored=12, photometric_interpretation=2, compression_ratios=[10]
    )
    assert stored.nbytes > 10 * len(stream)
    return (decode(stream).astype(np.int32) - 1024).astype(np.int16)


def both(first: Callable[[HU], HU], second: Callable[[HU], HU]) -> Callable[[HU], HU]:
    return lambda hu: second(first(hu))


@dataclass(frozen=True)
class Leak:
    """How a copy differs from its original: in pixels, in encoding, in rescale."""

    name: str
    alter: Callable[[HU], HU] = as_it_is
    syntax: str = ExplicitVRLittleEndian
    slope: float = 1.0
    intercept: float = -8192.0


LEAKS = (
    Leak("renamed"),
    Leak("implicit VR", syntax=ImplicitVRLittleEndian),
    Leak("big endian", syntax=ExplicitVRBigEndian),
    Leak("deflated", syntax=DeflatedExplicitVRLittleEndian),
    Leak("RLE", syntax=RLELossless),
    Leak("JPEG 2000", syntax=JPEG2000Lossless),
    Leak("JPEG-LS", syntax=JPEGLSLossless),
    Leak("JPEG lossless", syntax=JPEGLosslessSV1),
    Leak("1 HU up", shifted(1)),
    Leak("1 HU down, RLE", shifted(-1), RLELossless),
    Leak("± 1 HU a pixel", jittered),
    Leak("padded by -2000 HU", padded(-2000)),
    Leak("padded by -3024 HU, 1 HU up", both(padded(-3024), shifted(1)), JPEG2000Lossless),
    Leak("slope 2", slope=2.0),
    Leak("JPEG 2000 at 10:1", lossy),
    Leak("mirrored", np.fliplr),
    Leak("a quarter turn", np.rot90, JPEGLSLossless),
    Leak("cropped by a pixel", lambda hu: hu[1:-1, 1:-1]),
    Leak("annotated, ± 1 HU a pixel", both(annotated, jittered)),
    Leak("half the matrix", halved),
)


@dataclass(frozen=True)
class Planted:
    """A leak, the file it copies, the copy, and the patient the copy says it is of."""

    name: str
    original: Path
    copy: Path
    patient: str


def plant(originals: Sequence[Path], folder: Path, made: ModuleType) -> list[Planted]:
    """Write a copy of every kind into `folder`, each of another of the originals.

    Args:
        originals: 20 files or more, one slice each; the first 20 at equal distances are copied.
        folder: for the copies; may hold the originals.
        made: the fixture, which writes DICOM.
    """
    assert len(originals) >= len(LEAKS)
    planted = []
    for number, leak in enumerate(LEAKS):
        original = originals[number * len(originals) // len(LEAKS)]
        (raw,) = read(original)
        hu = leak.alter(raw.hu)
        patient = f"Leak {number:02}"
        path = made.write(
            folder / f"leak-{number:02}.dcm",
            np.rint((hu - leak.intercept) / leak.slope).astype(np.int64),
            leak.syntax,
            PatientID=patient,
            SeriesInstanceUID=generate_uid(),
            SOPInstanceUID=generate_uid(),
            ImagePositionPatient=[0, 0, -7.5 * number],
            RescaleSlope=leak.slope,
            RescaleIntercept=leak.intercept,
            RescaleType="HU",  # GDCM would write "unspecified"
        )
        planted.append(Planted(leak.name, original, path, patient))
    return planted
