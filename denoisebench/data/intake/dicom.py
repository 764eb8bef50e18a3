"""One DICOM file in, slices in HU out, or the reason why not.

HU are never guessed. A file that is damaged, hostile or of another kind raises `NotCT`, whose
reason holds nothing of the file's own text; warnings of pydicom and of decoders are swallowed.
What cannot be told: flipped bits inside a lossless codestream that still decodes (the digests of a
manifest tell), and cone-beam CT whose header does not say so.
"""

import hashlib
import logging
import os
import stat
import struct
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from denoisebench.data.intake.header import LOSSLESS, Frame, NotCT, judge, number, value, whole

__all__ = ["NotCT", "Raw", "read"]

INFLATED_AT_MOST = 1 << 30  # bytes of a deflated file
INFLATED_FREELY = 32 << 20  # bytes; above, no file is MOST_INFLATION times smaller
MOST_INFLATION = 50  # CT has 2 to 10; zeros have 1,000, and cost three times what they inflate to
# Decoders by preference; GDCM, the only one for JPEG lossless, comes last elsewhere.
DECODERS = ("pylibjpeg", "pyjpegls", "pydicom", "gdcm")
HEADER_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Modality", "ImageType", "PatientID",
    "Manufacturer", "ManufacturerModelName", "SeriesDescription", "SliceThickness",
    "ImagePositionPatient", "ImageOrientationPatient", "ImagePosition", "ImageOrientation",
    "SliceLocation", "Location", "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames",
    "Rows", "Columns", "PixelSpacing", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PlanarConfiguration", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "LossyImageCompression",
    "ModalityLUTSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
]  # fmt: skip


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


def read(path: Path) -> list[Raw]:
    """Read a file's slices in HU.

    Raises:
        NotCT: it holds no CT with known HU, or cannot be read.
    """
    with _silence():
        try:
            size = _regular_size(path)
            with open(path, "rb") as file:
                return _read(path, file, size)
        except NotCT:
            raise
        except Exception as problem:
            if isinstance(problem, OSError) and problem.errno is not None:
                raise NotCT(f"cannot be read: {os.strerror(problem.errno)}") from None
            # Parsers of hostile bytes raise anything; their messages may quote the file.
            raise NotCT(f"damaged DICOM ({type(problem).__name__})") from None


@contextmanager
def _silence() -> Iterator[None]:
    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _regular_size(path: Path) -> int:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise NotCT("not a regular file")  # opening a pipe would wait for ever
    if status.st_size == 0:
        raise NotCT("zero bytes")
    return status.st_size


def _read(path: Path, file: BinaryIO, size: int) -> list[Raw]:
    start = file.read(132)
    with_preamble = start[128:] == b"DICM"
    if not with_preamble and not _plausible(start, size):
        raise NotCT("not DICOM")
    if with_preamble:
        size = _inflated_size(path, file, size)
    file.seek(0)
    header = dcmread(file, force=True, stop_before_pixels=True, specific_tags=[*HEADER_TAGS])
    if not with_preamble and value(header, "Modality") is None:
        raise NotCT("not DICOM")
    syntax = _syntax(header)
    frames = judge(header, syntax, size)
    file.seek(0)
    dataset = dcmread(file, force=True, specific_tags=[*HEADER_TAGS, "PixelData"])
    if "PixelData" not in dataset:
        raise NotCT("no pixels, or truncated before them")
    # a file without a preamble may lack its file meta, which the decoder asks
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    _check_pixels(dataset, syntax, len(frames))
    return [_slice(dataset, syntax, index, frame) for index, frame in enumerate(frames)]


def _plausible(start: bytes, size: int) -> bool:
    """Tell whether bytes without a preamble look like the first element of a data set."""
    if len(start) < 16:
        return False
    for order in "<>":
        group, element, length = struct.unpack(f"{order}HHL", start[:8])
        explicit = start[4:6].isalpha() and start[4:6].isupper()
        if group in (0x0002, 0x0008) and element <= 0x0070 and (explicit or length < size):
            return True
    return False


