"""The terms of a loss expression, evaluated; it owns no optimiser."""

import copy
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from denoisebench.plugins.expression import Part
from denoisebench.plugins.load import build

Penalty = Callable[[Module, Tensor, Tensor, Tensor | None], Tensor]


class Objective:
    """What the generator and the critic are asked for.

    Args:
        parts: of a resolved loss expression, in its order: an adversarial one first if there is
            one, penalties of the critic last.
    Attributes:
        weights: label → weight, in the order of the parts.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        names = [part.card.name for part in parts]
        self.weights: dict[str, float] = {}
        self._pixel: dict[str, Callable[[Tensor, Tensor], Tensor]] = {}
        self._penalties: dict[str, Penalty] = {}
        self._adversarial: tuple[str, Any] | None = None
        for part in parts:
            # A term goes by its name; two of one name, by their knobs too.
            label = part.card.name if names.count(part.card.name) == 1 else part.text
            self.weights[label] = part.weight
            if part.card.adversarial:
                self._adversarial = label, build(part)
            elif part.card.penalty:
                self._penalties[label] = build(part)
            else:
                self._pixel[label] = build(part)

    @property
    def needs_critic(self) -> bool:
        """Whether a term judges through a discriminator."""
        return self._adversarial is not None

    @property
    def adversarial(self) -> str | None:
        """Label of the term that judges through a discriminator."""
        return self._adversarial[0] if self._adversarial else None

    @property
    def alone(self) -> list[str]:
        """Labels of the terms that need no discriminator."""
        return [*self._pixel]

    @property
    def boundary(self) -> float | None:
        """The logit between fake and real, where the GAN term names one."""
        return getattr(self._adversarial[1], "boundary", None) if self._adversarial else None

    def judge(self, real: Tensor, fake: Tensor) -> Tensor:
        """The critic's loss of logits, without penalties."""
        assert self._adversarial is not None
        loss: Tensor = self._adversarial[1].critic(real, fake)
        return loss

    def generator_terms(
        self, output: Tensor, target: Tensor, fake: Tensor | None, real: Tensor | None
    ) -> dict[str, Tensor]:
        """Evaluate each term for the generator, unweighted, in float32; penalties are none.

        Args:
            output, target: (B, 1, H, W) in [-1, 1].
            fake: the critic's logits of the output; None without a GAN term.
            real: its logits of the target, without gradient, as the critic's own step saw them.
        Returns:
            label → scalar, in the order of the expression.
        """
        output, target = output.float(), target.float()
        terms: dict[str, Tensor] = {}
        if self._adversarial and fake is not None and real is not None:
            label, term = self._adversarial
            terms[label] = term.generator(fake.float(), real.float())
        return terms | {label: loss(output, target) for label, loss in self._pixel.items()}

    def critic_terms(
        self, critic: Module, output: Tensor, target: Tensor, condition: Tensor
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Evaluate what is asked of a critic beside its judgement of (B, 1, H, W) slices.

        Returns:
            The penalty of the GAN term, if it has one, and label → penalty, unweighted.
        """
        assert self._adversarial is not None
        pair, term = (target, output, condition), self._adversarial[1]
        own = term.penalty(critic, *pair) if hasattr(term, "penalty") else None
        return own, {label: penalty(critic, *pair) for label, penalty in self._penalties.items()}

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Weigh and add the terms."""
        weights = [self.weights[label] for label in terms]
        weighed = (
            w * value if w != 1 else value for w, value in zip(weights, terms.values(), strict=True)
        )
        return reduce(torch.add, weighed)


class Judge(Module):
    """The critic and what it is asked for as one network: a call gives the critic's loss.

    Args:
        objective: with a GAN term.
        critic: the discriminator, in training mode.
        look: gives the critic's logits, as a call of it does or faster; penalties call it itself.
        side: of the crops.
    """

    def __init__(
        self, objective: Objective, critic: Module, look: Callable[..., Tensor], side: int
    ) -> None:
        super().__init__()
        self.objective, self.critic, self.look = objective, critic, look
        self.together = judges_alone(critic, side)

    def forward(
        self, output: Tensor, target: Tensor, condition: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Evaluate the critic's own loss on the target and the (detached) output.

        Returns:
            The loss, with the weighted penalties and that of the adversarial term; label → penalty,
            unweighted and without gradient; and the logits of the target, without gradient.
        """
        output = output.detach()
        if self.together:
            images = torch.cat([target, output.to(target.dtype)])
            real, fake = self.look(images, torch.cat([condition, condition])).chunk(2)
        else:
            real, fake = self.look(target, condition), self.look(output, condition)
        loss = self.objective.judge(real.float(), fake.float())
        own, penalties = self.objective.critic_terms(self.critic, output, target, condition)
        loss = loss if own is None else loss + own
        if penalties:
            loss = loss + self.objective.total(penalties)
        return loss, {label: value.detach() for label, value in penalties.items()}, real.detach()


def judges_alone(critic: Module, side: int) -> bool:
    """Say whether a critic judges each image as if no other stood beside it.

    Then real and fake images can share a pass. Found by trying, on copies: batch normalisation,
    statistics over a batch and dropout say no, as does a critic whose logits are not by image.

    Args:
        critic: in training mode.
        side: of the images to try.
    """
    device = next(critic.parameters()).device
    source = torch.Generator().manual_seed(0)
    images, conditions = torch.rand(2, 2, 1, side, side, generator=source).to(device)
    images[1], conditions[1] = images[1] / 10 - 0.5, conditions[1] / 10  # nothing like the others
    with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        both = copy.deepcopy(critic)(images, conditions)
        alone = [copy.deepcopy(critic)(images[n : n + 1], conditions[n : n + 1]) for n in range(2)]
    each = torch.cat(alone)
    # A sum in another order moves logits by 1e-6 of the largest, TF32 by 1e-3 of it.
    return both.shape == each.shape and bool((both - each).abs().max() < 5e-3 * each.abs().max())
