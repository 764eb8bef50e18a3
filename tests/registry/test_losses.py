import numpy as np
import pytest
import torch
from denoisebench.registry.losses.l1 import l1
from denoisebench.registry.losses.mse import mse
from denoisebench.registry.losses.ssim import ssim
from denoisebench.registry.metrics.ssim import ssim as ssim_metric
from torch import Tensor

from denoisebench import UsageError
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build

PIXEL = ("charbonnier", "huber", "ms_ssim", "gmsd", "haarpsi", "gradient", "fft", "tv")


def made(text: str, kind: str = "loss"):
    (part,) = resolve(text, kind, find())
    return build(part)


def images(seed: int = 0, *, side: int = 16) -> tuple[Tensor, Tensor]:
    """(output, target) in and around [-1, 1], float64."""
    random = torch.Generator().manual_seed(seed)
    target = torch.rand(2, 1, side, side, generator=random, dtype=torch.float64) * 2 - 1
    noise = torch.randn(2, 1, side, side, generator=random, dtype=torch.float64)
    return target + 0.4 * noise, target


def test_l1_and_mse_are_means():
    output, target = torch.tensor([[3.0, 1.0]]), torch.tensor([[0.0, 1.0]])
    assert l1(output, target) == 1.5
    assert mse(output, target) == 4.5


@pytest.mark.parametrize("loss", [l1, mse, ssim])
def test_a_pixel_loss_is_zero_at_equality_with_a_finite_gradient(loss):
    output = images()[1].float().requires_grad_()
    value = loss(output, output.detach())
    value.backward()
    assert value == 0
    assert torch.isfinite(output.grad).all()


@pytest.mark.parametrize("loss", [l1, mse, ssim])
def test_a_pixel_loss_falls_as_the_output_nears_the_target(loss):
    # KAIR's SSIM loss minimises similarity; this is what it fails
    output, target = images()
    values = [loss(target + share * (output - target), target) for share in (1, 0.5, 0.1, 0)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] == 0


def test_a_step_down_the_ssim_loss_raises_ssim():
    output, target = images(side=32)
    output.requires_grad_()
    before = ssim(output, target)
    before.backward()
    after = ssim(output.detach() - 0.1 * output.grad, target)
    assert after < before


@pytest.mark.parametrize("loss", [mse, ssim])
def test_gradients_are_those_of_finite_differences(loss):
    output, target = images(side=12)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), output.requires_grad_())


def test_the_ssim_loss_is_one_minus_the_metric_on_the_grey_levels():
    # Also the test that a wrong range fails: L = 2 or values left in [-1, 1] differ by over 0.01.
    output, target = images(side=48)
    similarity = ssim_metric((output + 1) * 127.5, (target + 1) * 127.5).mean()
    # 1e-9: the same sums in float64 at another scale
    assert float(ssim(output, target)) == pytest.approx(float(1 - similarity), abs=1e-9)
    from kornia.metrics import ssim as ssim_map

    wrong = 1 - ssim_map(output, target, 11, max_val=2.0, eps=0.0, padding="valid").mean()
    assert abs(wrong - (1 - similarity)) > 0.01


def test_the_ssim_loss_takes_values_far_outside_the_range():
    output, target = images(side=32)
    output = (100 * output.float()).requires_grad_()
    value = ssim(output, target.float())
    value.backward()
    assert 0 < value < 2
    assert torch.isfinite(output.grad).all()


@pytest.mark.parametrize("window", [4, 1, 17])
def test_the_ssim_loss_names_a_window_that_does_not_fit(window):
    with pytest.raises(UsageError, match=f"odd window .* got {window} on 16 × 16"):
        ssim(*images(side=16), window=window)


@pytest.fixture(params=PIXEL)
def loss(request):
    return made(request.param)


@pytest.mark.parametrize("scene", ["slice", "air", "flat"])
def test_a_loss_is_zero_at_equality_with_a_finite_gradient(loss, scene):
    # roots and powers at 0, and magnitudes of nothing: where piq's give NaN
    image = images(side=32)[1].float()
    image = {"slice": image, "air": torch.full_like(image, -1), "flat": 0 * image}[scene]
    output = image.clone().requires_grad_()
    value = loss(output, image)
    value.backward()
    # 1e-5: HaarPSI goes through a logistic curve and back in float32; the others are exact
    assert value.detach() == pytest.approx(0, abs=1e-5)
    assert torch.isfinite(output.grad).all()


def test_a_loss_falls_as_the_output_nears_the_target(loss):
    output, target = images(side=32)
    values = [loss(target + share * (output - target), target) for share in (1, 0.5, 0.1, 0)]
    assert values == sorted(values, reverse=True)
    # 1e-9: float64
    assert values[0] > values[-1] == pytest.approx(0, abs=1e-9)


def test_a_smoother_output_than_the_target_costs_too(loss):
    # a regulariser of the output alone is least for a constant slice; none here may be
    target = images(side=32)[1]
    smooth = torch.nn.functional.avg_pool2d(target, 3, stride=1, padding=1)
    assert loss(smooth, target) >= loss(target, target)


def test_a_step_down_the_gradient_lowers_the_loss(loss):
    output, target = images(side=32)
    output.requires_grad_()
    before = loss(output, target)
    before.backward()
    step = 1e-3 * output.grad / output.grad.norm()
    assert loss(output.detach() - step, target) < before


def test_gradients_of_a_loss_are_those_of_finite_differences(loss):
    output, target = images(side=24)
    given = output.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, target), given, fast_mode=True)


def test_a_loss_takes_values_far_outside_the_range(loss):
    output, target = images(side=32)
    output = (100 * output.float()).requires_grad_()
    value = loss(output, target.float())
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(output.grad).all()


