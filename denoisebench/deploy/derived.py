"""The derived DICOM image of a slice: its own header, new pixels, and what became of it.

What is kept: patient, study, frame of reference, geometry, acquisition, the rescale to HU, how bits
are stored, padding, windows for display. What is new: UIDs, type, description, reference to the
source. What is dropped: all that is about the old pixels alone or that nobody can tell of: digital
signatures, the icon, statistics of values, overlays and curves, private elements, times of making.
"""

from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.config import disable_value_validation
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from denoisebench import __version__
from denoisebench.data.intake.dicom import StoredSlice
from denoisebench.data.intake.header import MAKER, whole
from denoisebench.data.intake.raw import refusing
from denoisebench.deploy.method import NOT_FOR_DIAGNOSIS, Method

SERIES_OFFSET = 1000  # added to SeriesNumber, so that the two stand apart in a list
LONGEST_DESCRIPTION = 64  # characters of an LO
ABOUT_OLD_PIXELS = {tag_for_keyword(keyword) for keyword in (
    "PixelData", "FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths", "PixelDataProviderURL", "SmallestImagePixelValue",
    "LargestImagePixelValue", "SmallestPixelValueInSeries", "LargestPixelValueInSeries",
    "SmallestImagePixelValueInPlane", "LargestImagePixelValueInPlane", "HistogramSequence",
    "IconImageSequence", "DigitalSignaturesSequence", "MACParametersSequence",
    "EncryptedAttributesSequence", "DataSetTrailingPadding", "InstanceCreationDate",
    "InstanceCreationTime", "InstanceCreatorUID", "SourceImageSequence", "DerivationDescription",
    "DerivationCodeSequence", "SeriesDate", "SeriesTime", "SeriesDescriptionCodeSequence",
    "AlternateRepresentationSequence", "StorageMediaFileSetUID",
)}  # fmt: skip
CURVES, OVERLAYS = range(0x5000, 0x5100), range(0x6000, 0x6100)  # groups


def new_series_uid(method: Method, series_uid: str) -> str:
    """Make the SeriesInstanceUID of what it stands for: the same command gives the same."""
    return generate_uid(entropy_srcs=["series", series_uid, method.digest])


def new_sop_uid(method: Method, series_uid: str, sop_uid: str, digest: str) -> str:
    """Make a SOPInstanceUID of all that the image is made of, which no other image may have.

    Args:
        method: what denoises.
        series_uid, sop_uid: of the source.
        digest: of the source's file: a name that was put right makes another image.
    """
    made_of = ["image", series_uid, sop_uid, digest, method.digest, __version__]
    return generate_uid(entropy_srcs=made_of)


def derived(
    path: Path, source: StoredSlice, hu: NDArray[np.float64], method: Method, sop_uid: str
) -> bytes:
    """Return a derived image's file, DICOM part 10, explicit VR little endian.

    Args:
        path: of the source.
        source: what it stores.
        hu: (H, W), denoised.
        method: what denoised.
        sop_uid: see `new_sop_uid`.
    Raises:
        NotCT: its header cannot be read as a whole.
    """
    with refusing("DICOM", "pydicom"), disable_value_validation():
        image = _read(path)
        _name(image, method, sop_uid)
        _mend_padding(image)
        image.BitsAllocated, image.HighBit = 16, image.BitsStored - 1
        image.SamplesPerPixel = 1
        image.PhotometricInterpretation = image.get("PhotometricInterpretation", "MONOCHROME2")
        pixels = restored(source, hu)
        image.add_new("PixelData", "OW", pixels.astype("<u2", casting="unsafe").tobytes())
        file = BytesIO()
        dcmwrite(file, image, enforce_file_format=True)
        return file.getvalue()


