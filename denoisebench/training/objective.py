"""The terms of a loss expression, evaluated; it owns no optimiser."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.nn import Module

from denoisebench.plugins.expression import Part
from denoisebench.plugins.load import build


class Objective:
    """What the generator and the critic are asked for.

    Args:
        parts: of a resolved loss expression; at most one is adversarial.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        names = [part.card.name for part in parts]
        self.weights: dict[str, float] = {}
        self._pixel: dict[str, Callable[[Tensor, Tensor], Tensor]] = {}
        self._adversarial: tuple[str, Any] | None = None
        for part in parts:
            # A term goes by its name; two of one name, by their knobs too.
            label = part.card.name if names.count(part.card.name) == 1 else part.text
            self.weights[label] = part.weight
            if part.card.adversarial:
                self._adversarial = label, build(part)
            else:
                self._pixel[label] = build(part)

    @property
    def needs_critic(self) -> bool:
        """Whether a term judges through a discriminator."""
        return self._adversarial is not None

    def generator_terms(
        self, output: Tensor, target: Tensor, fake: Tensor | None, real: Tensor | None
    ) -> dict[str, Tensor]:
        """Evaluate each term for the generator, unweighted, in float32.

        Args:
            output, target: (B, 1, H, W) in [-1, 1].
            fake: the critic's logits of the output; None without a GAN term.
            real: its logits of the target, without gradient, as the critic's own step saw them.
        Returns:
            label → scalar, in the order of the expression.
        """
        output, target = output.float(), target.float()
        terms: dict[str, Tensor] = {}
        for label in self.weights:
            if label in self._pixel:
                terms[label] = self._pixel[label](output, target)
            elif self._adversarial and fake is not None and real is not None:
                terms[label] = self._adversarial[1].generator(fake.float(), real.float())
        return terms

    def critic_loss(
        self, discriminator: Module, output: Tensor, target: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Evaluate the critic's own loss on the target and the (detached) output.

        Returns:
            The loss, with the penalty where the term has one; and the logits of the target,
            without gradient.
        """
        assert self._adversarial is not None
        term = self._adversarial[1]
        real = discriminator(target, condition)
        fake = discriminator(output.detach(), condition)
        loss: Tensor = term.critic(real.float(), fake.float())
        if hasattr(term, "penalty"):
            loss = loss + term.penalty(discriminator, target, output.detach(), condition)
        return loss, real.detach()

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Weigh and add the terms."""
        total = sum(self.weights[label] * value for label, value in terms.items())
        assert isinstance(total, Tensor)
        return total
