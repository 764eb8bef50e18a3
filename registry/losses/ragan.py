"""Relativistic average GAN: is this slice more real than fake ones are on average?"""

from torch import Tensor
from torch.nn.functional import softplus

from denoisebench import loss


@loss("ragan", adversarial=True)
class RelativisticAverage:
    """Relativistic average GAN with cross-entropy (Jolicoeur-Martineau, 2018, arXiv:1807.00734).

    Each logit is judged by its distance from the mean logit of the other side. That mean runs over
    the batch and all places, and apart for each channel (dimension 1), since heads that judge
    different things have different zeros. Both losses are halved, as in the author's code; so a
    draw costs log 2 as it does with `cgan`, and `100*l1` is worth the same beside either.
    """

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """Cross-entropy of real called more real than fake, and of fake called less real."""
        return (softplus(_mean(fake) - real).mean() + softplus(fake - _mean(real)).mean()) / 2

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        """The critic's loss with the sides exchanged; its gradient has real logits in it."""
        return self.critic(fake, real)


def _mean(logits: Tensor) -> Tensor:
    return logits.mean(dim=[place for place in range(logits.ndim) if place != 1], keepdim=True)
