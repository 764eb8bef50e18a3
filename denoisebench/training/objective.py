"""The terms of a loss expression, evaluated; it owns no optimiser."""

from collections.abc import Callable, Sequence
from typing import Any

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

    def critic_loss(
        self, discriminator: Module, output: Tensor, target: Tensor, condition: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Evaluate the critic's own loss on the target and the (detached) output.

        Returns:
            The loss, with the weighted penalties and that of the adversarial term; label → penalty,
            unweighted and without gradient; and the logits of the target, without gradient.
        """
        assert self._adversarial is not None
        term = self._adversarial[1]
        output = output.detach()
        real = discriminator(target, condition)
        fake = discriminator(output, condition)
        loss = self.judge(real.float(), fake.float())
        if hasattr(term, "penalty"):
            loss = loss + term.penalty(discriminator, target, output, condition)
        penalties = {
            label: penalty(discriminator, target, output, condition)
            for label, penalty in self._penalties.items()
        }
        if penalties:
            loss = loss + self.total(penalties)
        return loss, {label: value.detach() for label, value in penalties.items()}, real.detach()

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Weigh and add the terms."""
        total = sum(self.weights[label] * value for label, value in terms.items())
        assert isinstance(total, Tensor)
        return total
