"""What a DICOM header says about its pixels: CT with known HU, or the reason why not.

Nothing here reads a pixel. Reasons never quote a file's own text: any tag may hold a name.

Some reasons say that HU are unknown; others, that they are no clean axial slice (a localizer, a
coronal plane, lossy compression in its history). The latter go to an `Objector`, which raises where
slices are to learn from and to measure by, and may take note where one is only to be denoised.
"""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag
from pydicom.uid import UID

from denoisebench.data.intake.raw import NotCT

SMALLEST, LARGEST = 64, 4096  # pixels a side; CT goes to 2048, a hostile header to 65535
MOST_BYTES = 2 << 30  # of decoded pixels in one file
MOST_EXPANSION = 500  # decoded over encoded; a blank 512² slice in JPEG 2000 reaches about 200
LOSSLESS = {
    "1.2.840.10008.1.2": "uncompressed",
    "1.2.840.10008.1.2.1": "uncompressed",
    "1.2.840.10008.1.2.1.99": "deflated",
    "1.2.840.10008.1.2.2": "uncompressed",
    "1.2.840.10008.1.2.4.57": "JPEG lossless",
    "1.2.840.10008.1.2.4.70": "JPEG lossless",
    "1.2.840.10008.1.2.4.80": "JPEG-LS lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless",
    "1.2.840.10008.1.2.4.201": "HTJ2K lossless",
    "1.2.840.10008.1.2.4.202": "HTJ2K lossless",
    "1.2.840.10008.1.2.5": "RLE",
}
LOSSY = {
    "1.2.840.10008.1.2.4.50": "JPEG baseline",
    "1.2.840.10008.1.2.4.51": "JPEG extended",
    "1.2.840.10008.1.2.4.81": "JPEG-LS near-lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000, which may be lossy",
    "1.2.840.10008.1.2.4.203": "HTJ2K, which may be lossy",
}
CT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2",  # CT Image
    "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
    "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
}
MODALITIES = {
    "CR", "DX", "MG", "MR", "PT", "NM", "US", "OT", "SC", "SR", "SEG", "PR", "KO", "REG",
    "RTSTRUCT", "RTDOSE", "RTPLAN", "RTIMAGE", "RTRECORD", "XA", "RF", "IO", "PX", "ES", "GM",
    "SM", "OP", "OPT", "OCT", "BI", "TG", "XC", "DOC", "AU", "ECG", "HD", "IVUS", "RWV", "FID",
    "PLAN", "ANN", "M3D",
}  # fmt: skip
# Words of ImageType that name something other than a plane slice in HU, and what it is.
NOT_SLICES = {
    "LOCALIZER": "a localizer",
    "SCOUT": "a localizer",
    "TOPOGRAM": "a localizer",
    "SCREEN SAVE": "a screen save",
    "TOMO": "tomosynthesis",
    "TOMOSYNTHESIS": "tomosynthesis",
    **dict.fromkeys(
        ("MIP", "MAX_IP", "MINIP", "MIN_IP", "PROJECTION IMAGE"), "an intensity projection"
    ),
    **dict.fromkeys(("VRT", "SSD", "VOLUME RENDERING", "VOLUME_RENDER"), "a 3D rendering"),
    **dict.fromkeys(("PERFUSION", "RCBF", "RCBV", "CBF", "CBV", "MTT", "TTP"), "a perfusion map"),
    **dict.fromkeys(
        ("EFF_ATOMIC_NUM", "ELECTRON_DENSITY", "MAT_SPECIFIC", "MAT_FRACTIONAL", "MAT_VALUE_BASED",
         "MAT_REMOVED", "MAT_MODIFIED"),
        "a material map",
    ),
}  # fmt: skip
REFORMATS = {"MPR", "REFORMATTED", "CPR", "CURVED"}
# "Houndsfield Unit" is what one maker's workstation writes.
HU_NAMES = {"HU", "HOUNSFIELD", "HOUNSFIELD UNIT", "HOUNSFIELD UNITS", "HOUNSFIELDUNIT",
            "HOUNDSFIELD UNIT", "HOUNDSFIELD UNITS"}  # fmt: skip
MAKER, DENOISED = "denoisebench", "denoised by denoisebench"
"""What `denoise` writes into its outputs, which are no reference to measure by."""
CONE_BEAM = ("CONE BEAM", "CONE-BEAM", "CONEBEAM", "CBCT", "ON-BOARD IMAG")

Objector = Callable[[str], None]  # takes a reason


@dataclass(frozen=True)
class Frame:
    """How one frame's stored values become HU, and where the frame lies."""

    slope: float
    intercept: float
    position_mm: float | None
    spacing_mm: tuple[float, float]
    thickness_mm: float


def value(source: Dataset, keyword: str) -> object:
    """Return a tag's value, None where it is absent, empty or cannot be parsed."""
    try:
        element = source.get(_tag(keyword))
        found: object = None if element is None else element.value
    except Exception:  # a damaged value raises whatever its parser meets
        return None
    return None if found is None or found == "" else found


