"""Wasserstein GAN with gradient penalty: a critic of slope 1 between real and fake."""

import torch
from torch import Tensor, nn

from denoisebench import UsageError, loss

from ._slopes import slopes


@loss("wgan_gp", adversarial=True)
class WassersteinGradientPenalty:
    """Wasserstein distance, critic's slope held near 1 (Gulrajani et al., 2017, arXiv:1704.00028).

    The penalty is weight · E[(‖∇D‖₂ - 1)²] at points drawn evenly from the lines between each real
    slice and the fake one of the same noisy slice; D is the mean of a slice's logits, the norm a
    sum over its pixels in [-1, 1].

    It holds each slice to its own slope, so it wants a critic that looks at one slice at a time:
    not norm="batch". The paper trains the critic five times for each step of the generator, with
    Adam's momenta at (0, 0.9); here they take turns.
    """

    def __init__(self, *, weight: float = 10.0) -> None:
        """Keep the weight.

        Knobs:
            weight: of the gradient penalty, beside a weight of 1 for the critic's loss; above 0.
        """
        if not weight > 0:
            raise UsageError(f"wgan_gp needs a weight above 0 for its penalty, got {weight:g}")
        self.weight = weight

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """Mean of fake minus mean of real: minus the distance, so it may be negative."""
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        """Minus the mean of fake; real is not looked at."""
        return -fake.mean()

    def penalty(
        self, discriminator: nn.Module, real: Tensor, fake: Tensor, condition: Tensor | None
    ) -> Tensor:
        """Weighted mean squared distance of the slope from 1; draws from PyTorch's generator."""
        share = torch.rand((len(real), 1, 1, 1), device=real.device, dtype=real.dtype)
        between = torch.lerp(fake.to(real.dtype), real, share)
        norms = slopes(discriminator, between, condition).norm(dim=1)
        return self.weight * (norms - 1).square().mean()
