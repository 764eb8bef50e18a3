import pytest
import torch
from denoisebench.registry.discriminators.multiscale import multiscale
from denoisebench.registry.discriminators.patch3 import patch3
from denoisebench.registry.discriminators.patch3_sn import patch3_sn
from denoisebench.registry.discriminators.patchn import patchn
from denoisebench.registry.discriminators.pixel import pixel
from denoisebench.registry.discriminators.unet_critic import unet_critic
from denoisebench.registry.losses.cgan import CrossEntropy
from denoisebench.registry.losses.hinge import Hinge
from denoisebench.registry.losses.lsgan import LeastSquares
from denoisebench.registry.losses.r1 import r1
from denoisebench.registry.losses.ragan import RelativisticAverage
from denoisebench.registry.losses.wgan_gp import WassersteinGradientPenalty
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from denoisebench import UsageError

LOSSES = [
    CrossEntropy(),
    LeastSquares(),
    Hinge(),
    WassersteinGradientPenalty(),
    RelativisticAverage(),
]


def logits(seed: int, *shape: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(shape or (2, 1, 3, 3), generator=random, dtype=torch.float64)


def slices(seed: int = 0, *, side: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """(real, fake, noisy), each (3, 1, side, side) float64 in and around [-1, 1]."""
    random = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(3, 3, 1, side, side, generator=random, dtype=torch.float64))


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


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_an_adversarial_loss_pushes_logits_the_right_way(loss):
    real, fake = (torch.full((3,), 0.5, requires_grad=True) for _ in range(2))
    loss.critic(real, fake).backward()
    assert (real.grad < 0).all()  # a step down raises real
    assert (fake.grad > 0).all()
    fooled = torch.zeros(3, requires_grad=True)
    loss.generator(fooled, real.detach()).backward()
    assert (fooled.grad < 0).all()


def test_hinge_stops_at_its_margins_and_pulls_the_generator_without_one():
    real = torch.tensor([2.0, 0.5], requires_grad=True)
    fake = torch.tensor([-2.0, 0.5], requires_grad=True)
    value = Hinge().critic(real, fake)
    value.backward()
    assert value == (0 + 0.5) / 2 + (0 + 1.5) / 2
    assert real.grad.tolist() == [0, -0.5]
    assert fake.grad.tolist() == [0, 0.5]
    assert Hinge().generator(fake, real) == -(-2.0 + 0.5) / 2


def test_the_wasserstein_critic_is_minus_the_distance_of_the_means():
    loss = WassersteinGradientPenalty()
    assert loss.critic(torch.tensor([3.0, 1.0]), torch.tensor([0.0, 1.0])) == 0.5 - 2
    assert loss.generator(torch.tensor([0.0, 1.0]), torch.tensor([3.0, 1.0])) == -0.5


def test_ragan_is_cross_entropy_of_the_distance_from_the_other_sides_mean():
    real, fake, loss = logits(1), logits(2), RelativisticAverage()
    bce, ones, zeros = binary_cross_entropy_with_logits, torch.ones_like(real), 0 * real
    above, below = real - fake.mean(), fake - real.mean()
    critic = (bce(above, ones) + bce(below, zeros)) / 2
    generator = (bce(above, zeros) + bce(below, ones)) / 2
    # 1e-12: float64 sums of 18 terms
    assert float(loss.critic(real, fake)) == pytest.approx(float(critic), abs=1e-12)
    assert float(loss.generator(fake, real)) == pytest.approx(float(generator), abs=1e-12)


def test_ragan_compares_each_head_with_itself():
    real, fake, loss = logits(1, 2, 3, 5), logits(2, 2, 3, 5), RelativisticAverage()
    zeros = torch.tensor([0.0, 7.0, -40.0], dtype=torch.float64)[:, None]
    # 1e-12: the offsets cost two digits of float64
    for judge in (loss.critic, loss.generator):
        assert float(judge(real + zeros, fake + zeros)) == pytest.approx(
            float(judge(real, fake)), abs=1e-12
        )


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_gradients_are_those_of_finite_differences(loss):
    # No logit of these lies within 0.01 of a margin, where hinge has a kink.
    real, fake = logits(3), logits(4)
    assert min(float((x.abs() - 1).abs().min()) for x in (real, fake)) > 0.01
    real.requires_grad_()
    fake.requires_grad_()
    assert torch.autograd.gradcheck(loss.critic, (real, fake))
    assert torch.autograd.gradcheck(loss.generator, (fake, real))


def test_the_penalties_of_a_linear_critic_are_known():
    real, fake, noisy = slices()
    kernel = logits(5, 1, 1, 8, 8).requires_grad_()
    norm = kernel.detach().norm()

    def linear(image: Tensor, condition: Tensor | None) -> Tensor:
        return (kernel * image).sum(dim=(1, 2, 3)) + condition.sum()

    value = r1(linear, real, fake, noisy)
    # 1e-12: relative, float64 sums of 64 terms
    assert value.item() == pytest.approx(float(norm**2 / 2), rel=1e-12)
    (gradient,) = torch.autograd.grad(value, kernel)
    assert torch.allclose(gradient, kernel, rtol=1e-12)  # of ½‖w‖²
    for weight in (10.0, 2.5):
        value = WassersteinGradientPenalty(weight=weight).penalty(linear, real, fake, noisy)
        assert value.item() == pytest.approx(float(weight * (norm - 1) ** 2), rel=1e-12)
    kernel.data /= norm
    assert WassersteinGradientPenalty().penalty(linear, real, fake, noisy) < 1e-24


def test_a_map_of_logits_is_one_verdict_their_mean():
    real, fake, _ = slices()

    def each_pixel(image: Tensor, condition: Tensor | None) -> Tensor:
        return 3 * image

    def in_a_row(image: Tensor, condition: Tensor | None) -> Tensor:
        return 3 * image.flatten()

    # The mean of 64 logits has a slope of 3/64 in each of 64 pixels.
    for critic in (each_pixel, in_a_row):
        assert r1(critic, real, fake, None).item() == pytest.approx(0.5 * 64 * (3 / 64) ** 2)


def test_r1_looks_at_real_slices_and_averages_over_them():
    real, fake, _ = slices()

    def bowl(image: Tensor, condition: Tensor | None) -> Tensor:  # its slope is the image
        return image.square().sum(dim=(1, 2, 3)) / 2

    wanted = real.square().sum(dim=(1, 2, 3)).mean() / 2
    assert r1(bowl, real, fake, None).item() == pytest.approx(float(wanted), rel=1e-12)


def test_wgan_gp_draws_a_place_on_the_line_for_each_slice_from_the_global_generator():
    real, fake, _ = slices()
    seen = []

    def watched(image: Tensor, condition: Tensor | None) -> Tensor:
        seen.append(image.detach())
        return image.sum()

    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        WassersteinGradientPenalty().penalty(watched, real, fake, None)
    shares = (seen[0] - fake) / (real - fake)
    spread = shares.flatten(1).amax(1) - shares.flatten(1).amin(1)
    assert spread.max() < 1e-9  # one share a slice; division by differences costs some digits
    assert len({round(float(share), 6) for share in shares[:, 0, 0, 0]}) == 3
    assert 0 <= shares.min() < shares.max() <= 1
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_gradients_of_a_penalty_by_the_critic_are_those_of_finite_differences():
    real, fake, noisy = slices(side=4)
    kernel = logits(6, 1, 1, 4, 4).requires_grad_()

    def penalties(kernel: Tensor) -> tuple[Tensor, Tensor]:
        def curved(image: Tensor, condition: Tensor | None) -> Tensor:
            return torch.tanh(kernel * image + condition)

        torch.manual_seed(0)  # the same places for each difference
        lipschitz = WassersteinGradientPenalty().penalty(curved, real, fake, noisy)
        return r1(curved, real, fake, noisy), lipschitz

    assert torch.autograd.gradcheck(penalties, kernel)


def penalties() -> list:
    return [r1, WassersteinGradientPenalty().penalty]


@pytest.mark.parametrize("penalty", penalties(), ids=["r1", "wgan_gp"])
def test_a_penalty_is_computed_in_float32_under_autocast(penalty):
    torch.manual_seed(0)
    critic = patch3(width=4)
    real, fake, noisy = (image.float() for image in slices(side=32))
    values = []
    for precision in (torch.bfloat16, torch.float32):
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            values.append(penalty(critic, real, fake, noisy))
    assert values[0].dtype == torch.float32
    assert torch.equal(*values)


@pytest.mark.parametrize("penalty", penalties(), ids=["r1", "wgan_gp"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: patch3(width=2),
        lambda: patch3_sn(width=2),
        lambda: patchn(width=2, layers=2),
        lambda: pixel(width=2),
        lambda: multiscale(width=2, condition=False),
        lambda: unet_critic(width=2, condition=False),
    ],
    ids=["patch3", "patch3_sn", "patchn", "pixel", "multiscale", "unet_critic"],
)
def test_every_critic_has_a_gradient_of_its_gradient(make, penalty):
    torch.manual_seed(0)
    critic = make()
    real, fake, noisy = (image.float() for image in slices(side=32))
    value = penalty(critic, real, fake, noisy)
    value.backward()
    assert value > 0
    gradients = [p.grad for p in critic.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_wgan_gp_refuses_a_weight_that_rewards_slopes(weight):
    with pytest.raises(UsageError, match="weight above 0 for its penalty, got"):
        WassersteinGradientPenalty(weight=weight)