@pytest.mark.parametrize("name", ["ms_ssim", "haarpsi"])
def test_a_structure_loss_is_one_minus_the_metric_on_the_grey_levels(name):
    # with overshoot on both sides: a range of 2, or values left in [-1, 1], would show
    output, target = images(side=48)
    assert output.abs().max() > 1.2
    grey = ((image + 1) * 127.5 for image in (output, target))
    # 1e-9: the same sums in float64 at another scale
    expected = 1 - made(name, "metric")(*grey).mean()
    assert float(made(name)(output, target)) == pytest.approx(float(expected), abs=1e-9)


def test_the_gmsd_loss_is_the_metric_less_what_its_root_needs():
    output, target = images(side=48)
    metric = made("gmsd", "metric")(*((image + 1) * 127.5 for image in (output, target))).mean()
    # sqrt(v + 1e-8) - 1e-4 lies between sqrt(v) - 1e-4 and sqrt(v)
    assert metric - 1e-4 <= made("gmsd")(output, target) <= metric


def test_charbonnier_is_a_hyperbola():
    output, target = torch.tensor([[0.3, 0.0]]), torch.tensor([[0.0, 0.0]])
    value = made("charbonnier(eps=0.4)")(output, target)
    assert value == pytest.approx((0.5 + 0.4) / 2 - 0.4)  # 3, 4, 5


def test_huber_turns_from_square_to_straight_at_delta():
    output, target = torch.tensor([[0.2, 1.0]]), torch.zeros(1, 2)
    # 0.2² / 2 and 0.5 · (1 - 0.5 / 2)
    assert made("huber(delta=0.5)")(output, target) == pytest.approx((0.02 + 0.375) / 2)


def test_the_gradient_loss_sees_slopes_and_no_level():
    ramp = torch.linspace(0, 1, 33).expand(1, 1, 20, 33)
    for operator, border in (("sobel", 2 / 33), ("diff", 2 / 33)):
        loss = made(f"gradient(operator={operator!r})")
        assert loss(ramp + 5, ramp) == 0
        # a slope of 1/32 along one axis of two, halved where the border is repeated
        expected = (1 - border / 2) / 32 / 2
        assert loss(ramp, 0 * ramp) == pytest.approx(expected, rel=1e-5)


def test_the_fft_loss_of_one_wave_is_that_of_two_frequencies():
    wave = torch.cos(2 * torch.pi * 3 * torch.arange(16) / 16).expand(1, 1, 16, 16)
    # orthonormal: the energy 128 is halved between +3 and -3, of 256 frequencies
    assert made("fft")(wave, 0 * wave) == pytest.approx(2 * 64**0.5 / 256, rel=1e-5)


def test_the_fft_loss_of_white_errors_is_near_that_of_l1():
    error = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (1, 1, 64, 64)))
    # sqrt(pi) / 2 over sqrt(2 / pi) = 1.11; 2 %: 4,096 draws
    assert made("fft")(error, 0 * error) / l1(error, 0 * error) == pytest.approx(1.11, rel=0.02)


def test_tv_counts_what_is_beyond_the_target():
    step = (torch.arange(8) >= 4).float().expand(1, 1, 8, 8)
    # 8 steps of height 1 over 56 pairs of neighbours across, none down
    assert made("tv(beyond='nothing')")(step, step) == pytest.approx(8 / 56)
    assert made("tv")(2 * step, step) == pytest.approx(8 / 56)
    assert made("tv")(step, 2 * step) == 0


def test_tv_does_not_let_one_slice_pay_for_another():
    step = (torch.arange(8) >= 4).float().expand(2, 1, 8, 8).clone()
    output = step * torch.tensor([2.0, 0.0]).view(2, 1, 1, 1)
    assert made("tv")(output, step) == pytest.approx(8 / 56 / 2)


@pytest.mark.parametrize(
    ("side", "scales"), [(11, 1), (64, 3), (87, 3), (88, 4), (175, 4), (176, 5)]
)
def test_ms_ssim_takes_the_scales_that_fit(side, scales):
    # a difference of level counts at the coarsest scale alone, to the power of its weight
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])[:scales]
    target = torch.zeros(1, 1, side, side, dtype=torch.float64)
    luminance = (0.01**2) / (0.5**2 + 0.01**2)  # of black and half
    power = weights[-1] if scales == 5 else weights[-1] / weights.sum()
    value = made("ms_ssim")(target, target - 1)
    assert float(value) == pytest.approx(1 - luminance**power, abs=1e-9)


def test_ms_ssim_of_a_negative_scale_leaves_the_others_a_gradient():
    row, column = np.mgrid[0:32, 0:32]
    coarse = torch.from_numpy(0.4 * np.sin(row / 9))[None, None]
    checks = torch.from_numpy(0.9 * (-1.0) ** (row + column))[None, None]
    # the finest scale is turned round, and gone on the next, where the contrast is too low
    output = (0.5 * coarse - checks).requires_grad_()
    made("ms_ssim")(output, coarse + checks).backward()
    assert torch.isfinite(output.grad).all()
    assert output.grad.any()


@pytest.mark.parametrize(
    ("text", "side", "told"),
    [
        ("charbonnier(eps=0)", 16, "eps above 0, got 0; 0 is l1"),
        ("huber(delta=-1)", 16, "delta above 0, got -1"),
        ("ms_ssim", 10, "sides of at least 11, got 10 × 10"),
        ("haarpsi", 15, "sides of at least 16, got 15 × 15"),
    ],
)
def test_what_a_loss_cannot_take_is_named(text, side, told):
    with pytest.raises(UsageError, match=told):
        made(text)(*images(side=side))
