"""SWD, bias of HU and distance of noise power spectra."""

import math

import numpy as np
import pytest
import torch
from denoisebench.registry.metrics.hu_bias import hu_bias
from denoisebench.registry.metrics.nps_distance import flat, nps_distance, patches, radial_power
from denoisebench.registry.metrics.swd import directions, places, pyramid, smooth, swd
from torch import Tensor

from denoisebench import UsageError

WIDE = (-1000.0, 1000.0)


def noise(seed: int, sigma: float = 1.0, side: int = 128) -> Tensor:
    draw = np.random.default_rng(seed).normal(0, sigma, (1, 1, side, side))
    return torch.from_numpy(draw)


@pytest.mark.parametrize("metric", [swd, hu_bias, nps_distance])
def test_equal_slices_are_at_distance_zero(metric, overshooting):
    for image in (overshooting[0], torch.zeros(1, 1, 64, 64)):
        assert metric(image, image).tolist() == [0.0] * len(image)


@pytest.mark.parametrize("metric", [swd, hu_bias, nps_distance])
def test_a_slices_score_does_not_depend_on_the_batch_it_came_in(metric, overshooting):
    output, target = overshooting
    alone = [float(metric(output[i : i + 1], target[i : i + 1])) for i in range(3)]
    # 1e-12: sums in another order
    assert metric(output, target).tolist() == pytest.approx(alone, rel=1e-12)


# ---- swd


def test_the_pyramid_adds_up_to_the_slice(overshooting):
    image = overshooting[0][..., :65]  # odd: the smaller level has the larger half
    levels = pyramid(image)
    assert [tuple(level.shape[-2:]) for level in levels] == [(96, 65), (48, 33), (24, 17)]
    back = levels[-1]
    for level in reversed(levels[:-1]):
        wide = torch.zeros_like(level)
        wide[..., ::2, ::2] = back
        back = level + 4 * smooth(wide)
    # 1e-10: float64 sums and differences of grey levels
    assert torch.allclose(back, image, atol=1e-10)


def test_directions_are_of_unit_length_and_always_the_same():
    found = directions()
    assert found.shape == (512, 49)
    assert torch.allclose(found.square().sum(dim=1), torch.ones(512, dtype=torch.float64))
    # the raw words of Philox are NumPy's promise; 1e-12: ndtri of another SciPy
    assert found[0, :2].tolist() == pytest.approx(
        [-0.27662019808259936, -0.08539232445819686], abs=1e-12
    )
    # 0.02: a mean of 25,088 draws of deviation 1 / 7
    assert abs(float(found.mean())) < 0.02


def test_places_are_within_the_level_and_all_where_there_are_few():
    assert places(100).tolist() == list(range(100))
    many = places(250_000)
    assert len(many) == 1024
    # 5,000: a fiftieth of the level, past which all of 1,024 places lie once in a billion
    assert 0 <= many.min() < 5000
    assert 245_000 < many.max() < 250_000


def test_swd_does_not_ask_where_a_patch_lies():
    texture = noise(1, 20.0)
    other = noise(2, 20.0)
    same_kind = float(swd(texture, other))
    # as far apart pixel by pixel as two noises can be, and of one distribution
    assert same_kind < 0.15 * float(swd(texture, torch.zeros_like(texture)))


def test_swd_is_in_grey_levels():
    texture = noise(1, 20.0)
    one, two = (float(swd(k * texture, 0 * texture)) for k in (1, 2))
    # W1 of N(0, s) against a point is s · sqrt(2 / pi): twice the contrast is twice the distance
    assert two == pytest.approx(2 * one, rel=1e-12)


# ---- hu_bias


def test_bias_is_the_error_of_the_mean_and_not_the_mean_error():
    fat = torch.full((1, 1, 64, 64), 51 / 400 * 255)  # -109 HU
    assert float(hu_bias(fat + 2.55, fat)) == pytest.approx(4.0, rel=1e-5)
    assert float(hu_bias(fat - 2.55, fat)) == pytest.approx(4.0, rel=1e-5)
    assert float(hu_bias(fat - 2.55, fat, tissue="fat")) == pytest.approx(4.0, rel=1e-5)
    jitter = torch.tensor([30.0, -30.0]).repeat(32).expand(1, 1, 64, 64)
    # 1e-4 HU: float32 grey levels
    assert float(hu_bias(fat + jitter, fat)) == pytest.approx(0, abs=1e-4)


def strips(*hu: float, window=WIDE) -> Tensor:
    """Strips of 8 rows of each HU, as grey levels of the window."""
    low, high = window
    column = torch.tensor(hu, dtype=torch.float64).repeat_interleave(8)
    return ((column.clamp(low, high) - low) / (high - low) * 255)[None, None, :, None].expand(
        1, 1, -1, 64
    )


