"""One file in: HU worked by hand, or the reason why there are none."""

import hashlib
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from denoisebench.data.intake import dicom
from denoisebench.data.intake.dicom import NotCT, read, slices
from denoisebench.data.intake.header import Frame

HU = [-1024, -850, -100, 0, 60, 1000, 3071]


def first_row(path: Path) -> list[int]:
    (raw,) = read(path)
    return [int(value) for value in raw.hu[0, :7]]


def test_place_and_names_are_read(tmp_path: Path, made: ModuleType) -> None:
    (raw,) = read(made.write(tmp_path / "a.dcm", PatientID=" Iris "))
    assert (raw.patient_id, raw.series_uid, raw.sop_uid) == ("Iris", "1.2.3.4", "1.2.3.4.5")
    assert (raw.frame, raw.position_mm, raw.thickness_mm) == (1, 12.5, 2.5)
    assert raw.spacing_mm == (0.7, 0.8)
    # 64 × 64 values packed as little-endian int16 by `struct`
    packed = struct.pack("<4096h", *(HU[i % 7] for i in range(4096)))
    assert raw.digest == hashlib.sha256(packed).hexdigest()


def test_position_grows_towards_the_head_whichever_way_rows_run(
    tmp_path: Path, made: ModuleType
) -> None:
    flipped = made.write(tmp_path / "a.dcm", ImageOrientationPatient=[1, 0, 0, 0, -1, 0])
    assert read(flipped)[0].position_mm == 12.5


def test_position_lies_along_the_normal_of_a_tilted_gantry(
    tmp_path: Path, made: ModuleType
) -> None:
    tilted = made.write(
        tmp_path / "a.dcm",
        ImageOrientationPatient=[1, 0, 0, 0, 0.8, -0.6],
        ImagePositionPatient=[0, 10, 20],
    )
    # normal (0, 0.6, 0.8): 0.6 · 10 + 0.8 · 20
    assert read(tilted)[0].position_mm == pytest.approx(22.0)


def test_slope_is_applied_in_float_and_rounded_to_the_nearest(
    tmp_path: Path, made: ModuleType
) -> None:
    # 1.000244 · 2024 - 1024 = 1000.49…; 0.3 · 5 = 1.5 → 2; 0.3 · 3 = 0.9 → 1 (by hand)
    path = made.write(tmp_path / "a.dcm", made.tiled([0, 2024, 4095]), RescaleSlope=1.000244)
    assert read(path)[0].hu[0, :3].tolist() == [-1024, 1000, 3072]
    path = made.write(
        tmp_path / "b.dcm",
        made.tiled([0, 3, 5, 15]),
        RescaleSlope=0.3,
        RescaleIntercept=-2,
    )
    assert read(path)[0].hu[0, :4].tolist() == [-2, -1, 0, 2]