def restored(source: StoredSlice, hu: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the values to store, (H, W): a pixel that is as it was has the value that it had.

    HU past what the bits hold become the end of their range. A pixel that would become what stands
    for padding keeps the value it had, and padding stays padding.
    """
    slope, intercept = source.frame.slope, source.frame.intercept
    before = source.stored * slope + intercept
    values = source.stored + np.rint((hu - before) / slope)
    values = values.clip(source.least, source.greatest).astype(np.int32)
    kept = source.padding(source.stored) | source.padding(values)
    return np.where(kept, source.stored, values)


def _read(path: Path) -> Dataset:
    """Read a whole header, parsed: what cannot be parsed is left out, as nobody can tell of it."""
    read = dcmread(path, force=True)
    for tag in [tag for tag in read.keys() if _is_old(tag)]:  # noqa: SIM118  # as below
        del read[tag]
    image = _parsed(read)
    if read.original_encoding[1] is False and "VOILUTSequence" in image:
        del image.VOILUTSequence  # big endian: pydicom leaves the order of its words
    image.remove_private_tags()
    return image


def _parsed(source: Dataset) -> Dataset:
    """Copy what can be parsed, at any depth."""
    image = Dataset()
    for tag in source.keys():  # noqa: SIM118  # an element that cannot be parsed raises
        with suppress(Exception):
            element = source[tag]
            if element.VR == "SQ":
                image.add_new(tag, "SQ", Sequence([_parsed(item) for item in element.value]))
            else:
                image.add(element)
    return image


def _is_old(tag: BaseTag) -> bool:
    """Tell what is about the old pixels alone, or said by whom nobody knows."""
    return (
        tag.is_private
        or tag.element == 0  # the length of a group
        or tag.group in CURVES
        or tag.group in OVERLAYS
        or tag in ABOUT_OLD_PIXELS
    )


def _name(image: Dataset, method: Method, sop_uid: str) -> None:
    """Say what it is now, and of what it was made."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = image.SOPClassUID
    reference.ReferencedSOPInstanceUID = image.SOPInstanceUID
    reference.SpatialLocationsPreserved = "YES"
    reference.PurposeOfReferenceCodeSequence = _code(
        "121322", "Source image for image processing operation"
    )
    image.SourceImageSequence = Sequence([reference])
    image.SOPInstanceUID = sop_uid
    image.SeriesInstanceUID = new_series_uid(method, image.SeriesInstanceUID)
    kind = image.get("ImageType") or []
    kind = [kind] if isinstance(kind, str) else list(kind)
    image.ImageType = ["DERIVED", "SECONDARY", *(kind[2:] or ["AXIAL"])]
    image.DerivationDescription = method.description
    image.DerivationCodeSequence = _code("113087", "Smoothing")
    before = image.get("SeriesDescription") or ""
    # A backslash in it parts values, which the standard does not have here, and scanners write.
    before = before if isinstance(before, str) else "/".join(map(str, before))
    title = f"Denoised, {NOT_FOR_DIAGNOSIS.lower()}"
    image.SeriesDescription = f"{title}: {before}"[:LONGEST_DESCRIPTION] if before else title
    number = whole(image, "SeriesNumber")
    image.SeriesNumber = None if number is None else number + SERIES_OFFSET
    image.ContributingEquipmentSequence = Sequence(
        [*image.get("ContributingEquipmentSequence", []), _equipment(method)]
    )
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def _equipment(method: Method) -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = _code("109103", "Modifying Equipment")
    item.Manufacturer = item.ManufacturerModelName = MAKER
    item.SoftwareVersions = __version__
    item.ContributionDescription = method.description
    return item


def _code(value: str, meaning: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return Sequence([item])


def _mend_padding(image: Dataset) -> None:
    """Write padding values in the range of the pixels: writers give -2000 as 63536, and back."""
    signed = image.PixelRepresentation == 1
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        value = image.get(keyword)
        if value is None:
            continue
        del image[keyword]
        if isinstance(value, int):
            wrapped = value & 0xFFFF
            if signed and wrapped > 0x7FFF:
                wrapped -= 0x10000
            image.add_new(tag_for_keyword(keyword) or 0, "SS" if signed else "US", wrapped)
