"""What a loss between output and target promises."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import backward

from denoisebench.plugins.contracts import contract
from denoisebench.plugins.contracts.samples import changed, finite, grey, scaled, with_noise

Loss = Callable[[Tensor, Tensor], Tensor]


def pair(sigma: float = 20.0, batch: int = 2) -> tuple[Tensor, Tensor]:
    """Return an output with errors of `sigma` grey levels, and its target, both in [-1, 1].

    A negative sigma turns each error round: a loss that takes signed errors for small ones shows.
    """
    image = grey(batch)
    return scaled(with_noise(image, sigma)), scaled(image)


@contract("loss", mend="end with .mean(): one number, 0 or more, for the whole batch")
@torch.no_grad()
def gives_one_number(loss: Loss) -> None:
    """The loss is one float, and 0 or more."""
    for sigma in (20.0, -20.0):
        value = loss(*pair(sigma))
        assert value.shape == (), f"gives a tensor of shape {tuple(value.shape)}"
        assert value.is_floating_point(), f"gives {value.dtype}"
        assert value >= 0, f"gives {float(value):.3g}"


@contract("loss", mend="measure a distance: least where output and target are equal")
@torch.no_grad()
def is_least_at_equality(loss: Loss) -> None:
    """No small error is better than none."""
    best = float(loss(scaled(grey()), scaled(grey())))
    for sigma in (0.5, 5.0, -0.5, -5.0):
        value = float(loss(*pair(sigma)))
        assert best <= value, f"{best:.4g} at equality, {value:.4g} with σ = {sigma:g} grey levels"


@contract("loss", mend="turn the sign round: a loss is what training makes smaller")
@torch.no_grad()
def grows_with_noise(loss: Loss) -> None:
    """More noise costs more."""
    values = [float(loss(*pair(sigma))) for sigma in (5.0, 20.0, 80.0)]
    assert values[0] < values[1] < values[2], (
        f"σ = 5, 20, 80 cost {', '.join(f'{value:.4g}' for value in values)}"
    )


@contract("loss", mend="compute with PyTorch's functions only, and detach nothing of the output")
def lets_the_gradient_reach_the_output(loss: Loss) -> None:
    """Where there is an error, each slice of the output gets a finite gradient, not all zero."""
    output, target = pair()
    output.requires_grad_()
    value = loss(output, target)
    assert value.requires_grad, "the loss does not depend on the output"
    backward(value)
    assert output.grad is not None, "no gradient reaches the output"
    assert not finite(output.grad), finite(output.grad)
    for number, slice_ in enumerate(output.grad):
        assert slice_.any(), f"the gradient of slice {number} is zero everywhere"


@contract("loss", mend="add a small number under each root and below each fraction")
def has_a_finite_gradient_at_equality(loss: Loss) -> None:
    """Where output and target are equal, in structure and in air, the gradient is finite."""
    for name, image in (("a slice", scaled(grey())), ("air", torch.full((2, 1, 64, 64), -1.0))):
        output = image.clone().requires_grad_()
        value = loss(output, image)
        assert not finite(value), f"{name}: the loss is {float(value)}"
        if value.requires_grad:
            backward(value)
        if output.grad is not None:
            assert not finite(output.grad), f"{name}: {finite(output.grad)}"


@contract("loss", mend="take values beyond [-1, 1] as they are: networks give them")
def stays_finite(loss: Loss) -> None:
    """Outputs far outside [-1, 1] have a finite loss and a finite gradient."""
    output, target = pair(500.0)
    output.requires_grad_()
    value = loss(output, target)
    if value.requires_grad:
        backward(value)
    assert not finite(value), f"the loss is {float(value)}"
    assert output.grad is None or not finite(output.grad), finite(output.grad)


@contract("loss", mend="clone what you write to")
@torch.no_grad()
def leaves_its_inputs_alone(loss: Loss) -> None:
    """Neither output nor target is edited."""
    given = pair()
    before = [tensor.clone() for tensor in given]
    loss(*given)
    for name, tensor, earlier in zip(("output", "target"), given, before, strict=True):
        assert torch.equal(tensor, earlier), f"changed {changed(tensor, earlier)} of the {name}"


@contract("loss", mend="take the mean over slices, so that the batch size is no weight")
@torch.no_grad()
def averages_over_the_batch(loss: Loss) -> None:
    """The same slice four times costs what it costs once."""
    output, target = pair(batch=1)
    once = float(loss(output, target))
    four = float(loss(output.repeat(4, 1, 1, 1), target.repeat(4, 1, 1, 1)))
    # 1e-3: float32 sums of 16,384 terms in another order agree to 1e-5
    assert abs(four - once) <= 1e-3 * abs(once), f"once {once:.4g}, four times {four:.4g}"


@contract("loss", mend="draw nothing at random")
@torch.no_grad()
def repeats_itself(loss: Loss) -> None:
    """The same slices cost the same, bit for bit."""
    first, second = float(loss(*pair())), float(loss(*pair()))
    assert first == second, f"{first!r}, then {second!r}"
