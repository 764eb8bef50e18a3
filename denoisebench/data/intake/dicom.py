"""One DICOM file in, slices in HU out, or the reason why not.

HU are never guessed. A file that is damaged, hostile or of another kind raises `NotCT`, whose
reason holds nothing of the file's own text; warnings of pydicom and of decoders are swallowed.
What cannot be told: flipped bits inside a lossless codestream that still decodes (the digests of a
manifest tell), and cone-beam CT whose header does not say so.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset, dcmread
from pydicom.filereader import read_dataset, read_file_meta_info, read_partial
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from denoisebench.data.intake.header import (
    LOSSLESS,
    Frame,
    Objector,
    judge,
    number,
    refuse,
    value,
)
from denoisebench.data.intake.pixels import Frames, Place, Stored
from denoisebench.data.intake.raw import NotCT, Raw, check_range, refusing, regular_size
from denoisebench.data.scan import digest_of

__all__ = ["NotCT", "Raw", "StoredSlice", "examine", "read", "read_stored", "slices"]

StopWhen = Callable[[BaseTag, str | None, int], bool]

INFLATED_AT_MOST = 1 << 30  # bytes of a deflated file
INFLATED_FREELY = 32 << 20  # bytes; above, no file is MOST_INFLATION times smaller
MOST_INFLATION = 50  # CT has 2 to 10; zeros have 1,000, and cost three times what they inflate to
HEADER_BYTES = 1 << 15  # read at once; most headers are shorter
PIXEL_DATA = 0x7FE00010
NO_HEADER = (PIXEL_DATA, 0x7FE00008, 0x7FE00009)  # integers, floats and doubles
HEADER_TAGS: list[BaseTag | int] = [Tag(keyword) for keyword in (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Modality", "ImageType", "PatientID",
    "Manufacturer", "ManufacturerModelName", "SeriesDescription", "SliceThickness",
    "ImagePositionPatient", "ImageOrientationPatient", "ImagePosition", "ImageOrientation",
    "SliceLocation", "Location", "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames",
    "Rows", "Columns", "PixelSpacing", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PlanarConfiguration", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "LossyImageCompression",
    "ModalityLUTSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "ContributingEquipmentSequence",
)]  # fmt: skip


def read(path: Path) -> list[Raw]:
    """Read a file's slices in HU.

    Raises:
        NotCT: it holds no CT with known HU, or cannot be read.
    """
    return list(slices(path))


def slices(path: Path) -> Iterator[Raw]:
    """Yield a file's slices in HU, one decoded at a time.

    Raises:
        NotCT: it holds no CT with known HU, or cannot be read. Where a later frame is to blame,
            drop those that came before it: a file is taken as a whole.
    """
    with refusing("DICOM", "pydicom"):
        size = regular_size(path)
        file = open(path, "rb", HEADER_BYTES)  # noqa: SIM115  # closed below, whoever stops asking
    with file:
        with refusing("DICOM", "pydicom"):
            header, frames, pixels = _opened(path, file, size)
            patient = _patient(header)
            series = str(value(header, "SeriesInstanceUID") or "")
            instance = str(value(header, "SOPInstanceUID") or "")
        for index, frame in enumerate(frames):
            with refusing("DICOM", "pydicom"):
                hu = _hu(header, pixels.stored(index), frame)
                raw = Raw(
                    hu=hu,
                    patient_id=patient,
                    series_uid=series,
                    sop_uid=instance,
                    frame=index + 1,
                    position_mm=frame.position_mm,
                    spacing_mm=frame.spacing_mm,
                    thickness_mm=frame.thickness_mm,
                    digest=digest_of(hu),
                )
            yield raw


@dataclass(frozen=True, eq=False)
class StoredSlice:
    """One slice as its file stores it, for who writes it back.

    Attributes:
        stored: (H, W) int32; sign and unused bits put right, padding as it is.
        least, greatest: what BitsStored hold.
        pads: least and greatest value that says that nothing was measured.
        frame: slope and intercept to HU, and where it lies.
    """

    stored: NDArray[np.int32] = field(repr=False)
    least: int
    greatest: int
    pads: tuple[float, float] | None
    frame: Frame

    def padding(self, stored: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Tell which values say that nothing was measured."""
        return _between(self.pads, stored)


