"""my_plugin: a logistic GAN loss with a temperature. Say here what yours does, and whose it is."""

from torch import Tensor
from torch.nn.functional import softplus

from denoisebench import UsageError, loss


# The discriminator gives logits: no sigmoid has been taken, and their shape is its own business.
@loss("my_plugin", adversarial=True)
class Adversarial:
    """Cross-entropy of logits over a temperature.

    Knobs:
        temperature: what logits are divided by; above 0.
    """

    def __init__(self, *, temperature: float = 1.0) -> None:
        if not temperature > 0:
            raise UsageError(f"my_plugin needs a temperature above 0, got {temperature}")
        self.temperature = temperature

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the discriminator minimises: less where real logits stand above fake ones."""
        return (softplus(-real / self.temperature) + softplus(fake / self.temperature)).mean() / 2

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        """What the generator minimises: less where fake logits rise."""
        return softplus(-fake / self.temperature).mean()
