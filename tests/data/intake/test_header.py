"""What a header says: CT with known HU, or the reason why not."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from denoisebench.data.intake.dicom import NotCT, read
from denoisebench.data.intake.header import judge


def reformat(**tags: Any) -> dict[str, Any]:
    return {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1], **tags}


def look_up() -> dict[str, Any]:
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [2, 0, 16], bytes(4)
    return {"RescaleSlope": None, "ModalityLUTSequence": Sequence([table])}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "MR": ({"Modality": "MR"}, "not CT: modality MR"),
    "PET": ({"Modality": "PT"}, "not CT: modality PT"),
    "no modality": ({"Modality": None}, "not CT: modality missing"),
    "secondary capture": (
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "Secondary Capture Image",
    ),
    "CT for processing elsewhere": ({"SOPClassUID": "1.2.3"}, "an unknown kind"),
    "localizer": ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
    "screen save": ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen save"),
    "tomosynthesis": ({"ImageType": ["DERIVED", "PRIMARY", "TOMO"]}, "tomosynthesis"),
    "perfusion": ({"ImageType": ["DERIVED", "PRIMARY", "PERFUSION", "RCBF"]}, "perfusion map"),
    "maximum projection": ({"ImageType": ["DERIVED", "SECONDARY", "MIP"]}, "projection"),
    "cone beam": ({"ManufacturerModelName": "Trilogy Cone Beam CT"}, "cone-beam"),
    "coronal": (reformat(), "not axial"),
    "reformat somewhere": (
        {"ImageType": ["DERIVED", "SECONDARY", "MPR"], "ImageOrientationPatient": None},
        "reformat of unknown orientation",
    ),
    "no slope": ({"RescaleSlope": None}, "no rescale"),
    "no intercept": ({"RescaleIntercept": None}, "no rescale"),
    "slope of no number": ({"RescaleSlope": "nan"}, "no rescale"),
    "slope 0": ({"RescaleSlope": 0}, "slope not above 0"),
    "unspecified rescale": ({"RescaleType": "US"}, "unspecified (US)"),
    "optical density": ({"RescaleType": "OD"}, "rescale type other than HU"),
    "look-up table": (look_up(), "look-up table"),
    "lossy history": ({"LossyImageCompression": "01"}, "lossy"),
    "palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour"),
    "no size": ({"Rows": 0}, "0 × 64 pixels"),
    "8 bits": ({"BitsAllocated": 8, "BitsStored": 8}, "8 bits a pixel"),
    "top bits": ({"BitsStored": 12, "HighBit": 15}, "do not start at bit 0"),
    "sign unknown": ({"PixelRepresentation": None}, "signed"),
    "values past int16": ({"RescaleSlope": 100}, "cannot be HU"),
    "no value below 0": ({"RescaleIntercept": 0}, "cannot be HU: none below 0"),
    "claims 60000 × 60000": ({"Rows": 60000, "Columns": 60000}, "more than 4096 × 4096"),
    "claims 2048 × 2048": ({"Rows": 2048, "Columns": 2048}, "truncated: 8388608 bytes"),
    "claims 2 billion frames": ({"NumberOfFrames": 2**31 - 1}, "frames claimed"),
    "claims no frame": ({"NumberOfFrames": 0}, "number of frames"),
}  # fmt: skip


@pytest.mark.parametrize(("tags", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_ct_in_hu_is_refused_with_its_reason(
    tmp_path: Path, made: ModuleType, tags: dict[str, Any], reason: str
) -> None:
    assert reason in made.refusal(made.write(tmp_path / "a.dcm", **tags))


@pytest.mark.parametrize(
    "tags",
    [
        {"ImageType": ["DERIVED", "SECONDARY", "AXIAL"], "RescaleIntercept": -1000},
        {"ImageType": ["DERIVED", "PRIMARY", "MPR"]},  # an axial reformat is a slice in HU
        {"RescaleType": "HU"},
        {"RescaleType": "Houndsfield Unit"},
        {"ImageType": None, "ImageOrientationPatient": None, "ImagePositionPatient": None},
        {"SOPClassUID": None, "SamplesPerPixel": None, "PhotometricInterpretation": None},
        {"PixelPaddingValue": [0, 40, 4176]},  # malformed, and of no use here
    ],
)
def test_what_is_odd_yet_in_hu_is_read(
    tmp_path: Path, made: ModuleType, tags: dict[str, Any]
) -> None:
    assert len(read(made.write(tmp_path / "a.dcm", **tags))) == 1


@pytest.mark.parametrize(
    ("syntax", "reason"),
    [
        ("1.2.840.10008.1.2.4.50", "lossy compression (JPEG baseline)"),
        ("1.2.840.10008.1.2.4.51", "lossy compression (JPEG extended)"),
        ("1.2.840.10008.1.2.4.81", "lossy compression (JPEG-LS near-lossless)"),
        ("1.2.840.10008.1.2.4.91", "lossy compression (JPEG 2000, which may be lossy)"),
        ("1.2.840.10008.1.2.4.203", "lossy compression (HTJ2K, which may be lossy)"),
        ("1.2.840.10008.1.2.4.100", "its transfer syntax is none that is read here"),
    ],
)
def test_lossy_and_unknown_encodings_are_refused_undecoded(
    made: ModuleType, syntax: str, reason: str
) -> None:
    # "00" of a header does not make an encoding lossless that need not be
    with pytest.raises(NotCT) as refused:
        judge(made.header(Rows=512, Columns=512, LossyImageCompression="00"), syntax, 1 << 20)
    assert reason in refused.value.reason


def test_rgb_is_refused_as_colour(tmp_path: Path, made: ModuleType) -> None:
    tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    assert "colour" in made.refusal(made.write(tmp_path / "a.dcm", **tags))


@pytest.mark.parametrize(
    ("modality", "sop_class"),
    [
        ("RTSTRUCT", "1.2.840.10008.5.1.4.1.1.481.3"),
        ("RTPLAN", "1.2.840.10008.5.1.4.1.1.481.5"),
        ("SR", "1.2.840.10008.5.1.4.1.1.88.67"),
        ("KO", "1.2.840.10008.5.1.4.1.1.88.59"),
        ("PR", "1.2.840.10008.5.1.4.1.1.11.1"),
        ("DOC", "1.2.840.10008.5.1.4.1.1.104.1"),
    ],
)
def test_objects_without_an_image_are_refused_as_what_they_are(
    tmp_path: Path, made: ModuleType, modality: str, sop_class: str
) -> None:
    path = made.write(tmp_path / "a.dcm", Modality=modality, SOPClassUID=sop_class)
    dataset = dcmread(path)
    for element in [element for element in dataset if element.tag.group in (0x0028, 0x7FE0)]:
        del dataset[element.tag]
    dataset.save_as(path)
    assert made.refusal(path) == f"not CT: modality {modality}"


def test_a_ct_object_without_pixels_is_refused(tmp_path: Path, made: ModuleType) -> None:
    path = made.write(tmp_path / "a.dcm")
    dataset = dcmread(path)
    # 8192 bytes of something else: a header may claim pixels that the file has room for
    dataset.DataSetTrailingPadding = dataset.PixelData
    del dataset.PixelData
    dataset.save_as(path)
    assert made.refusal(path) == "no pixels, or truncated before them"


@pytest.mark.parametrize("word", ["LOCALIZER", "SCOUT", "TOPOGRAM"])
@pytest.mark.parametrize("per_frame", [False, True], ids=["file", "frame"])
def test_a_localizer_is_told_by_each_of_its_names(
    tmp_path: Path, made: ModuleType, word: str, per_frame: bool
) -> None:
    kind = ["ORIGINAL", "PRIMARY", word]
    tags: dict[str, Any] = {"ImageType": kind}
    if per_frame:
        tags = made.enhanced(np.stack([made.body(1)] * 2), [(1, -1024)] * 2)
        frame = tags["PerFrameFunctionalGroupsSequence"][1]
        frame.CTImageFrameTypeSequence[0].FrameType = kind
    assert made.refusal(made.write(tmp_path / "a.dcm", **tags)).startswith("a localizer")


@pytest.mark.parametrize("side", [63, 64])
def test_the_smallest_side_is_64(tmp_path: Path, made: ModuleType, side: int) -> None:
    path = made.write(tmp_path / "a.dcm", made.tiled(made.STORED, 100, side))
    if side < 64:
        assert "fewer than 64 × 64" in made.refusal(path)
    else:
        assert read(path)[0].hu.shape == (100, 64)


def test_a_blank_slice_is_refused(tmp_path: Path, made: ModuleType) -> None:
    assert "blank: every pixel is -24 HU" in made.refusal(
        made.write(tmp_path / "a.dcm", made.tiled([1000]))
    )


@pytest.mark.parametrize("frames", [1, 2])
def test_frames_without_their_functional_groups_are_refused(
    tmp_path: Path, made: ModuleType, frames: int
) -> None:
    stored = np.stack([made.body(1)] * 3)
    tags = made.enhanced(stored, [(1, -1024)] * frames)
    assert f"3 frames but {frames} functional groups" in made.refusal(
        made.write(tmp_path / "a.dcm", **tags)
    )
    path = made.write(tmp_path / "b.dcm", stored)
    assert "frames without functional groups" in made.refusal(path)


def answer(path: Path) -> str:
    try:
        return repr(read(path))
    except NotCT as refused:
        return refused.reason


def test_reasons_hold_no_text_of_the_file(tmp_path: Path, made: ModuleType) -> None:
    canary = "CANARY"
    texts = {
        "PatientID": canary, "PatientName": canary, "SeriesDescription": canary,
        "Manufacturer": canary, "ManufacturerModelName": canary,
    }  # fmt: skip
    path = tmp_path / "a.dcm"
    for tags, _ in REFUSED.values():
        assert canary not in made.refusal(made.write(path, **{**texts, **tags}))
    wrong = {"Modality": canary, "ImageType": [canary] * 3, "RescaleType": canary,
             "SOPClassUID": canary, "PhotometricInterpretation": canary,
             "LossyImageCompression": canary, "RescaleSlope": "271828"}  # fmt: skip
    for keyword in wrong:
        made.write(path, **{**texts, keyword: wrong[keyword]})
        path.write_bytes(path.read_bytes().replace(b"271828", canary.encode()))
        assert canary not in answer(path)
