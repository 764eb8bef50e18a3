"""Files found in the world, each with what becomes of it and why."""

from pathlib import Path
from types import ModuleType

import pytest

from denoisebench.data.intake.dicom import read

# What each odd file is: (rows, columns, least HU, greatest HU), or why it is set aside.
ODD: dict[str, tuple[int, int, int, int] | str] = {
    "any_big_endian": "not CT: modality OT",
    "any_rle": "not CT: modality MR",
    # says HU, slope 1, ORIGINAL; told only by its maker's model name «Cone Beam»
    "cbct_not_hu": "cone-beam",
    "ct_616x616": "not axial",  # its plane is coronal; the size alone would be no reason
    "ct_big_endian": (512, 512, -3024, 1378),  # the padding of -2000 is rescaled as in the file
    "ct_coronal_reformat": "not axial",
    "ct_deflated": "not CT: modality OT",
    # every decoder gives 16-bit nonsense: its encoder overflowed; before the missing PatientID
    "ct_empty_patientid": "cannot be HU: -33792 to 31743",
    "ct_jpeg2000_lossless1": (512, 512, -3024, 1468),
    "ct_jpeg2000_lossless2": (512, 512, -3024, 1468),  # the same slice: a folder keeps one
    "ct_jpeg2000_lossy": "lossy compression (JPEG 2000",  # and flagged 01 besides
    "ct_jpeg_lossless_57": "cannot be HU: -33792 to 31743",  # the file above once more
    "ct_jpeg_lossless_sv1": "localizer",
    "ct_jpeg_lossy": "lossy compression (JPEG baseline)",
    # DERIVED\SECONDARY yet CT Image Storage, axial, with slope and intercept: HU as DICOM defines
    "ct_jpegls_lossless": (512, 512, -2048, 1433),
    "ct_localizer1": "localizer",
    "ct_localizer2": "localizer",
    "ct_missing_rescale1": "screen save",  # a dose report: what it is comes before what it lacks
    "ct_missing_rescale2": "screen save",
    "ct_no_patientid": "localizer",
    # ACR-NEMA, headless: slope, intercept and bits are all stated; a folder asks for a PatientID
    "ct_no_preamble": (512, 512, -949, 1132),
    "ct_rle": (512, 512, -2048, 1433),  # the JPEG-LS slice, encoded another way
    "ct_screen_save": "screen save",  # a rescale does not make a dose report a slice
    "ct_signed_padding": "lossy compression",
    "ct_small_128": (128, 128, -896, 1167),  # small, but not below 64
    "ct_undecodable_lidc": "truncated",
    "ct_unsigned_padding1": "tomosynthesis",
    "enhanced_ct_multiframe": "perfusion map",  # lossy too, and decodable by nobody here
    "j2k_vr_un": (512, 512, -1024, 1186),  # rescale 1 and 0 inside elements of VR UN
    "legacy_enhanced_ct": "fewer than 64 × 64",
    "mr": "not CT: modality MR",
    "rtdose": "not CT: modality RTDOSE",
    "rtstruct": "not CT: modality RTSTRUCT",
    "seg": "not CT: modality SEG",
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_of_the_world(ct_odd_folder: Path, made: ModuleType, name: str) -> None:
    expected = ODD[name]
    path = ct_odd_folder / f"{name}.dcm"
    if isinstance(expected, str):
        assert expected in made.refusal(path)
    else:
        (raw,) = read(path)
        assert (*raw.hu.shape, int(raw.hu.min()), int(raw.hu.max())) == expected


def test_every_odd_file_has_its_answer(ct_odd_folder: Path) -> None:
    assert {path.stem for path in ct_odd_folder.glob("*.dcm")} == set(ODD)
