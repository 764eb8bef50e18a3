"""Hinge GAN: a critic that stops pulling where its margin of 1 is kept."""

from torch import Tensor
from torch.nn.functional import relu

from denoisebench import loss


@loss("hinge", adversarial=True)
class Hinge:
    """Hinge loss (Lim and Ye, 2017, arXiv:1705.02894; as in SAGAN, 2018, arXiv:1805.08318)."""

    boundary = 0.0  # logit between fake and real

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """Mean shortfall of real below 1 plus mean excess of fake above -1."""
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        """Minus the mean of fake, without a margin; real is not looked at."""
        return -fake.mean()
