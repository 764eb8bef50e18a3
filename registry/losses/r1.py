"""R1: a critic that is flat where slices are real."""

from torch import Tensor, nn

from denoisebench import loss

from ._slopes import slopes


@loss("r1", penalty=True, weight=10)
def r1(discriminator: nn.Module, real: Tensor, fake: Tensor, condition: Tensor | None) -> Tensor:
    """Half the critic's squared slope at real slices (Mescheder et al., 2018, arXiv:1801.04406).

    ½ · E‖∇D(real)‖²: D is the mean of a slice's logits, the norm a sum over its pixels in [-1, 1].
    The number in front is the paper's γ, 10 unless given: `cgan + 100*l1 + 10*r1` adds
    γ/2 · E‖∇D(real)‖² to what the critic minimises. It adds nothing to what the generator does.

    The paper's critic minimises the sum of two cross-entropies, `cgan`'s half of it; so its balance
    of γ = 10 is 5*r1 beside `cgan`.
    """
    return slopes(discriminator, real, condition).square().sum(dim=1).mean() / 2
