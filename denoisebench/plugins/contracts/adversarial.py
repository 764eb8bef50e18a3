"""What an adversarial loss promises: it judges logits, for the critic and for the generator."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import backward

from denoisebench.plugins.contracts import contract
from denoisebench.plugins.contracts.penalties import Critic, one_number, reached, slices
from denoisebench.plugins.contracts.samples import changed, finite


def logits(mean: float = 0.0, shape: tuple[int, ...] = (4, 1, 6, 6), seed: int = 0) -> Tensor:
    """Return logits that spread by 0.1 around a mean."""
    source = torch.Generator().manual_seed(seed)
    return mean + 0.1 * torch.randn(shape, generator=source)


def sides(loss: Any) -> tuple[tuple[str, Callable[[Tensor, Tensor], Tensor]], ...]:
    """Return both judgements as functions of (real, fake)."""
    return ("critic", loss.critic), ("generator", lambda real, fake: loss.generator(fake, real))


@contract("adversarial", mend="end both critic and generator with .mean()")
@torch.no_grad()
def gives_one_number(loss: Any) -> None:
    """Logits of any shape give one finite float for the critic and one for the generator."""
    for shape in ((4, 1, 6, 6), (4, 1), (4,)):
        for name, judge in sides(loss):
            value = judge(logits(1.0, shape), logits(-1.0, shape))
            assert value.shape == (), f"{name} gives shape {tuple(value.shape)} for {shape}"
            assert value.is_floating_point(), f"{name} gives {value.dtype}"
            assert not finite(value), f"{name} gives {float(value)}"


@contract("adversarial", mend="let critic fall as real logits rise above fake ones")
@torch.no_grad()
def rewards_a_critic_that_is_right(loss: Any) -> None:
    """Real logits above fake ones cost the critic less than the reverse."""
    right = float(loss.critic(logits(1.0), logits(-1.0)))
    wrong = float(loss.critic(logits(-1.0), logits(1.0)))
    assert right < wrong, f"right costs {right:.4g}, wrong {wrong:.4g}"


@contract("adversarial", mend="let generator fall as fake logits rise")
@torch.no_grad()
def rewards_a_generator_that_convinces(loss: Any) -> None:
    """Fake logits that rise cost the generator less."""
    values = [float(loss.generator(logits(mean), logits(0.5))) for mean in (-1.0, 0.0, 1.0)]
    assert values[0] > values[1] > values[2], (
        f"fake logits of -1, 0, 1 cost {', '.join(f'{value:.4g}' for value in values)}"
    )


@contract("adversarial", mend="use softplus or binary_cross_entropy_with_logits, not log(sigmoid)")
def stays_finite_on_large_logits(loss: Any) -> None:
    """Logits of ± 10,000 give finite values and gradients."""
    for name, judge in sides(loss):
        for sign in (1, -1):
            real, fake = logits(sign * 1e4), logits(-sign * 1e4)
            real.requires_grad_()
            fake.requires_grad_()
            value = judge(real, fake)
            assert not finite(value), f"{name} gives {float(value)} for logits of 10,000"
            if value.requires_grad:
                backward(value)
            for gradient in (real.grad, fake.grad):
                bad = "" if gradient is None else finite(gradient)
                assert not bad, f"{name}'s gradient: {bad}"


@contract("adversarial", mend="detach nothing: the loop decides what learns")
def lets_the_gradient_reach_the_logits(loss: Any) -> None:
    """The critic's value depends on real and fake logits, the generator's on the fake ones."""
    for name, judge in sides(loss):
        real, fake = logits(seed=1).requires_grad_(), logits(seed=2).requires_grad_()
        value = judge(real, fake)
        assert value.requires_grad, f"no gradient leaves {name}"
        backward(value)
        wanted = (("real", real), ("fake", fake)) if name == "critic" else (("fake", fake),)
        for which, given in wanted:
            reached = given.grad is not None and bool(given.grad.any())
            assert reached, f"no gradient of {name} reaches the {which} logits"


@contract("adversarial", mend="clone what you write to")
@torch.no_grad()
def leaves_its_inputs_alone(loss: Any) -> None:
    """No logit is edited."""
    for name, judge in sides(loss):
        given = logits(seed=1), logits(seed=2)
        before = [tensor.clone() for tensor in given]
        judge(*given)
        for tensor, earlier in zip(given, before, strict=True):
            assert torch.equal(tensor, earlier), f"{name} changed {changed(tensor, earlier)}"


@contract("adversarial", mend="take the mean over slices, so that the batch size is no weight")
@torch.no_grad()
def averages_over_the_batch(loss: Any) -> None:
    """The same logits four times cost what they cost once."""
    real, fake = logits(0.5, (1, 1, 6, 6), seed=1), logits(-0.5, (1, 1, 6, 6), seed=2)
    for name, judge in sides(loss):
        once = float(judge(real, fake))
        four = float(judge(real.repeat(4, 1, 1, 1), fake.repeat(4, 1, 1, 1)))
        # 1e-4: float32 sums of 144 terms in another order agree to 1e-6
        assert abs(four - once) <= 1e-4 * max(1.0, abs(once)), (
            f"{name}: once {once:.4g}, four times {four:.4g}"
        )


@contract("adversarial", mend="compute the penalty with create_graph=True and end with .mean()")
def has_a_penalty_that_trains(loss: Any) -> None:
    """A `penalty`, where there is one, is one finite number ≥ 0 that moves the discriminator."""
    if not hasattr(loss, "penalty"):
        return
    critic = Critic()
    value = loss.penalty(critic, *slices())
    one_number(value)
    reached(critic, value)
