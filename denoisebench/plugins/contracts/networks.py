"""What generators and discriminators promise alike."""

import copy
import io
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import Module

from denoisebench.plugins.card import Card
from denoisebench.plugins.contracts import contract
from denoisebench.plugins.contracts.samples import changed, finite, grey, scaled, side, with_noise

ALONE = 1e-4
"""Of the largest output: sums in another order for another batch; a slip is far larger."""

_SIDE = 64  # of what discriminators judge


def inputs(card: Card, batch: int = 2) -> tuple[Tensor, ...]:
    """Return what a network of that kind is called with: (noisy,) or (image, condition)."""
    if card.kind == "generator":
        length = side(multiple(card))
        return (scaled(with_noise(grey(batch, length, length))),)
    image = grey(batch, _SIDE, _SIDE)
    return scaled(image), scaled(with_noise(image))


def multiple(card: Card) -> int:
    """Return what the sides must divide by; 1 where the card says nothing."""
    value = card.facts.get("multiple", 1)
    assert isinstance(value, int), f"multiple is a whole number, got {value!r}"
    assert value >= 1, f"multiple is at least 1, got {value}"
    return value


def moved(network: Module) -> Module:
    """Copy a network and move its parameters a little: layers may start at zero on purpose."""
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            if parameter.is_floating_point():
                parameter.add_(torch.randn_like(parameter), alpha=0.01)
    return other


@contract("generator", "discriminator", mend="use each layer in forward, and detach nothing")
def lets_the_gradient_reach_every_parameter(network: Module, card: Card) -> None:
    """In training, each parameter that asks for a gradient gets one: finite, not all zero."""
    trained = moved(network).train()
    output = trained(*inputs(card))
    (output - 1).square().mean().backward()
    for name, parameter in trained.named_parameters():
        if not parameter.requires_grad:
            continue
        assert parameter.grad is not None, f"no gradient reaches {name}"
        assert not finite(parameter.grad), f"gradient of {name}: {finite(parameter.grad)}"
        assert parameter.grad.any(), f"the gradient of {name} is zero everywhere"


@contract("generator", "discriminator", mend="draw nothing at random in eval mode")
@torch.no_grad()
def repeats_itself(network: Module, card: Card) -> None:
    """In eval mode, the same input gives the same output, bit for bit."""
    given = inputs(card, batch=1)
    first, second = network(*given), network(*given)
    assert torch.equal(first, second), f"{changed(second, first)} of the output differs"


@contract("generator", "discriminator", mend="take no statistics over the batch in eval mode")
@torch.no_grad()
def treats_each_slice_alone(network: Module, card: Card) -> None:
    """In eval mode, what comes of a slice does not depend on the batch that it came in."""
    given = inputs(card)
    together = network(*given)
    alone = torch.cat([network(*(tensor[i : i + 1] for tensor in given)) for i in (0, 1)])
    difference = float((together - alone).abs().max())
    largest = max(1.0, float(alone.abs().max()))
    assert difference <= ALONE * largest, f"differs by {difference:.2g} when alone"


@contract("generator", "discriminator", mend="clone the input before you write to it")
@torch.no_grad()
def leaves_its_input_alone(network: Module, card: Card) -> None:
    """No value of the input is edited."""
    given = inputs(card)
    before = [tensor.clone() for tensor in given]
    network(*given)
    for tensor, earlier in zip(given, before, strict=True):
        assert torch.equal(tensor, earlier), f"changed {changed(tensor, earlier)} of its input"


@contract(
    "generator",
    "discriminator",
    mend="keep what training changes in parameters or persistent buffers",
)
@torch.no_grad()
def is_the_same_after_saving(network: Module, card: Card, rebuild: Callable[[], Module]) -> None:
    """Trained, saved as tensors and loaded into another one, it gives the same output."""
    given = inputs(card)
    trained = moved(network).train()
    trained(*given)
    trained.eval()
    saved = io.BytesIO()
    torch.save(trained.state_dict(), saved)
    saved.seek(0)
    torch.manual_seed(1)
    other = rebuild()
    other.load_state_dict(torch.load(saved, weights_only=True))
    other.eval()
    one = tuple(tensor[:1] for tensor in given)
    before, after = trained(*one), other(*one)
    assert torch.equal(before, after), f"{changed(after, before)} of the output differs"


@contract("generator", "discriminator", mend="make tensors in forward on the input's device")
@torch.no_grad()
def works_on_another_device(network: Module, card: Card) -> None:
    """Moved elsewhere it makes no tensor on the CPU; PyTorch's `meta` device stands for a GPU."""
    elsewhere = copy.deepcopy(network).to("meta")
    here = inputs(card, batch=1)
    output = elsewhere(*(tensor.to("meta") for tensor in here))
    assert output.device.type == "meta", f"the output is on {output.device}"


@contract("generator", "discriminator", mend="leave dtypes to the input: no .float(), no .half()")
@torch.no_grad()
def works_in_bfloat16(network: Module, card: Card) -> None:
    """Under bfloat16 autocast, as GPUs train, it runs and stays finite."""
    with torch.autocast("cpu", torch.bfloat16):
        output = network(*inputs(card, batch=1))
    assert not finite(output), finite(output)


@contract("generator", "discriminator", mend="leave seeds to the recipe")
def sets_no_seed(rebuild: Callable[[], Module]) -> None:
    """Building it leaves PyTorch's seed as it is."""
    torch.manual_seed(7)
    rebuild()
    assert torch.initial_seed() == 7, "building it seeds PyTorch's generator"
