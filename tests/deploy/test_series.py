"""Which series a folder holds, and what is refused or left out."""

from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from denoisebench.deploy.series import choose, find_series, read
from denoisebench.errors import UsageError


@pytest.fixture
def chosen(tmp_path):
    def call(wanted: str | None = None, *, anyway: bool = False) -> Any:
        return choose(*find_series(tmp_path / "in"), wanted, anyway=anyway)

    return call


def test_slices_stand_from_feet_to_head_whatever_files_are_called(
    write_series, noisy, chosen, tmp_path
):
    paths = write_series(tmp_path / "in", [noisy[0]] * 4)
    for path, name in zip(paths, "dacb", strict=True):
        path.rename(path.with_name(name))
    ((one,), _) = chosen()
    assert [file.name for file in one.files] == list("dacb")
    assert [file.position_mm for file in one.files] == [-97, -94, -91, -88]


def test_series_are_told_apart_and_one_can_be_asked_for(write_series, noisy, chosen, tmp_path):
    write_series(tmp_path / "in", noisy[:2], series="1.2.3.1")
    write_series(tmp_path / "in", noisy, series="1.2.3.2")
    found, _ = chosen()
    assert [len(one.files) for one in found] == [2, 3]
    ((one,), _) = chosen("1.2.3.2")
    assert len(one.files) == 3
    with pytest.raises(UsageError, match=r"no series of that UID.*2, 3") as told:
        chosen("1.2.3.99")
    assert "1.2.3" not in str(told.value)


def test_what_is_no_slice_is_left_out_of_a_folder(write_series, noisy, chosen, tmp_path):
    write_series(tmp_path / "in", noisy[:2])
    write_series(tmp_path / "in", noisy[:1], series="1.2.3.5",
                 ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])  # fmt: skip
    write_series(tmp_path / "in", noisy[:1], series="1.2.3.6", Modality="MR")
    (tmp_path / "in" / "read.me").write_text("hello")
    found, aside = chosen()
    assert [len(one.files) for one in found] == [2]
    reasons = sorted(one.reason for one in aside)
    assert reasons == ["a localizer, not a slice in HU", "not CT: modality MR", "not DICOM"]
    found, _ = chosen(anyway=True)
    assert [len(one.files) for one in found] == [2, 1]


def test_where_there_is_nothing_else_all_that_is_wrong_is_told(
    write_series, noisy, chosen, tmp_path
):
    write_series(tmp_path / "in", noisy[:1], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
                 ImageOrientationPatient=[1, 0, 0, 0, 0, -1])  # fmt: skip
    ((one,), _) = chosen()
    assert one.objections == (
        "a localizer, not a slice in HU", "not axial: a sagittal or coronal plane"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Modality": "MR"}, "not CT: modality MR"),
        ({"RescaleSlope": None}, "no rescale"),
        ({"PhotometricInterpretation": "RGB"}, "colour"),
        ({"RescaleType": "US"}, "HU unknown"),
        ({"SOPClassUID": None}, "no UIDs, as before DICOM"),
    ],
)
def test_what_has_no_hu_is_refused_whatever_is_said(
    write_series, noisy, chosen, tmp_path, tags, reason
):
    stored = [np.rint(noisy[0] + 1024).clip(0, 4095)]
    write_series(tmp_path / "in", stored, stored=True, **tags)
    for anyway in (False, True):
        with pytest.raises(UsageError, match=f"no CT slice.*{reason}"):
            chosen(anyway=anyway)


def test_a_series_with_a_hole_is_refused(write_series, noisy, chosen, tmp_path):
    paths = write_series(tmp_path / "in", noisy)
    paths[1].write_bytes(paths[1].read_bytes()[:-1000])
    with pytest.raises(UsageError, match=f"{paths[1].name}: truncated.*hole"):
        chosen()
    ((one,), _) = chosen(anyway=True)
    assert len(one.files) == 2


def test_one_file_twice_is_taken_once(write_series, noisy, chosen, tmp_path):
    paths = write_series(tmp_path / "in", noisy)
    (tmp_path / "in" / "copy.dcm").write_bytes(paths[0].read_bytes())
    ((one,), aside) = chosen()
    assert len(one.files) == 3
    assert [file.reason for file in aside] == ["its SOP Instance UID is that of another file"]


def test_values_that_cannot_be_hu_are_refused(write_series, tmp_path):
    """What decoders make of an encoder's overflow: all of 16 bits, and 1,024 below."""
    stored = np.random.default_rng(0).integers(-32768, 32767, (64, 64))
    (path,) = write_series(tmp_path / "in", [stored], stored=True, BitsStored=16,
                           PixelRepresentation=1)  # fmt: skip
    ((one,), _) = find_series(path)
    with pytest.raises(UsageError, match="cannot be HU"):
        read(one.files[0])


def test_slices_that_share_a_uid_are_no_copies_and_leave_a_hole(
    write_series, noisy, chosen, tmp_path
):
    paths = write_series(tmp_path / "in", noisy)
    first, other = dcmread(paths[0]), dcmread(paths[1])
    other.SOPInstanceUID = first.SOPInstanceUID
    other.save_as(paths[1])
    with pytest.raises(UsageError, match=r"that of another file, which holds another slice.*hole"):
        chosen()
    first.StudyDescription = "sent again"
    first.save_as(paths[1])
    ((one,), _) = chosen()  # what differs is no part of the slice
    assert len(one.files) == 2


def test_an_enhanced_ct_of_one_frame_is_refused(write_series, noisy, chosen, tmp_path):
    write_series(tmp_path / "in", noisy[:1], SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1")
    with pytest.raises(UsageError, match="an Enhanced CT"):
        chosen(anyway=True)