def _inflated_size(path: Path, file: BinaryIO, size: int) -> int:
    """Return the size of the data set once inflated, bounded, before anything inflates it."""
    meta = read_file_meta_info(path)
    if value(meta, "TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return size
    length = whole(meta, "FileMetaInformationGroupLength")
    if length is None:
        raise NotCT("damaged DICOM: file meta without its length")
    file.seek(128 + 4 + 12 + length)
    inflate, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    data = file.read(1 << 20)
    while data and not inflate.eof:
        total += len(inflate.decompress(data, 1 << 24))
        if total > INFLATED_AT_MOST:
            raise NotCT(f"inflates to more than {INFLATED_AT_MOST >> 30} GiB")
        if total > max(INFLATED_FREELY, MOST_INFLATION * size):
            raise NotCT(f"inflates to more than {MOST_INFLATION} times its size")
        data = inflate.unconsumed_tail or file.read(1 << 20)
    return total


def _syntax(header: Dataset) -> str:
    stated = value(header.file_meta, "TransferSyntaxUID")
    if stated is not None:
        return str(stated)
    implicit, little = header.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _check_pixels(dataset: Dataset, syntax: str, frames: int) -> None:
    """Refuse pixels that are cut short, or whose own header claims another size."""
    data = dataset.PixelData
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if LOSSLESS[syntax] in ("uncompressed", "deflated"):
        needed = frames * rows * columns * 2
        if len(data) < needed:
            raise NotCT(f"truncated: {len(data)} of {needed} bytes of pixels")
        return
    if LOSSLESS[syntax] == "RLE":
        return  # pydicom checks each segment's length
    found = 0
    for stream in generate_frames(data, number_of_frames=frames):
        found += 1
        if _stream_size(stream) != (rows, columns, 1):
            raise NotCT("damaged: its codestream and its header differ in size")
        if not stream.rstrip(b"\0").endswith(b"\xff\xd9"):
            raise NotCT("truncated: its codestream has no end")
    if found < frames:
        raise NotCT(f"truncated: {found} of {frames} frames")


def _stream_size(stream: bytes) -> tuple[int, int, int] | None:
    """Return rows, columns and components as a JPEG or JPEG 2000 codestream claims them."""
    if stream[:4] == b"\xff\x4f\xff\x51" and len(stream) > 42:
        right, bottom, left, top = struct.unpack(">4L", stream[8:24])
        return bottom - top, right - left, int.from_bytes(stream[40:42], "big")
    if stream[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 < len(stream) and stream[place] == 0xFF:
        marker, length = stream[place + 1], int.from_bytes(stream[place + 2 : place + 4], "big")
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns, components = struct.unpack(">HHB", stream[place + 5 : place + 10])
            return rows, columns, components
        place += 2 + length
    return None


def _slice(dataset: Dataset, syntax: str, index: int, frame: Frame) -> Raw:
    hu = _hu(dataset, _stored(dataset, syntax, index), frame)
    return Raw(
        hu=hu,
        patient_id=str(value(dataset, "PatientID") or "").strip(" \0"),
        series_uid=str(value(dataset, "SeriesInstanceUID") or ""),
        sop_uid=str(value(dataset, "SOPInstanceUID") or ""),
        frame=index + 1,
        position_mm=frame.position_mm,
        spacing_mm=frame.spacing_mm,
        thickness_mm=frame.thickness_mm,
        digest=hashlib.sha256(np.ascontiguousarray(hu, dtype="<i2").tobytes()).hexdigest(),
    )


def _stored(dataset: Dataset, syntax: str, index: int) -> NDArray[np.int32]:
    """Decode one frame: (H, W) stored values, sign and unused bits put right."""
    decoder = get_decoder(syntax)
    plugin = ""
    if decoder.is_encapsulated:
        able = decoder.available_plugins
        plugin = next((name for name in DECODERS if name in able), "")
        if not plugin:
            raise NotCT(f"no decoder for {LOSSLESS[syntax]}: pip install python-gdcm pylibjpeg")
    if value(dataset, "SamplesPerPixel") is None:  # ACR-NEMA had only grey
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    with _listening(plugin == "gdcm") as complaints:
        try:
            pixels, _ = decoder.as_array(
                dataset,
                index=index,
                raw=True,
                decoding_plugin=plugin,
                correct_unused_bits=False,  # type: ignore[arg-type]  # an option of pydicom's
            )
        except Exception as problem:
            kind = type(problem).__name__
            raise NotCT(f"pixels cannot be decoded ({LOSSLESS[syntax]}, {kind})") from None
    if complaints:
        raise NotCT(f"pixels cannot be decoded ({LOSSLESS[syntax]}, damaged codestream)")
    if pixels.shape != (int(dataset.Rows), int(dataset.Columns)):
        raise NotCT("damaged: decoded to another size than the header's")
    stored = pixels.astype(np.int32)
    unused = 32 - int(dataset.BitsStored)
    if dataset.PixelRepresentation == 1:
        used = (stored << unused) >> unused
    else:
        used = stored & ((1 << int(dataset.BitsStored)) - 1)
    # Overlays may live in unused bits; but padding (63536, say) may need all of them.
    padding = _padding(dataset, stored)
    return np.where(padding, stored, used)


@contextmanager
def _listening(attentive: bool) -> Iterator[list[bytes]]:
    """Collect what libjpeg prints: it calls damage a warning and returns wrong pixels all the same.

    Lines of anybody else are passed on.
    """
    complaints: list[bytes] = []
    saved = _copy_of_stderr() if attentive else None
    if saved is None:
        yield complaints
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield complaints
        finally:
            os.dup2(saved, 2)
            file.seek(0)
            for line in file:
                if any(word in line for word in (b"JPEG", b"marker", b"Huffman")):
                    complaints.append(line)
                else:
                    os.write(saved, line)
            os.close(saved)


def _copy_of_stderr() -> int | None:
    try:
        return os.dup(2)
    except OSError:  # a program without one
        return None


def _padding(dataset: Dataset, stored: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell which stored values are the padding that the header declares."""
    first = number(dataset, "PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, np.bool_)
    last = number(dataset, "PixelPaddingRangeLimit")
    ends = sorted((first, first if last is None else last))
    if dataset.PixelRepresentation == 1:  # writers give signed padding as unsigned and back
        ends = sorted(end - 65536 if end > 32767 else end for end in ends)
    else:
        ends = sorted(end + 65536 if end < 0 else end for end in ends)
    return (stored >= ends[0]) & (stored <= ends[1])


def _hu(dataset: Dataset, stored: NDArray[np.int32], frame: Frame) -> NDArray[np.int16]:
    hu: NDArray[np.float64] = np.rint(stored * frame.slope + frame.intercept)
    low, high = float(hu.min()), float(hu.max())
    if low < -32768 or high > 32767:
        image = hu[~_padding(dataset, stored)]
        if image.size and (image.min() < -32768 or image.max() > 32767):
            raise NotCT(f"values that cannot be HU: {low:.0f} to {high:.0f}")
        # padding alone is outside: it is no tissue, so it becomes as dark as can be
        hu = np.where((hu < -32768) | (hu > 32767), -32768, hu)
    if low == high:
        raise NotCT(f"blank: every pixel is {low:.0f} HU")
    if low >= 0:
        raise NotCT(f"values that cannot be HU: none below 0 ({low:.0f} to {high:.0f})")
    return hu.astype(np.int16)