def examine(path: Path, object_to: Objector = refuse) -> tuple[Dataset, Frame]:
    """Read what a file with one slice says of it, and decode nothing.

    Args:
        path: of the file.
        object_to: see `header.judge`.
    Returns:
        Those tags that are looked at here, and the slice's HU and place.
    Raises:
        NotCT: it holds no CT with known HU, or several slices.
    """
    with refusing("DICOM", "pydicom"):
        size = regular_size(path)
        with open(path, "rb", HEADER_BYTES) as file:
            header, frames, _ = _opened(path, file, size, object_to)
            return header, _only(frames)


def read_stored(path: Path, object_to: Objector = refuse) -> StoredSlice:
    """Decode a file with one slice, as it is stored; see `examine`.

    Raises:
        NotCT: as `examine`, or its pixels cannot be decoded.
    """
    with refusing("DICOM", "pydicom"):
        size = regular_size(path)
        with open(path, "rb", HEADER_BYTES) as file:
            header, frames, pixels = _opened(path, file, size, object_to)
            used = _used(header, pixels.stored(0))
            return StoredSlice(used, *_range(header), _pads(header), _only(frames))


def _only(frames: list[Frame]) -> Frame:
    if len(frames) > 1:
        raise NotCT("several slices in one file; save each as a file of its own")
    return frames[0]


def identity(path: Path) -> tuple[str, str]:
    """Return PatientID and SeriesInstanceUID, "" where missing or where nothing can be read."""
    tags = ["PatientID", "SeriesInstanceUID"]
    try:
        with refusing("DICOM", "pydicom"):
            header = dcmread(path, force=True, stop_before_pixels=True, specific_tags=[*tags])
            return _patient(header), str(value(header, "SeriesInstanceUID") or "")
    except NotCT:
        return "", ""


def _patient(header: Dataset) -> str:
    return str(value(header, "PatientID") or "").strip(" \0")


def _opened(
    path: Path, file: BinaryIO, size: int, object_to: Objector = refuse
) -> tuple[Dataset, list[Frame], Frames]:
    """Parse the header once and judge it, before a byte of the pixels is read."""
    start = file.read(132)
    with_preamble = start[128:] == b"DICM"
    if not with_preamble and not _plausible(start, size):
        raise NotCT("not DICOM")
    meta = read_dataset(file, False, True, stop_when=_past_meta) if with_preamble else Dataset()
    syntax, source = str(value(meta, "TransferSyntaxUID")), file
    if syntax == DeflatedExplicitVRLittleEndian:
        source = BytesIO(_inflated(file, size))
        size = source.getbuffer().nbytes
    places: list[Place] = []
    stop = _at_pixels(source, places)
    if syntax in LOSSLESS:
        implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        header = read_dataset(source, implicit, little, stop_when=stop, specific_tags=HEADER_TAGS)
    else:  # another, or none, or file meta in implicit VR: pydicom finds out
        if with_preamble and _says_deflated(path):
            raise NotCT("damaged DICOM: deflated, with file meta of another encoding")
        file.seek(0)
        header = found = read_partial(file, stop, force=True, specific_tags=HEADER_TAGS)
        syntax = _syntax(found)
    if not with_preamble and value(header, "Modality") is None:
        raise NotCT("not DICOM")
    frames = judge(header, syntax, size, object_to)
    if not places:
        raise NotCT("no pixels, or truncated before them")
    return header, frames, Frames(header, syntax, source, places[0], len(frames))


def _past_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag >> 16 != 2


def _says_deflated(path: Path) -> bool:
    stated = value(read_file_meta_info(path), "TransferSyntaxUID")
    return stated == DeflatedExplicitVRLittleEndian


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


