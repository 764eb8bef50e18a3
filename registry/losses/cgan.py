"""The GAN loss of 2014 in its non-saturating form; conditional when the discriminator is."""

from torch import Tensor
from torch.nn.functional import softplus

from denoisebench import loss


@loss("cgan", adversarial=True)
class CrossEntropy:
    """Binary cross-entropy of logits (Goodfellow et al., 2014, arXiv:1406.2661, eq. 1 and sec. 3).

    The generator maximises log D(fake) instead of minimising log(1 - D(fake)), whose gradient
    vanishes where the discriminator is sure. softplus(-x) = -log sigmoid(x) holds for any logit.
    """

    boundary = 0.0  # logit between fake and real

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """Mean cross-entropy of real called real and fake called fake; halved as in pix2pix."""
        return (softplus(-real).mean() + softplus(fake).mean()) / 2

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        """Mean cross-entropy of fake called real; real is not looked at."""
        return softplus(-fake).mean()
