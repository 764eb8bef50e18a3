"""Least-squares GAN: a discriminator that regresses to 1 and 0."""

from torch import Tensor

from denoisebench import loss


@loss("lsgan", adversarial=True)
class LeastSquares:
    """Least-squares GAN (Mao et al., 2017, arXiv:1611.04076, eq. 9)."""

    boundary = 0.5  # between fake, drawn to 0, and real, drawn to 1

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """Half the squared distance of real from 1 and of fake from 0."""
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        """Half the squared distance of fake from 1; real is not looked at."""
        return (fake - 1).square().mean() / 2