@pytest.mark.parametrize(
    ("stored", "tags", "hu"),
    [
        # GE: signed, padding -2000 outside the circle; the file's own rescale makes it -3024
        ([-2000, 0, 1064], {"PixelRepresentation": 1, "PixelPaddingValue": -2000},
         [-3024, -1024, 40]),
        # unsigned pixels, the padding declared as signed: alone past int16, so made darkest
        ([63536, 0, 1064], {"PixelPaddingValue": -2000}, [-32768, -1024, 40]),
        # padding alone below int16
        ([-32768, 0, 1064], {"PixelRepresentation": 1, "PixelPaddingValue": -32768},
         [-32768, -1024, 40]),
        # a padding range
        ([-32768, -32000, 1064], {"PixelRepresentation": 1, "PixelPaddingValue": -32768,
                                  "PixelPaddingRangeLimit": -31990}, [-32768, -32768, 40]),
        # 12 bits stored, the overlay's bit 15 set in a pixel of 40 HU
        ([0, 1064 + 32768, 1064], {"BitsStored": 12}, [-1024, 40, 40]),
        # 12 signed bits in 16 with the sign in bit 11 only: 0xC18 is -1000
        ([0x0C18, 24, 1000], {"BitsStored": 12, "PixelRepresentation": 1, "RescaleIntercept": 0},
         [-1000, 24, 1000]),
        # 12 bits stored, yet padding uses all 16: it stays what it was declared to be
        ([-3000, 0, 1064], {"BitsStored": 12, "PixelRepresentation": 1, "PixelPaddingValue": -3000},
         [-4024, -1024, 40]),
        # and so it does where signed padding is declared as unsigned: 62536 is -3000
        ([-3000, 0, 1064], {"BitsStored": 12, "PixelRepresentation": 1, "PixelPaddingValue": 62536},
         [-4024, -1024, 40]),
        # MONOCHROME1 says how to show values, not what they mean
        ([0, 1064, 2024], {"PhotometricInterpretation": "MONOCHROME1"}, [-1024, 40, 1000]),
    ],
)  # fmt: skip
def test_signs_padding_and_unused_bits(
    tmp_path: Path, made: ModuleType, stored: list[int], tags: dict[str, Any], hu: list[int]
) -> None:
    path = made.write(tmp_path / "a.dcm", made.tiled(stored), **tags)
    assert read(path)[0].hu[0, :3].tolist() == hu


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("intercept", [-32768, -1024, -1000, -1, 0, 1, 24])
@pytest.mark.parametrize("bits", [12, 15, 16])
def test_whole_numbers_equal_the_float_formula_over_all_stored_values(
    made: ModuleType, bits: int, intercept: int, signed: bool
) -> None:
    header = made.header(BitsStored=bits, PixelRepresentation=int(signed))
    least = -(1 << (bits - 1)) if signed else 0
    every = np.arange(least, least + (1 << bits))
    fits = every[(every + intercept >= -32768) & (every + intercept <= 32767)]
    assert fits.size > 2000
    expected = np.rint(fits * 1.0 + float(intercept))
    frame = Frame(1.0, float(intercept), None, (1.0, 1.0), 1.0)
    stored = fits.astype(np.int16 if signed else np.uint16)[None]
    if expected.min() >= 0:
        with pytest.raises(NotCT, match="none below 0"):
            dicom._hu(header, stored, frame)
        return
    by_float = dicom._hu_by_float(header, dicom._used(header, stored), frame)
    whole = dicom._hu(header, stored.copy(), frame)
    assert whole.dtype == by_float.dtype == np.int16
    assert np.array_equal(whole[0], expected)
    assert np.array_equal(by_float[0], expected)


def test_frames_come_one_at_a_time(tmp_path: Path, made: ModuleType) -> None:
    stored = np.stack([made.body(seed) for seed in range(3)])
    tags = made.enhanced(stored, [(1, -1024)] * 3)
    path = made.write(tmp_path / "a.dcm", **tags)
    one = next(frames := slices(path))
    assert (one.frame, one.digest) == (1, read(path)[0].digest)
    frames.close()  # type: ignore[attr-defined]  # and with it the file
    path.unlink()


def test_each_frame_of_an_enhanced_ct_is_a_slice_with_its_own_rescale(
    tmp_path: Path, made: ModuleType
) -> None:
    stored = np.stack([made.tiled([0, 1000, 2000])] * 3)
    path = made.write(
        tmp_path / "a.dcm", **made.enhanced(stored, [(1, -1024), (1, -1000), (0.5, -1024)])
    )
    raws = read(path)
    assert [raw.hu[0, :3].tolist() for raw in raws] == [
        [-1024, -24, 976],
        [-1000, 0, 1000],
        [-1024, -524, -24],
    ]
    assert [raw.frame for raw in raws] == [1, 2, 3]
    assert [raw.position_mm for raw in raws] == [100, 105, 110]
    assert {raw.spacing_mm for raw in raws} == {(0.5, 0.6)}


def test_a_file_without_preamble_is_read_where_it_plainly_is_dicom(
    tmp_path: Path, made: ModuleType
) -> None:
    path = made.write(tmp_path / "a.dcm", syntax="1.2.840.10008.1.2")
    data = path.read_bytes()
    length = int.from_bytes(data[140:144], "little")  # of the file meta, after its own tag
    path.write_bytes(data[144 + length :])
    assert first_row(path) == HU
