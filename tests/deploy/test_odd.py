"""Files found in the world: what becomes of each, and why."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from denoisebench.data.intake import dicom
from denoisebench.deploy.denoise import denoise_file
from denoisebench.deploy.fitness import look, objections
from denoisebench.deploy.series import choose, find_series, read
from denoisebench.errors import UsageError

# Nobody's word makes HU of these.
NEVER = {
    "any_big_endian": "modality OT", "any_rle": "modality MR", "ct_deflated": "modality OT",
    "mr": "modality MR", "rtdose": "RTDOSE", "rtstruct": "RTSTRUCT", "seg": "SEG",
    "ct_empty_patientid": "cannot be HU", "ct_jpeg_lossless_57": "cannot be HU",
    "ct_jpeg2000_lossy": "lossy", "ct_jpeg_lossy": "lossy", "ct_signed_padding": "lossy",
    "enhanced_ct_multiframe": "lossy", "ct_missing_rescale1": "Secondary Capture",
    "ct_missing_rescale2": "Secondary Capture", "ct_screen_save": "Secondary Capture",
    "ct_undecodable_lidc": "truncated", "ct_unsigned_padding1": "truncated",
    "legacy_enhanced_ct": "HU unknown", "ct_no_preamble": "no UIDs, as before DICOM",
}  # fmt: skip
# These are denoised when told: what they are otherwise.
TOLD = {
    "cbct_not_hu": "cone-beam", "ct_616x616": "not axial", "ct_coronal_reformat": "not axial",
    "ct_jpeg_lossless_sv1": "localizer", "ct_localizer1": "localizer",
    "ct_localizer2": "16 × 16", "ct_no_patientid": "localizer",
}  # fmt: skip
# Axial CT in every encoding; diagnostic, so clean: refused for their noise alone.
CLEAN = {"ct_big_endian", "ct_jpeg2000_lossless1", "ct_jpeg2000_lossless2", "ct_jpegls_lossless",
         "ct_rle", "ct_small_128", "j2k_vr_un"}  # fmt: skip


@pytest.mark.parametrize("name", NEVER)
def test_what_has_no_hu_is_refused(ct_odd_folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match=NEVER[name]):  # noqa: PT012  # either may find it out
        chosen, _ = choose(*find_series(ct_odd_folder / f"{name}.dcm"), None, anyway=True)
        read(chosen[0].files[0])


@pytest.mark.parametrize("name", [*TOLD, *sorted(CLEAN)])
def test_what_can_be_denoised_keeps_padding_geometry_and_all_beyond_the_window(
    ct_odd_folder: Path, method, tmp_path: Path, name: str
) -> None:
    source = ct_odd_folder / f"{name}.dcm"
    (one,), _ = choose(*find_series(source), None, anyway=True)
    image = read(one.files[0])
    wrong = [*one.objections, *objections(method(), look([image]))]
    assert any(TOLD.get(name, "over-smoothed") in reason for reason in wrong)
    assert len(wrong) == 1 or name in TOLD
    denoise_file(image, method(), tmp_path / "out.dcm")
    before, after = (dcmread(path, force=True) for path in (source, tmp_path / "out.dcm"))
    for keyword in ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "BitsStored",
                    "ImageOrientationPatient", "PixelRepresentation", "StudyInstanceUID",
                    "FrameOfReferenceUID", "PixelPaddingValue"):  # fmt: skip
        assert before.get(keyword) == after.get(keyword), keyword
    written = dicom.read_stored(tmp_path / "out.dcm", lambda reason: None)
    assert np.array_equal(written.padding(written.stored), image.padding)
    far = (image.hu < -160 - 6 * 78.5) | (image.hu > 240 + 6 * 78.5) | image.padding
    assert np.array_equal(written.stored[far], image.source.stored[far])


def test_every_odd_file_has_its_answer(ct_odd_folder: Path) -> None:
    assert {path.stem for path in ct_odd_folder.glob("*.dcm")} == {*NEVER, *TOLD, *CLEAN}
