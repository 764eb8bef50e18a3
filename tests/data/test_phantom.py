"""The embedded data set: same bits everywhere, anatomy where it belongs, quick enough."""

import ast
import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from denoisebench.data import phantom
from denoisebench.data.phantom import raster
from denoisebench.data.phantom.curves import CIRCLE, direction, oval, ribbon
from denoisebench.data.phantom.randomness import Stream
from denoisebench.data.phantom.texture import blur, field

# SHA-256 of the HU as little-endian int16 in C order; (patient, slice, size)
DIGESTS = {
    (0, 0, 64): "f9d8fedb531d71e412f1b9d18f9d96cdaa1a0d95ff50f5057675b43f9eac2773",
    (1, 1, 64): "0155a9dfb48eb605fa6b0a7828549286a4522893143b68f3c5b9651072c26ae9",
    (2, 2, 64): "a46a2db08f5f933a6eb3288a4adda7e23470c0c9173e6c0a06c0e909f1b184d1",
    (3, 3, 64): "0aef6ba09f9a9235f0ff4c7a783969e5d604adc3bb23363d703a95d1a2c4e44d",
    (63, 1, 128): "ca0f95417203b893beb252fc76a53abd11de5211f4c5d4a52a2ed6b05f3c570c",
    (17, 2, 512): "26c26b7406ed1456033a6d5de16d1944daf69107cfae2fda63c92a2cf38f1805",
    (40, 3, 512): "5d4a4325eb0a01b97aef4df6154447b6f7369b68de9b7fb35ad22b174b8527db",
}


def digest(hu: NDArray[np.int16]) -> str:
    return hashlib.sha256(hu.astype("<i2").tobytes()).hexdigest()


@pytest.mark.parametrize(("patient", "index", "size"), DIGESTS)
def test_a_slice_has_the_committed_bits(patient: int, index: int, size: int) -> None:
    assert digest(phantom.draw(patient, index, size=size)) == DIGESTS[patient, index, size]


def test_a_slice_is_hu_as_int16() -> None:
    hu = phantom.draw(1, 2, size=64)
    assert hu.dtype == np.int16
    assert hu.shape == (64, 64)
    assert hu.flags.c_contiguous
    assert hu.min() >= -1024
    assert hu.max() <= 3071


def test_drawing_again_gives_the_same_slice_whatever_was_drawn_between() -> None:
    first = phantom.draw(3, 1, size=64)
    phantom.draw(4, 2, size=128)
    np.random.default_rng(0).normal(size=10)
    assert np.array_equal(first, phantom.draw(3, 1, size=64))


def test_64_patients_of_4_slices_are_all_distinct() -> None:
    seen = {digest(phantom.draw(p, i, size=64)) for p in range(64) for i in range(4)}
    assert len(seen) == 64 * 4


def test_four_slices_are_one_of_each_level_from_head_to_foot() -> None:
    for patient in range(20):
        assert [phantom.level(patient, i) for i in range(4)] == list(phantom.LEVELS)


@pytest.mark.parametrize("slices", [1, 3, 9, 40])
def test_levels_of_any_count_go_from_neck_to_pelvis(slices: int) -> None:
    order = [phantom.LEVELS.index(phantom.level(7, i, slices)) for i in range(slices)]
    assert order == sorted(order)


def test_field_of_view_differs_between_patients_and_does_not_depend_on_size() -> None:
    pixels = {phantom.spacing_mm(patient) for patient in range(64)}
    assert len(pixels) == 64
    # a field of 30 to 55 cm, as scanners offer for a torso
    assert all(300 / 512 < row == column < 550 / 512 for row, column in pixels)
    row, column = phantom.spacing_mm(5, size=64)
    assert (row / 8, column / 8) == phantom.spacing_mm(5)


@pytest.mark.parametrize("size", [64, 100, 257])
def test_any_size_shows_the_same_patient(size: int) -> None:
    # 150 HU: at 64 the thin things (skin, ribs' cortex) are averaged away
    small, large = phantom.draw(2, 2, size=size), phantom.draw(2, 2, size=512)
    assert small.shape == (size, size)
    assert abs(_body(small).mean() - _body(large).mean()) < 0.02
    inside = abs(float(np.median(small[_body(small)])) - float(np.median(large[_body(large)])))
    assert inside < 150


def test_size_below_64_and_slice_out_of_range_are_told() -> None:
    with pytest.raises(ValueError, match="at least 64"):
        phantom.draw(0, 0, size=63)
    with pytest.raises(ValueError, match="0 to 3"):
        phantom.draw(0, 4)
    with pytest.raises(ValueError, match="0 to 3"):
        phantom.level(0, -1)
    with pytest.raises(ValueError, match="patient"):
        phantom.draw(-1, 0)


def _body(hu: NDArray[np.int16]) -> NDArray[np.bool_]:
    return hu > -300