def _inflated(file: BinaryIO, size: int) -> bytes:
    """Return the rest of a file of `size` bytes inflated, bounded while it inflates."""
    inflate, parts, total = zlib.decompressobj(-zlib.MAX_WBITS), [], 0
    data = file.read(1 << 20)
    while data and not inflate.eof:
        parts.append(inflate.decompress(data, 1 << 24))
        total += len(parts[-1])
        if total > INFLATED_AT_MOST:
            raise NotCT(f"inflates to more than {INFLATED_AT_MOST >> 30} GiB")
        if total > max(INFLATED_FREELY, MOST_INFLATION * size):
            raise NotCT(f"inflates to more than {MOST_INFLATION} times its size")
        data = inflate.unconsumed_tail or file.read(1 << 20)
    if not inflate.eof:
        raise NotCT("truncated: its deflated data have no end")
    return b"".join(parts)


def _at_pixels(source: BinaryIO, places: list[Place]) -> StopWhen:
    """Return what stops pydicom at the pixels, with their place put into `places`."""

    def stop(tag: BaseTag, vr: str | None, length: int) -> bool:
        number = int(tag)
        if number == PIXEL_DATA:
            places.append(Place(source.tell(), length))
        return number in NO_HEADER

    return stop


def _syntax(header: FileDataset) -> str:
    stated = value(header.file_meta, "TransferSyntaxUID")
    if stated is not None:
        return str(stated)
    implicit, little = header.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _hu(header: Dataset, stored: Stored, frame: Frame) -> NDArray[np.int16]:
    """Return rint(stored · slope + intercept), whole where that needs no float."""
    low, high = int(stored.min()), int(stored.max())
    least, greatest = _range(header)
    if least <= low and high <= greatest and frame.slope == 1 and frame.intercept.is_integer():
        offset = int(frame.intercept)
        if low + offset >= -32768 and high + offset <= 32767:
            check_range(low + offset, high + offset)
            wrapped = stored.view(np.uint16)
            wrapped += np.uint16(offset & 0xFFFF)  # modulo 65536 and yet exact: the sum fits
            return wrapped.view(np.int16)
    return _hu_by_float(header, _used(header, stored), frame)


def _range(header: Dataset) -> tuple[int, int]:
    """Return the least and the greatest value that BitsStored hold."""
    bits = int(header.BitsStored)
    if header.PixelRepresentation == 1:
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1


def _used(header: Dataset, pixels: Stored) -> NDArray[np.int32]:
    """Put sign and unused bits right."""
    stored = pixels.astype(np.int32)
    unused = 32 - int(header.BitsStored)
    if header.PixelRepresentation == 1:
        used = (stored << unused) >> unused
    else:
        used = stored & ((1 << int(header.BitsStored)) - 1)
    # Overlays may live in unused bits; but padding (63536, say) may need all of them.
    return np.where(_padding(header, stored), stored, used)


def _padding(header: Dataset, stored: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell which stored values are the padding that the header declares."""
    return _between(_pads(header), stored)


def _between(ends: tuple[float, float] | None, stored: NDArray[np.int32]) -> NDArray[np.bool_]:
    if ends is None:
        return np.zeros(stored.shape, np.bool_)
    return (stored >= ends[0]) & (stored <= ends[1])


def _pads(header: Dataset) -> tuple[float, float] | None:
    """Return the ends of the padding that the header declares."""
    first = number(header, "PixelPaddingValue")
    if first is None:
        return None
    last = number(header, "PixelPaddingRangeLimit")
    ends = sorted((first, first if last is None else last))
    if header.PixelRepresentation == 1:  # writers give signed padding as unsigned and back
        ends = sorted(end - 65536 if end > 32767 else end for end in ends)
    else:
        ends = sorted(end + 65536 if end < 0 else end for end in ends)
    return ends[0], ends[1]


def _hu_by_float(header: Dataset, stored: NDArray[np.int32], frame: Frame) -> NDArray[np.int16]:
    hu: NDArray[np.float64] = np.rint(stored * frame.slope + frame.intercept)
    low, high = float(hu.min()), float(hu.max())
    if low < -32768 or high > 32767:
        image = hu[~_padding(header, stored)]
        if image.size and (image.min() < -32768 or image.max() > 32767):
            raise NotCT(f"values that cannot be HU: {low:.0f} to {high:.0f}")
        # padding alone is outside: it is no tissue, so it becomes as dark as can be
        hu = np.where((hu < -32768) | (hu > 32767), -32768, hu)
    check_range(low, high)
    return hu.astype(np.int16)
