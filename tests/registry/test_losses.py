import pytest
import torch
from denoisebench.registry.losses.cgan import CrossEntropy
from denoisebench.registry.losses.l1 import l1
from denoisebench.registry.losses.lsgan import LeastSquares
from denoisebench.registry.losses.mse import mse
from denoisebench.registry.losses.ssim import ssim
from denoisebench.registry.metrics.ssim import ssim as ssim_metric
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from denoisebench import UsageError


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


def test_cgan_is_binary_cross_entropy_on_logits():
    random = torch.Generator().manual_seed(1)
    real, fake = (torch.randn(2, 1, 6, 6, generator=random) * 4 for _ in range(2))
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    bce = binary_cross_entropy_with_logits
    loss = CrossEntropy()
    assert loss.critic(real, fake) == pytest.approx(float(bce(real, ones) + bce(fake, zeros)) / 2)
    assert loss.generator(fake, real) == pytest.approx(float(bce(fake, ones)))


def test_cgan_does_not_saturate_where_the_critic_is_sure():
    fake = torch.full((4,), -40.0, requires_grad=True)
    CrossEntropy().generator(fake, fake.detach()).backward()
    # each of four logits has the gradient -1/4 of a mean; log(1 - D) would give 0
    assert fake.grad.tolist() == pytest.approx([-0.25] * 4)


def test_lsgan_pulls_real_to_one_and_fake_to_zero():
    loss = LeastSquares()
    assert loss.critic(torch.ones(4), torch.zeros(4)) == 0
    assert loss.critic(torch.zeros(4), torch.ones(4)) == 1
    assert loss.generator(torch.ones(4), torch.zeros(4)) == 0
    assert loss.generator(torch.full((4,), -1.0), torch.zeros(4)) == 2


@pytest.mark.parametrize("loss", [CrossEntropy(), LeastSquares()])
def test_an_adversarial_loss_pushes_logits_the_right_way(loss):
    real, fake = (torch.full((3,), 0.5, requires_grad=True) for _ in range(2))
    loss.critic(real, fake).backward()
    assert (real.grad < 0).all()  # a step down raises real
    assert (fake.grad > 0).all()
    fooled = torch.zeros(3, requires_grad=True)
    loss.generator(fooled, real.detach()).backward()
    assert (fooled.grad < 0).all()
