"""my_plugin: keeps logits from drifting. Say here what your penalty holds back, and whose it is."""

from torch import Tensor
from torch.nn import Module

from denoisebench import loss


# The critic minimises this beside an adversarial loss: `cgan + l1 + my_plugin`. `weight` is what it
# gets when users give no number. The generator never sees it.
@loss("my_plugin", penalty=True, weight=0.001)
def my_plugin(
    discriminator: Module,
    real: Tensor,
    fake: Tensor,
    condition: Tensor | None,
    *,
    level: float = 0.0,
) -> Tensor:
    """Mean squared distance of the logits of real slices from a level (Karras et al., 2018).

    arXiv:1710.10196, appendix A.1. `real`, `fake` and `condition` are (B, 1, H, W) in [-1, 1] and
    carry no gradient of the generator → one number, 0 or more.

    Knobs:
        level: where the logits are held.
    """
    logits: Tensor = discriminator(real, condition)
    return (logits - level).square().mean()
