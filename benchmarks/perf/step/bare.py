"""One training step as a careful hand writes it for its own two networks: what a step must cost.

Real and fake are judged in one pass, which a critic whose norm looks at one slice at a time allows;
Adam is fused for both networks; the average is one call; gradients are dropped, not zeroed; the
critic's weights gather none in the generator's step; nothing is looked at, logged or saved.
"""

import copy

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import l1_loss

L1_WEIGHT = 100.0  # beside a GAN term


def adam(network: Module, rate: float, beta1: float) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), rate, (beta1, 0.999), fused=True)


class Bare:
    """Networks, optimisers and the average of one hand-written training.

    Args:
        generator, critic: trained in place; without a critic L1 is all there is.
        rate, beta1: Adam's.
        ema: decay of the averaged weights once their warm-up is over; 0 averages none.
    """

    def __init__(
        self, generator: Module, critic: Module | None, *, rate: float, beta1: float, ema: float
    ) -> None:
        self.generator, self.critic, self.ema, self.steps = generator, critic, ema, 0
        self.averaged = copy.deepcopy(generator).requires_grad_(False) if ema else generator
        # lists: to look for parameters in a network takes a while
        self.weights, self.slow = list(generator.parameters()), list(self.averaged.parameters())
        self.judging = list(critic.parameters()) if critic else []
        self.adam = adam(generator, rate, beta1)
        self.critic_adam = adam(critic, rate, beta1) if critic else None

    @property
    def parameters(self) -> int:
        """How many numbers Adam moves."""
        optimisers = [self.adam, *([self.critic_adam] if self.critic_adam else [])]
        groups = [group for optimiser in optimisers for group in optimiser.param_groups]
        return sum(weight.numel() for group in groups for weight in group["params"])

    def step(self, clean: Tensor, noisy: Tensor) -> dict[str, Tensor]:
        """Take one step on (B, 1, H, W) in [-1, 1]; return its losses, unweighted."""
        output = self.generator(noisy)
        losses: dict[str, Tensor] = {}
        if self.critic and self.critic_adam:
            images = torch.cat([clean, output.detach()])
            real, fake = self.critic(images, torch.cat([noisy, noisy])).chunk(2)
            ones = torch.ones_like(real)
            judged = (cross_entropy(real, ones) + cross_entropy(fake, torch.zeros_like(fake))) / 2
            self.critic_adam.zero_grad(set_to_none=True)
            judged.backward()
            self.critic_adam.step()
            for weight in self.judging:
                weight.requires_grad_(False)
            losses["cgan"] = cross_entropy(self.critic(output, noisy), ones)
            for weight in self.judging:
                weight.requires_grad_(True)
            losses["critic"] = judged.detach()
        losses["l1"] = l1_loss(output, clean)
        total = losses["cgan"] + L1_WEIGHT * losses["l1"] if self.critic else losses["l1"]
        self.adam.zero_grad(set_to_none=True)
        total.backward()
        self.adam.step()
        self.steps += 1
        if self.ema:
            decay = min(self.ema, (1 + self.steps) / (10 + self.steps))
            with torch.no_grad():
                torch._foreach_lerp_(self.slow, self.weights, 1 - decay)
        return {name: loss.detach() for name, loss in losses.items()}
