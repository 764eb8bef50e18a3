"""NIfTI in: the arrays of the equal DICOM series, or the reason why not."""

import contextlib
import gzip
import itertools
import logging
import struct
import sys
import tracemalloc
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from denoisebench.data.intake import dicom
from denoisebench.data.intake.nifti import NotCT, Raw, read, slices

nib = pytest.importorskip("nibabel", reason="the extra nifti is not installed")

PLANES, ROWS, COLUMNS = 4, 66, 72
DOWN, ACROSS, ALONG = 0.7, 0.8, 2.5  # mm between rows, columns and planes
FIRST = (-28.0, -24.0, 100.0)  # mm, of the first voxel: left, posterior, head


def volume(planes: int = PLANES) -> NDArray[np.int16]:
    """(planes, rows, columns) HU as axial DICOM has them: a body off the middle, lungs, noise."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    body = ((rows - 30) / 25) ** 2 + ((columns - 40) / 30) ** 2 < 1
    lung = ((rows - 26) / 9) ** 2 + ((columns - 52) / 7) ** 2 < 1
    hu = np.where(lung, -850, np.where(body, 40, -1000))
    noise = np.random.default_rng(1).normal(0, 15, (planes, *hu.shape))
    return np.maximum(np.rint(hu + noise), -1024).astype(np.int16)


def image(hu: NDArray[Any], *, version: int = 1, **more: Any) -> Any:
    """A NIfTI image of planes as DICOM lays them out; its first voxel is right and anterior."""
    affine = np.diag([-ACROSS, -DOWN, ALONG, 1])
    affine[:3, 3] = -FIRST[0], -FIRST[1], FIRST[2]  # DICOM's left and posterior are NIfTI's minus
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    made = kind(hu.transpose(2, 1, 0), affine, **more)
    made.header.set_xyzt_units("mm")
    made.set_qform(affine, 1)
    return made


def saved(path: Path, hu: NDArray[Any] | None = None, **fields: Any) -> Path:
    """Write `hu` (a body, unless told otherwise), and then fields of the header as they are."""
    nib.save(image(volume() if hu is None else hu), path)
    if fields:
        data = path.read_bytes()
        header = nib.Nifti1Header(data[:348])
        for name, value in fields.items():
            header[name] = value
        path.write_bytes(header.binaryblock + data[348:])
    return path


def refusal(path: Path) -> str:
    with pytest.raises(NotCT) as refused:
        read(path)
    return refused.value.reason


def series(folder: Path, made: ModuleType, **tags: Any) -> list[Raw]:
    """The DICOM slices of `volume()`, from the feet to the head."""
    raws = []
    for index, plane in enumerate(volume()):
        place = {
            "ImagePositionPatient": [FIRST[0], FIRST[1], FIRST[2] + ALONG * index],
            "PixelSpacing": [DOWN, ACROSS], "SliceThickness": ALONG,
            **tags,
        }  # fmt: skip
        path = made.write(folder / f"{index}.dcm", plane.astype(np.int64) + 1024,
                          SOPInstanceUID=f"1.2.3.4.{index}", **place)  # fmt: skip
        raws += dicom.read(path)
    return raws


def assert_same(found: list[Raw], expected: list[Raw]) -> None:
    found = sorted(found, key=lambda raw: raw.position_mm or 0)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.hu, other.hu)
        assert one.hu.dtype == np.int16
        assert one.digest == other.digest
        # 1e-4 mm: the header keeps float32, and positions are rounded to four decimals
        assert one.position_mm == pytest.approx(other.position_mm, abs=1e-4)
        assert one.spacing_mm == pytest.approx(other.spacing_mm, abs=1e-6)
        assert one.thickness_mm == pytest.approx(other.thickness_mm, abs=1e-4)


@pytest.mark.parametrize("packed", ["nii", "nii.gz"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_every_order_and_direction_of_axes_gives_the_slices_of_the_dicom_series(
    tmp_path: Path, made: ModuleType, order: tuple[int, ...], packed: str
) -> None:
    expected = series(tmp_path, made)
    for signs in itertools.product((1, -1), repeat=3):
        turned = image(volume()).as_reoriented(np.array(list(zip(order, signs, strict=True))))
        nib.save(turned, tmp_path / f"a.{packed}")
        assert_same(read(tmp_path / f"a.{packed}"), expected)


def test_what_simpleitk_makes_of_the_dicom_series_gives_its_slices(
    tmp_path: Path, made: ModuleType
) -> None:
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    expected = series(tmp_path, made, SeriesInstanceUID="1.2.3.4")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(tmp_path / f"{index}.dcm") for index in range(PLANES)])
    for name in ("a.nii", "a.nii.gz"):
        sitk.WriteImage(reader.Execute(), str(tmp_path / name))
        assert_same(read(tmp_path / name), expected)


def test_a_tilted_gantry_gives_positions_along_the_normal_as_dicom_does(
    tmp_path: Path, made: ModuleType
) -> None:
    tilted = {"ImageOrientationPatient": [1, 0, 0, 0, 0.8, -0.6]}
    (expected,) = series(tmp_path, made, **tilted)[:1]
    one = image(volume())
    one.affine[:3, 1] = -np.array([0, 0.8, 0.6]) * DOWN  # RAS: y is minus DICOM's
    nib.save(type(one)(one.dataobj, one.affine), tmp_path / "a.nii")
    raws = read(tmp_path / "a.nii")
    assert raws[0].position_mm == pytest.approx(expected.position_mm, abs=1e-4)
    assert np.array_equal(raws[0].hu, expected.hu)
    assert raws[1].position_mm == pytest.approx(expected.position_mm + 0.8 * ALONG, abs=1e-4)


@pytest.mark.parametrize("packed", ["nii", "nii.gz"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", ["i2", "i4", "i8", "f4", "f8"])
def test_every_type_of_voxel_gives_the_same_hu(
    tmp_path: Path, kind: str, version: int, order: str, packed: str
) -> None:
    hu = volume().astype(order + kind)
    header = (nib.Nifti1Header if version == 1 else nib.Nifti2Header)(endianness=order)
    one = image(hu, version=version, header=header, dtype=hu.dtype)
    nib.save(one, tmp_path / f"a.{packed}")
    assert nib.load(tmp_path / f"a.{packed}").header.get_data_dtype() == hu.dtype
    assert np.array_equal([raw.hu for raw in read(tmp_path / f"a.{packed}")], volume())


def test_slope_and_intercept_are_applied_and_rounded_as_in_dicom(
    tmp_path: Path, made: ModuleType
) -> None:
    stored = volume() + 1024
    header = {"scl_slope": 1.000244, "scl_inter": -1024}
    raws = read(saved(tmp_path / "a.nii", stored.astype(np.int16), **header))
    same = made.write(
        tmp_path / "a.dcm", stored[0].astype(np.int64), RescaleSlope=1.000244,
        PixelRepresentation=1,
    )  # fmt: skip
    assert np.array_equal(raws[0].hu, dicom.read(same)[0].hu)
    unsigned = saved(tmp_path / "b.nii", stored.astype(np.uint16), scl_slope=1, scl_inter=-1024)
    assert np.array_equal(read(unsigned)[0].hu, volume()[0])


@pytest.mark.parametrize("slope", [0, np.nan, np.inf])
def test_a_slope_that_says_nothing_is_none(tmp_path: Path, slope: float) -> None:
    path = saved(tmp_path / "a.nii", scl_slope=slope, scl_inter=np.nan)
    assert np.array_equal(read(path)[0].hu, volume()[0])


def test_floats_within_a_thousandth_of_whole_numbers_are_hu(tmp_path: Path) -> None:
    near = volume().astype(np.float32) + np.float32(0.0009)
    assert np.array_equal(read(saved(tmp_path / "a.nii", near))[0].hu, volume()[0])


def test_one_volume_of_four_dimensions_is_read(tmp_path: Path) -> None:
    one = image(volume())
    nib.save(type(one)(np.asarray(one.dataobj)[..., None], one.affine), tmp_path / "a.nii")
    assert len(read(tmp_path / "a.nii")) == PLANES


def test_planes_of_one_value_are_left_out_and_frames_keep_their_numbers(tmp_path: Path) -> None:
    hu = volume(5)
    hu[0], hu[3] = -1024, 0
    raws = read(saved(tmp_path / "a.nii", hu))
    assert [raw.frame for raw in raws] == [2, 3, 5]
    assert [raw.position_mm for raw in raws] == [102.5, 105.0, 110.0]


def test_nobody_is_named(tmp_path: Path) -> None:
    one = image(volume())
    one.header["descrip"], one.header["aux_file"] = b"CANARY", b"CANARY"
    one.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"CANARY"))
    nib.save(one, tmp_path / "CANARY.nii")
    for raw in read(tmp_path / "CANARY.nii"):
        assert (raw.patient_id, raw.series_uid, raw.sop_uid) == ("", "", "")
        assert "CANARY" not in repr(raw)


def phase() -> NDArray[np.int16]:
    """Phases of MR, -4096 to 4095: as low as air, and nothing in common with HU."""
    drawn = np.random.default_rng(2).integers(-4096, 4096, (PLANES, ROWS, COLUMNS))
    return drawn.astype(np.int16)


LABELS = (volume() > -500).astype(np.int16) * 5
NAN = volume().astype(np.float32)
NAN[2, 5, 5] = np.nan
REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "mask of 16 bits": (LABELS, {}, "a label map: 2 values from 0 to 5"),
    "mask of floats": (LABELS.astype(np.float32), {}, "a label map: 2 values"),
    "mask of 8 bits": (LABELS.astype(np.uint8), {}, "8 bits a voxel"),
    "labels by intent": (None, {"intent_code": 1002}, "a label map"),
    "MR": (np.abs(phase()), {}, "cannot be told for HU: 0 to 4096, no air"),
    "phases of MR": (phase(), {}, "cannot be told for HU: -4096 to 4095, no air"),
    "grey levels from 0": (volume() + 1024, {}, "cannot be told for HU"),
    "no air": (np.maximum(volume(), -200), {}, "cannot be told for HU: -200 to"),
    "blank": (np.full_like(volume(), -1000), {}, "blank: every voxel is -1000"),
    "a window of 0 to 1": (volume() / np.float32(4000), {}, "no whole HU"),
    "resampled": (volume() + np.float32(0.4), {}, "no whole HU"),
    "not a number": (NAN, {}, "values that cannot be HU: nan"),
    "past int16": (volume() * np.int32(100), {}, "values that cannot be HU: -10"),
    "past int16 by its scale": (None, {"scl_slope": 1e30, "scl_inter": 0}, "cannot be HU"),
    "slope below 0": (None, {"scl_slope": -1, "scl_inter": 0}, "HU unknown"),
    "intercept NaN": (None, {"scl_slope": 1, "scl_inter": np.nan}, "HU unknown"),
    "colour": (None, {"datatype": 128, "bitpix": 24}, "colour"),
    "complex": (None, {"datatype": 32, "bitpix": 64}, "complex"),
    "two volumes": (None, {"dim": [4, COLUMNS, ROWS, 2, 2, 1, 1, 1]}, "several volumes"),
    "vectors": (None, {"dim": [5, COLUMNS, ROWS, 2, 1, 2, 1, 1]}, "several volumes"),
    "one picture": (None, {"dim": [2, COLUMNS, ROWS, 1, 1, 1, 1, 1]}, "three dimensions"),
    "negative size": (None, {"dim": [3, COLUMNS, -ROWS, 4, 1, 1, 1, 1]}, "three dimensions"),
    "small": (None, {"dim": [3, 63, ROWS, 4, 1, 1, 1, 1]}, "66 × 63 pixels, fewer than 64"),
    "wide": (None, {"dim": [3, 9000, 1, 2, 1, 1, 1, 1]}, "1 × 9000 pixels, fewer"),
    "huge": (None, {"dim": [3, 32767, 32767, 32767, 1, 1, 1, 1]}, "more than 4 GiB of voxels"),
    "claims more": (None, {"dim": [3, COLUMNS, ROWS, 9, 1, 1, 1, 1]}, "truncated: 85536 bytes"),
    "no orientation": (None, {"sform_code": 0, "qform_code": 0}, "no orientation"),
    "orientation NaN": (None, {"srow_x": [np.nan, 0, 0, 0]}, "orientation cannot be read"),
    "origin NaN": (None, {"srow_x": [-ACROSS, 0, 0, np.nan]}, "orientation cannot be read"),
    "flat orientation": (None, {"srow_z": [0, 0, 0, 0]}, "orientation cannot be read"),
    "two orientations": (None, {"srow_x": [ACROSS, 0, 0, 0]}, "contradict each other"),
    "metres": (None, {"xyzt_units": 1}, "not in mm"),
    "voxels anywhere": (None, {"vox_offset": np.nan}, "damaged NIfTI"),
    "voxels far off": (None, {"vox_offset": 3e38}, "damaged NIfTI"),
    "voxels in the header": (None, {"vox_offset": 16}, "damaged NIfTI"),
    "unknown type": (None, {"datatype": 9999}, "damaged NIfTI"),
    "two files": (None, {"magic": b"ni1"}, "in another file (.img)"),
    "bad magic": (None, {"magic": b"n+9"}, "not NIfTI"),
}


@pytest.mark.parametrize(("hu", "fields", "reason"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("packed", [False, True], ids=["nii", "gz"])
def test_what_is_not_ct_in_hu_is_refused_with_its_reason(
    tmp_path: Path, hu: Any, fields: dict[str, Any], reason: str, packed: bool
) -> None:
    path = saved(tmp_path / "a.nii", hu, **fields)
    if packed and reason.startswith("truncated"):
        reason = "truncated"  # how much is in there is seen at the end
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert reason in refusal(path)


def turned(path: Path, way: list[list[float]]) -> Path:
    """Write the body in planes whose columns, rows and normal point along three directions."""
    turn = np.eye(4)
    turn[:3, :3] = np.array([direction / np.linalg.norm(direction) for direction in way]).T
    one = image(volume())
    nib.save(type(one)(one.dataobj, turn @ one.affine), path)
    return path


def test_planes_up_to_45_degrees_from_axial_are_read(tmp_path: Path) -> None:
    tilted = turned(tmp_path / "a.nii", [[1, 0, 0], [0, 1, 0.95], [0, -0.95, 1]])
    assert len(read(tilted)) == PLANES
    # on a corner: each axis stands 55° from the patient's
    corner = [[2**0.5, 0, 1], [-(0.5**0.5), 1.5**0.5, 1], [-(0.5**0.5), -(1.5**0.5), 1]]
    assert "oblique" in refusal(turned(tmp_path / "b.nii", corner))


def test_slices_of_another_plane_side_by_side_are_no_axial_ones(tmp_path: Path) -> None:
    tall = np.repeat(volume(), 16, axis=0)  # enough planes for 64 rows
    one = image(tall)
    coronal = np.diag([-ACROSS, 0, 0, 1])
    coronal[2, 1], coronal[1, 2] = DOWN, -ALONG  # rows towards the head, 2.5 mm between planes
    nib.save(type(one)(one.dataobj, coronal), tmp_path / "a.nii")
    assert "not square" in refusal(tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "zero bytes"),
        (b"\x5c\x01", "not NIfTI"),
        (struct.pack("<i", 348) + bytes(100), "truncated within its header"),
        (struct.pack(">i", 348) + bytes(400), "not NIfTI"),
        (b"path,split\n" * 100, "not NIfTI"),
        (b"\x1f\x8b" + bytes(400), "damaged NIfTI (BadGzipFile)"),
        (gzip.compress(b"a tar of slices" * 100, mtime=0), "not NIfTI"),
        (gzip.compress(bytes(400), mtime=0)[:15], "truncated within its header"),
    ],
)
def test_files_of_other_kinds_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "a.nii.gz").write_bytes(data)
    assert refusal(tmp_path / "a.nii.gz") == reason


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nii").mkdir()
    assert refusal(tmp_path / "a.nii") == "not a regular file"
    assert "No such file" in refusal(tmp_path / "b.nii")


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9, 0.9999])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)], ids=["along", "across"])
@pytest.mark.parametrize("packed", ["nii", "nii.gz"])
def test_a_truncated_file_is_refused(
    tmp_path: Path, packed: str, order: tuple[int, ...], kept: float
) -> None:
    path = tmp_path / f"a.{packed}"
    turned = image(volume()).as_reoriented(np.array([(axis, 1) for axis in order]))
    nib.save(turned, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    assert "truncated" in refusal(path)


def test_flipped_bits_in_compressed_voxels_fail_the_checksum(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii")
    data = bytearray(gzip.compress(path.read_bytes(), 0))  # stored: any bit still inflates
    data[-2000] ^= 1
    path.write_bytes(data)
    found = slices(path)
    assert next(found).frame == 1  # what comes first is sound, what comes after tells
    with pytest.raises(NotCT, match="damaged NIfTI"):
        list(found)


def test_slices_come_one_at_a_time_and_a_bomb_stays_small(tmp_path: Path) -> None:
    # 64 MiB of zeros in 64 KiB; a plane is 128 KiB
    header = image(volume()).header.copy()
    header["dim"] = [3, 256, 256, 512, 1, 1, 1, 1]
    header["magic"], header["vox_offset"], header["datatype"] = b"n+1", 352, 4
    data = header.binaryblock + bytes(4)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(data + bytes(64 << 20)))
    tracemalloc.start()
    try:
        assert refusal(tmp_path / "a.nii.gz") == "blank: every voxel is 0"
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_header_that_claims_more_than_a_bomb_could_hold_is_not_inflated(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", dim=[3, 4096, 4096, 100, 1, 1, 1, 1])
    path.write_bytes(gzip.compress(path.read_bytes()[:2000]))
    assert refusal(path).startswith("truncated: 3355443200 bytes of voxels claimed")


def test_without_nibabel_the_reason_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a.nii")
    monkeypatch.setitem(sys.modules, "nibabel", None)
    assert refusal(path) == "NIfTI needs the extra nifti: pip install 'denoisebench[nifti]'"


def test_no_warning_and_no_log_line_comes_out_and_mutations_give_slices_or_a_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(4)
    path = saved(tmp_path / "a.nii")
    good = path.read_bytes()
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        for case in range(300):
            data = bytearray(good)
            for place in draw.integers(0, 352, draw.integers(1, 6)):
                data[place] = draw.integers(256)
            path.write_bytes(data if case % 2 else gzip.compress(data, 1))
            with contextlib.suppress(NotCT):
                assert all(raw.hu.dtype == np.int16 for raw in read(path))
    assert not caught
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