def test_each_tissue_is_found_in_a_wide_window():
    tissues = {"air": -1000, "lung": -800, "fat": -100, "soft": 40, "bone": 400}
    target = strips(*tissues.values())
    for number, tissue in enumerate(tissues):
        output = target.clone()
        output[:, :, 8 * number : 8 * number + 8] += 255 / 2000 * 10
        for other in tissues:
            expected = 10.0 if other == tissue else 0.0
            found = float(hu_bias(output, target, tissue=other, window_hu=WIDE))
            # 1e-9: HU → grey level → HU
            assert found == pytest.approx(expected, abs=1e-9)
        assert float(hu_bias(output, target, window_hu=WIDE)) == pytest.approx(10.0)


def test_what_the_window_cannot_tell_apart_is_no_tissue():
    # air and lung are at the floor of [-160, 240], where the clipped value would pass for fat
    narrow = (-160.0, 240.0)
    target = strips(-1000, -800, 500, window=narrow)
    values = {t: float(hu_bias(target + 10, target, tissue=t)) for t in ("air", "lung", "fat")}
    assert all(math.isnan(value) for value in values.values())
    # all that the ceiling may stand for is bone
    assert float(hu_bias(target + 10, target, tissue="bone")) == pytest.approx(10 * 400 / 255)


def test_a_slice_without_tissue_is_judged_as_a_whole():
    air = torch.zeros(1, 1, 32, 32)
    assert float(hu_bias(air + 2.55, air)) == pytest.approx(4.0)


def test_the_worst_tissue_is_that_of_each_slice():
    target = strips(-100, 40).expand(2, 1, -1, -1)
    output = target.clone()
    output[0, :, :8] += 255 / 2000 * 10
    output[1, :, 8:] -= 255 / 2000 * 20
    assert hu_bias(output, target, window_hu=WIDE).tolist() == pytest.approx([10.0, 20.0])


# ---- nps_distance


def test_white_noise_has_a_flat_spectrum_of_its_variance():
    power = radial_power(patches(noise(7, 5.0, side=512)[0, 0], 32))
    assert len(power) == 16
    # from the fifth on, where the fitted surface takes little; 4 %: 961 half-overlapping patches
    assert power[4:].tolist() == pytest.approx([25.0] * 12, rel=0.04)


def test_a_surface_of_second_order_is_no_noise():
    row, column = torch.meshgrid(*[torch.arange(64, dtype=torch.float64)] * 2, indexing="ij")
    trend = 3 + row - 2 * column + 0.1 * row * column - 0.05 * row**2
    # 1e-18: float64 of values to 300, squared
    assert radial_power(patches(trend, 32)).max() < 1e-18


def test_a_blurred_and_a_noisy_output_are_both_unlike():
    target = 128 + noise(8, 6.0)
    mirrored = torch.nn.functional.pad(target, (2, 2, 2, 2), mode="reflect")
    blurred = torch.nn.functional.avg_pool2d(mirrored, 5, stride=1)
    assert 0.3 < float(nps_distance(blurred, target)) < 1
    assert 0.3 < float(nps_distance(target + noise(9, 12.0), target)) < 1
    # another draw of the same noise: 64 patches tell powers to about a tenth
    assert float(nps_distance(128 + noise(10, 6.0), target)) < 0.1


def test_only_flat_tissue_is_measured():
    target = 128 + noise(11, 3.0)
    target[..., :64, :] = 0  # air, at the window's floor
    target[..., 64:, 64:] += 60 * (torch.arange(64) // 4 % 2)  # structure
    quiet = flat(patches(target[0, 0], 32)).tolist()
    row, column = np.divmod(quiet, 7)
    assert set(row) <= {4, 5, 6}
    assert set(column) <= {0, 1, 2}
    output = target.clone()
    output[..., :64, :] += noise(12, 50.0)[..., :64, :]
    assert float(nps_distance(output, target)) == 0


def test_a_slice_without_flat_tissue_is_measured_everywhere():
    air = torch.zeros(1, 1, 64, 64)
    assert len(flat(patches(air[0, 0].double(), 32))) == 9
    assert float(nps_distance(air + noise(13, 20.0, side=64), air)) > 0.9


@pytest.mark.parametrize("patch", [7, 65])
def test_a_patch_that_does_not_fit_is_named(patch):
    image = torch.zeros(1, 1, 64, 80)
    with pytest.raises(UsageError, match=f"a patch from 8 .* got {patch} on 64 × 80"):
        nps_distance(image, image, patch=patch)