@cache
def _tag(keyword: str) -> BaseTag:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return BaseTag(tag)


def text(source: Dataset, keyword: str) -> str:
    """Return a tag's text, upper case, stripped; "" where it is absent."""
    return str(value(source, keyword) or "").strip(" \0").upper()


def number(source: Dataset, keyword: str) -> float | None:
    """Return a tag's one finite number, or None."""
    try:
        found = float(value(source, keyword))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def numbers(source: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return a tag's `count` finite numbers, or None."""
    try:
        found = tuple(float(item) for item in value(source, keyword))  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None


def whole(source: Dataset, keyword: str) -> int | None:
    """Return a tag's one whole number, or None."""
    found = number(source, keyword)
    return int(found) if found is not None and found == int(found) else None


def refuse(reason: str) -> None:
    """Raise NotCT."""
    raise NotCT(reason)


def judge(
    header: Dataset, syntax: str, encoded_bytes: int, object_to: Objector = refuse
) -> list[Frame]:
    """Return the file's frames, or raise NotCT with the first reason that holds.

    Args:
        header: all of the file except its pixels.
        syntax: the transfer syntax UID.
        encoded_bytes: an upper bound on the encoded pixels; no header may claim far more.
        object_to: is told what it is where its HU are known and it is no clean axial slice.
    """
    _is_ct(header, object_to)
    _is_lossless(header, syntax, object_to)
    _can_hold_hu(header, object_to)
    count = _frame_count(header, encoded_bytes, syntax)
    shared = _first(header, "SharedFunctionalGroupsSequence")
    per_frame = value(header, "PerFrameFunctionalGroupsSequence")
    if per_frame is None and count > 1 and shared is None:
        raise NotCT("several frames without functional groups: HU and place of each are unknown")
    if isinstance(per_frame, Sequence) and len(per_frame) != count:
        raise NotCT(f"{count} frames but {len(per_frame)} functional groups")
    groups = list(per_frame) if isinstance(per_frame, Sequence) else [None] * count
    return [_frame((group, shared), header, object_to) for group in groups]


def _is_ct(header: Dataset, object_to: Objector) -> None:
    modality = text(header, "Modality")
    if modality != "CT":
        known = modality if modality in MODALITIES else "missing or other"
        raise NotCT(f"not CT: modality {known}")
    _is_slice(_words(header, "ImageType"), object_to)
    sop_class = str(value(header, "SOPClassUID") or "")
    if sop_class and sop_class not in CT_CLASSES:
        name = UID(sop_class).name
        known = name.removesuffix(" Storage") if name != sop_class else "an unknown kind"
        raise NotCT(f"not a CT image object but {known}")
    # 4D-Lung's cone-beam series say HU, slope 1 and PRIMARY: only the maker's words tell.
    said = " ".join(
        text(header, tag) for tag in ("Manufacturer", "ManufacturerModelName", "SeriesDescription")
    )
    if any(word in said for word in CONE_BEAM):
        object_to("cone-beam CT: its values are not calibrated HU")
    equipment = value(header, "ContributingEquipmentSequence")
    for item in equipment if isinstance(equipment, Sequence) else ():
        if text(item, "Manufacturer") == MAKER.upper():
            object_to(f"{DENOISED}: not a clean reference")


def _words(source: Dataset, keyword: str) -> set[str]:
    found = value(source, keyword)
    items = [found] if isinstance(found, str) else found if isinstance(found, Sequence) else []
    return {str(item).strip(" \0").upper() for item in items}


def _is_slice(words: set[str], object_to: Objector) -> None:
    for word, what in NOT_SLICES.items():
        if word in words:
            object_to(f"{what}, not a slice in HU")


def _is_lossless(header: Dataset, syntax: str, object_to: Objector) -> None:
    if syntax in LOSSY:
        raise NotCT(f"lossy compression ({LOSSY[syntax]}): not a clean reference")
    if text(header, "LossyImageCompression") == "01":
        object_to("lossy compression in its history: not a clean reference")
    if syntax not in LOSSLESS:
        raise NotCT("its transfer syntax is none that is read here")


def _can_hold_hu(header: Dataset, object_to: Objector) -> None:
    samples = whole(header, "SamplesPerPixel")
    photometric = text(header, "PhotometricInterpretation")
    if samples not in (1, None) or photometric not in ("MONOCHROME1", "MONOCHROME2", ""):
        raise NotCT("colour, not HU")
    if value(header, "ModalityLUTSequence") is not None:
        raise NotCT("values through a look-up table instead of a rescale to HU")
    rows, columns = whole(header, "Rows"), whole(header, "Columns")
    if rows is None or columns is None:
        raise NotCT("no rows and columns: no image")
    if min(rows, columns) < SMALLEST:
        object_to(f"{rows} × {columns} pixels, fewer than {SMALLEST} × {SMALLEST}")
    if max(rows, columns) > LARGEST:
        raise NotCT(f"{rows} × {columns} pixels claimed, more than {LARGEST} × {LARGEST}")
    allocated, stored = whole(header, "BitsAllocated"), whole(header, "BitsStored")
    if allocated != 16 or stored is None or not 1 <= stored <= 16:
        bits = f"{allocated or 'unknown'} bits a pixel, {stored or 'unknown'} of them used"
        raise NotCT(f"{bits}; CT in HU has 16")
    if whole(header, "HighBit") not in (stored - 1, None):
        raise NotCT("pixel bits do not start at bit 0: values unknown")
    if whole(header, "PixelRepresentation") not in (0, 1):
        raise NotCT("it is not said whether pixels are signed: HU unknown")


def _frame_count(header: Dataset, encoded_bytes: int, syntax: str) -> int:
    count = 1 if value(header, "NumberOfFrames") is None else whole(header, "NumberOfFrames")
    if count is None or count < 1:
        raise NotCT("number of frames cannot be read")
    claimed = count * int(header.Rows) * int(header.Columns) * 2
    if claimed > MOST_BYTES:
        raise NotCT(f"{count} frames claimed, more than {MOST_BYTES >> 30} GiB of pixels")
    native = LOSSLESS[syntax] == "uncompressed"
    if claimed > encoded_bytes * (1 if native else MOST_EXPANSION):
        raise NotCT(f"truncated: {claimed} bytes of pixels claimed, {encoded_bytes} in the file")
    return count


def _first(source: Dataset | None, keyword: str) -> Dataset | None:
    found = value(source, keyword) if source is not None else None
    return found[0] if isinstance(found, Sequence) and len(found) else None


def _frame(
    groups: tuple[Dataset | None, Dataset | None], header: Dataset, object_to: Objector
) -> Frame:
    def of(sequence: str) -> Dataset:
        """Return the functional group of the frame, of all frames, or the header itself."""
        found = (_first(group, sequence) for group in groups)
        return next((item for item in found if item is not None), header)

    _is_slice(_words(of("CTImageFrameTypeSequence"), "FrameType"), object_to)
    slope, intercept = _rescale(of("PixelValueTransformationSequence"))
    measures = of("PixelMeasuresSequence")
    spacing = numbers(measures, "PixelSpacing", 2)
    orientation = numbers(of("PlaneOrientationSequence"), "ImageOrientationPatient", 6)
    position = numbers(of("PlanePositionSequence"), "ImagePositionPatient", 3)
    # ACR-NEMA's names of the same two
    orientation = orientation or numbers(header, "ImageOrientation", 6)
    position = position or numbers(header, "ImagePosition", 3)
    normal = _normal(orientation)
    if normal is None and _words(header, "ImageType") & REFORMATS:
        object_to("a reformat of unknown orientation")
    # 45°: gantries tilt by 30° at most, sagittal and coronal planes stand at 90°
    if normal is not None and abs(normal[2]) < math.sqrt(0.5):
        object_to("not axial: a sagittal or coronal plane")
    along = number(header, "SliceLocation")
    if along is None:
        along = number(header, "Location")
    if position is not None:
        # towards the head, whichever way rows and columns run
        sign = 1.0 if normal is None or normal[2] > 0 else -1.0
        axis = (0.0, 0.0, 1.0) if normal is None else tuple(sign * part for part in normal)
        along = sum(map(operator.mul, axis, position))
    return Frame(
        slope=slope,
        intercept=intercept,
        position_mm=along,
        spacing_mm=(spacing[0], spacing[1])
        if spacing is not None and min(spacing) > 0
        else (math.nan, math.nan),
        thickness_mm=max(number(measures, "SliceThickness") or 0.0, 0.0),
    )


def _rescale(source: Dataset) -> tuple[float, float]:
    slope, intercept = number(source, "RescaleSlope"), number(source, "RescaleIntercept")
    if slope is None or intercept is None:
        raise NotCT("no rescale slope and intercept: HU unknown")
    if slope <= 0:
        raise NotCT("rescale slope not above 0: HU unknown")
    kind = text(source, "RescaleType")
    if kind and kind not in HU_NAMES:
        # absent means HU: DICOM asks for the type only where it is another
        said = "unspecified (US)" if kind == "US" else "other than HU"  # US: what GDCM writes
        raise NotCT(f"rescale type {said}: HU unknown")
    return slope, intercept


def _normal(orientation: tuple[float, ...] | None) -> tuple[float, float, float] | None:
    """Return the cross product of rows and columns, of length 1; None where there is none."""
    if orientation is None:
        return None
    a, b, c, d, e, f = orientation
    x, y, z = b * f - c * e, c * d - a * f, a * e - b * d
    length = math.hypot(x, y, z)
    if not 0.5 < length < 2:  # rows and columns are unit vectors at right angles
        return None
    return x / length, y / length, z / length