def test_each_slice_holds_air_fat_soft_tissue_and_bone() -> None:
    for patient in range(8):
        for index in range(4):
            hu = phantom.draw(patient, index, size=128)
            # the thinnest neck in the widest field has some 15 pixels of bone at this size
            for low, high, least in (
                (-1024, -900, 0.2),
                (-140, -60, 0.005),
                (0, 120, 0.02),
                (300, 3071, 0.0005),
            ):
                share = float(((hu >= low) & (hu <= high)).mean())
                assert share > least, (patient, index, low, high)


def test_the_chest_has_lung_and_the_abdomen_has_less() -> None:
    def lung(index: int) -> float:
        slices = [phantom.draw(patient, index, size=64) for patient in range(12)]
        return float(np.mean([((s > -895) & (s < -600)).mean() for s in slices]))

    # at 64 pixels a rim of skin and air reads as lung too
    assert lung(1) > lung(2) + 0.08


def test_contrast_differs_between_patients() -> None:
    # the brightest vessels: arterial patients have many pixels of 250 to 400 HU in the heart
    bright = [phantom.draw(p, 1, size=128) for p in range(16)]
    shares = [float(((s > 110) & (s < 400)).mean()) for s in bright]
    assert max(shares) > 3 * min(shares)


def test_coverage_of_a_rectangle_is_its_exact_area() -> None:
    corners = np.array([[2.25, 3.5], [7.75, 3.5], [7.75, 9.0], [2.25, 9.0]])
    mask = raster.cover([corners], 16)
    assert float(mask.cover.sum()) == 5.5 * 5.5
    assert float(mask.cover[0, 0]) == 0.75 * 0.5


def test_coverage_of_a_circle_approaches_its_area() -> None:
    mask = raster.cover([oval(50.3, 49.1, 30.0, 30.0)], 100)
    # a polygon of 64 corners has 0.16 % less area than its circle
    assert float(mask.cover.sum()) == pytest.approx(np.pi * 900, rel=0.003)


def test_curves_that_leave_the_image_are_cut_at_its_border() -> None:
    inside = raster.cover([oval(0.0, 5.0, 60.0, 3.0)], 32)
    assert inside.box == (slice(2, 9), slice(0, 32))
    # its rows 4 and 5 (of the box: 2 and 3) reach past both borders
    assert inside.cover[2].min() == 1.0
    assert raster.cover([oval(-50.0, 5.0, 10.0, 3.0)], 32).empty


def test_overlapping_curves_count_once() -> None:
    mask = raster.cover([oval(10, 10, 5, 5), oval(12, 10, 5, 5)], 24)
    assert float(mask.cover.max()) == 1.0


def test_the_circle_of_exact_arithmetic_is_a_circle() -> None:
    turns = np.arange(64) / 64
    # 1e-7: what the truncated series leaves after three doublings
    assert np.allclose(CIRCLE[:, 0], np.cos(2 * np.pi * turns), atol=1e-7)
    assert np.allclose(CIRCLE[:, 1], np.sin(2 * np.pi * turns), atol=1e-7)
    assert direction(1.25) == direction(0.25)


def test_a_ribbon_is_as_wide_as_asked() -> None:
    band = ribbon([(0.0, 8.0), (16.0, 8.0), (30.0, 8.0)], 4.0)
    mask = raster.cover([band], 40)
    assert float(mask.cover[:, 12].sum()) == pytest.approx(4.0, abs=0.02)


def test_blur_keeps_a_constant_and_a_sum() -> None:
    flat = np.full((16, 16), 40.0, dtype=np.float32)
    # 1e-4: weights are rounded to float32
    assert np.allclose(blur(flat, 0.2, -0.02), 40.0, atol=1e-4)
    point = np.zeros((16, 16), dtype=np.float32)
    point[8, 8] = 1.0
    assert float(blur(point, 0.2, 0.02).sum()) == pytest.approx(1.0, abs=1e-5)


def test_texture_has_mean_zero_and_spread_one() -> None:
    grain = field(Stream("test"), 256, 2.0, 2.0)
    assert abs(float(grain.mean())) < 0.05
    assert float(grain.std()) == pytest.approx(1.0, abs=0.35)


def test_streams_are_told_apart_by_name() -> None:
    assert Stream("a", 1).uniform() == Stream("a", 1).uniform()
    assert Stream("a", 1).uniform() != Stream("a", 2).uniform()


def test_nothing_in_the_package_may_differ_between_machines() -> None:
    """No libm, no BLAS, no float sum of free order, no distribution of numpy's."""
    banned = {
        "sin",
        "cos",
        "tan",
        "exp",
        "log",
        "power",
        "hypot",
        "arctan2",
        "interp",
        "linspace",
        "dot",
        "matmul",
        "einsum",
        "mean",
        "sum",
        "std",
        "var",
        "convolve",
        "default_rng",
        "normal",
        "standard_normal",
        "random",
        "scipy",
        "gaussian_filter",
        "pow",
    }
    allowed = {("randomness.py", "random")}
    for path in sorted(Path(phantom.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute | ast.Name):
                name = node.attr if isinstance(node, ast.Attribute) else node.id
                assert name not in banned or (path.name, name) in allowed, (path.name, name)
            assert not isinstance(node, ast.Pow | ast.MatMult), path.name
