"""What a penalty promises: it judges the critic by how it judges slices, and trains it only."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import backward
from torch.nn import Conv2d, Flatten, LeakyReLU, Module, Sequential

from denoisebench.plugins.contracts import contract
from denoisebench.plugins.contracts.samples import changed, finite, grey, scaled, with_noise

Penalty = Callable[[Module, Tensor, Tensor, Tensor | None], Tensor]


class Critic(Module):
    """A small critic of pairs or of images, smooth enough for a gradient of its gradient."""

    def __init__(self, *, condition: bool = True) -> None:
        super().__init__()
        self.condition = condition
        self.layers = Sequential(
            Conv2d(1 + condition, 8, 4, stride=2),
            LeakyReLU(0.2),
            Conv2d(8, 1, 4, stride=2),
            Flatten(),
        )

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """Judge (B, 1, H, W)."""
        if self.condition:
            assert condition is not None, "a critic of pairs was given no condition"
            image = torch.cat([image, condition], dim=1)
        logits: Tensor = self.layers(image)
        return logits


def slices(batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Return (real, fake, condition), each (B, 1, 32, 32) in and around [-1, 1]."""
    image = grey(batch, 32, 32)
    real, condition = scaled(image), scaled(with_noise(image))
    return real, 0.5 * condition, condition


def one_number(value: Tensor) -> None:
    """Assert that it is one finite float, 0 or more."""
    assert value.shape == (), f"gives a tensor of shape {tuple(value.shape)}"
    assert value.is_floating_point(), f"gives {value.dtype}"
    assert not finite(value), f"gives {float(value)}"
    assert value >= 0, f"gives {float(value):.3g}"


def reached(critic: Module, value: Tensor) -> None:
    """Assert that a gradient gets from the value to the critic's parameters, and is finite."""
    assert value.requires_grad, "no gradient leaves the penalty"
    backward(value)
    gradients = [parameter.grad for parameter in critic.parameters() if parameter.grad is not None]
    bad = [finite(gradient) for gradient in gradients if finite(gradient)]
    assert not bad, f"a gradient of the discriminator: {bad[0]}"
    assert any(gradient.any() for gradient in gradients), "no gradient reaches the discriminator"


@contract("penalty", mend="end with .mean(): one number, 0 or more, for the whole batch")
def gives_one_number(penalty: Penalty) -> None:
    """A penalty is one finite float, and 0 or more."""
    one_number(penalty(Critic(), *slices()).detach())


@contract("penalty", mend="call torch.autograd.grad with create_graph=True, and detach nothing")
def trains_the_discriminator(penalty: Penalty) -> None:
    """Its gradient reaches the discriminator's parameters, and is finite."""
    critic = Critic()
    reached(critic, penalty(critic, *slices()))


@contract("penalty", mend="pass condition on as it is; it is None for a critic of images alone")
def takes_an_unconditional_critic(penalty: Penalty) -> None:
    """A critic that judges images alone, given no condition, has a penalty too."""
    real, fake, _ = slices()
    penalty(Critic(condition=False), real, fake, None)


@contract("penalty", mend="clone what you write to; differentiate by a detached copy")
def leaves_its_inputs_alone(penalty: Penalty) -> None:
    """No slice is edited or starts to ask for a gradient; no parameter gets one yet."""
    critic, given = Critic(), slices()
    before = [tensor.clone() for tensor in given]
    penalty(critic, *given)
    for name, tensor, earlier in zip(("real", "fake", "condition"), given, before, strict=True):
        assert torch.equal(tensor, earlier), f"changed {changed(tensor, earlier)} of {name}"
        assert not tensor.requires_grad, f"{name} asks for a gradient afterwards"
    spoilt = any(parameter.grad is not None for parameter in critic.parameters())
    assert not spoilt, "adds to the gradients of the discriminator's parameters"


@contract("penalty", mend="take the mean over slices, so that the batch size is no weight")
def averages_over_the_batch(penalty: Penalty) -> None:
    """The same slice four times costs about what it costs once."""
    critic, given = Critic(), slices(1)
    once = float(penalty(critic, *given).detach())
    four = float(penalty(critic, *(tensor.repeat(4, 1, 1, 1) for tensor in given)).detach())
    # A factor of 2: a penalty may draw where it looks; a sum would cost four times as much.
    small, large = sorted((abs(once), abs(four)))
    assert large <= 2 * small, f"once {once:.4g}, four times {four:.4g}"
