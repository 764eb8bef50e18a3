"""MS-SSIM, VIF, HaarPSI and GMSD; their values beside other libraries': test_calibration.py."""

import pytest
import torch

from denoisebench import UsageError
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build

BEST = {"ms_ssim": 1.0, "vif": 1.0, "haarpsi": 1.0, "gmsd": 0.0}


def made(text):
    (part,) = resolve(text, "metric", find())
    return build(part)


@pytest.fixture(params=BEST)
def name(request):
    return request.param


def test_equal_slices_score_best(name, overshooting):
    for image in (overshooting[0], torch.zeros(2, 1, 48, 48), torch.full((1, 1, 48, 48), 130.0)):
        # 1e-9: HaarPSI goes through a logistic curve and back; VIF adds 1e-8 above and below
        assert made(name)(image, image).tolist() == pytest.approx([BEST[name]] * len(image), 1e-9)


def test_nothing_is_clipped(name, overshooting):
    output, target = overshooting
    assert (made(name)(output, target) - made(name)(output.clamp(0, 255), target)).abs().min() > 0


def test_a_range_of_one_is_another_number(name, overshooting):
    output, target = overshooting
    wrong = made(name)(output / 255, target / 255)
    assert (wrong - made(name)(output, target)).abs().min() > 0.01


def test_a_slices_score_does_not_depend_on_the_batch_it_came_in(name, overshooting):
    output, target = overshooting
    together = made(name)(output.float(), target.float())
    alone = [made(name)(output[i : i + 1].float(), target[i : i + 1].float()) for i in range(3)]
    assert together.dtype == torch.float64
    # 1e-12: convolutions of another batch size may sum in another order
    assert together.tolist() == pytest.approx([float(value) for value in alone], rel=1e-12)


def test_vif_knows_no_offset_and_rewards_contrast():
    random = torch.Generator().manual_seed(5)
    target = 100 + 20 * torch.rand(1, 1, 64, 64, generator=random, dtype=torch.float64)
    vif = made("vif")
    # 1e-9: moved below 0 and back in float64
    assert float(vif(target - 300, target)) == pytest.approx(float(vif(target, target)), abs=1e-9)
    assert float(vif(2 * target - 100, target)) > 1


def test_vif_beyond_the_range_is_vif_of_the_same_slices_moved_into_it():
    random = torch.Generator().manual_seed(6)
    target = 255 * torch.rand(1, 1, 64, 64, generator=random, dtype=torch.float64)
    output = target + 60 * torch.randn(1, 1, 64, 64, generator=random, dtype=torch.float64)
    value = float(made("vif")(output, target))  # first: it makes torchvision importable
    from torchmetrics.functional.image import visual_information_fidelity

    # 1e-5: what counts as no variance, 1e-8 or 1e-10
    assert value == pytest.approx(float(visual_information_fidelity(output, target)), abs=1e-5)


def test_noise_on_a_flat_slice_loses_no_information():
    flat = torch.full((1, 1, 64, 64), 100.0)
    assert float(made("vif")(flat + 20 * torch.randn(1, 1, 64, 64), flat)) == 1


def test_gmsd_measures_how_unevenly_gradients_differ():
    # half of the slice loses its stripes: half of the similarities are 1, half are T / (m² + T)
    stripes = 100.0 * (torch.arange(64, dtype=torch.float64) // 4 % 2).expand(64, 64)
    assert float(made("gmsd")(stripes[None, None] / 2, stripes[None, None])) > 0
    even = stripes[None, None].clone()
    uneven = even.clone()
    uneven[..., :32, :] = 50
    assert made("gmsd")(uneven, even) > made("gmsd")(even * 0 + 50, even)


@pytest.mark.parametrize(
    ("text", "side", "told"),
    [
        ("ms_ssim", 10, "ms_ssim needs sides of at least 11, got 10 × 64"),
        ("vif", 40, "vif needs sides of at least 41, got 40 × 64"),
        ("haarpsi", 15, "haarpsi needs sides of at least 16, got 15 × 64"),
        ("swd", 15, "swd needs sides of at least 16, got 15 × 64"),
    ],
)
def test_slices_that_are_too_small_are_named(text, side, told):
    with pytest.raises(UsageError, match=told):
        made(text)(torch.zeros(1, 1, side, 64), torch.zeros(1, 1, side, 64))
