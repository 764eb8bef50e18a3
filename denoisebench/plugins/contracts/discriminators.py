"""What a discriminator promises beside what every network does."""

import torch
from torch.nn import Module

from denoisebench.errors import UsageError
from denoisebench.plugins.card import Card
from denoisebench.plugins.contracts import contract
from denoisebench.plugins.contracts.networks import inputs, moved
from denoisebench.plugins.contracts.samples import finite


@contract("discriminator", mend="divide by nothing that can be zero, in a slice of air too")
@torch.no_grad()
def gives_finite_logits(discriminator: Module, card: Card) -> None:
    """Slices, values outside [-1, 1] and slices of nothing but air give finite logits."""
    image, condition = inputs(card)
    air = torch.full_like(image, -1.0)
    for name, pair in (
        ("a slice", (image, condition)),
        ("3 × the range", (3 * image, 3 * condition)),
        ("air", (air, air)),
    ):
        bad = finite(discriminator(*pair))
        assert not bad, f"{name}: {bad}"


@contract("discriminator", mend="end without a sigmoid: the loss takes logits")
@torch.no_grad()
def gives_logits_not_probabilities(discriminator: Module, card: Card) -> None:
    """With signs of weights turned at random, some output leaves [0, 1]."""
    given = inputs(card)
    for _ in range(8):
        other = moved(discriminator)
        for parameter in other.parameters():
            if parameter.is_floating_point() and torch.rand(()) < 0.5:
                parameter.neg_()
        logits = other(*given)
        if logits.min() < 0 or logits.max() > 1:
            return
    raise AssertionError("every output lies in [0, 1], whatever the weights")


@contract("discriminator", mend="write forward(self, image, condition=None)")
@torch.no_grad()
def takes_a_condition_or_none(discriminator: Module, card: Card) -> None:
    """A condition is accepted; without one it judges, or says with a UsageError why it cannot."""
    image, condition = inputs(card, batch=1)
    discriminator(image, condition)
    for given in ((image,), (image, None)):
        try:
            discriminator(*given)
        except UsageError:
            continue


@contract("discriminator", mend="detach nothing: the generator learns through the image")
def lets_the_gradient_reach_the_image(discriminator: Module, card: Card) -> None:
    """Each slice gets a gradient that is finite and not all zero."""
    image, condition = inputs(card)
    image.requires_grad_()
    moved(discriminator)(image, condition).mean().backward()
    assert image.grad is not None, "no gradient reaches the image"
    assert not finite(image.grad), finite(image.grad)
    for number, slice_ in enumerate(image.grad):
        assert slice_.any(), f"the gradient of slice {number} is zero everywhere"
