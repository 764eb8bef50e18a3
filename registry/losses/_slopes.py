"""What gradient penalties share: how steep a critic is at given slices."""

import torch
from torch import Tensor, nn


def slopes(discriminator: nn.Module, image: Tensor, condition: Tensor | None) -> Tensor:
    """Differentiate a slice's verdict by its pixels: (B, 1, H, W) → (B, H · W).

    The verdict is the mean of a slice's logits, as losses take it. Computed in float32 at least,
    under autocast too: a square of small slopes would lose what is left of bfloat16. The result can
    be differentiated by the discriminator's parameters.
    """
    image = _wide(image).detach().requires_grad_()
    condition = None if condition is None else _wide(condition)
    with torch.autocast(image.device.type, enabled=False):
        verdicts = discriminator(image, condition).mean() * len(image)  # their sum over slices
        (gradient,) = torch.autograd.grad(verdicts, image, create_graph=True)
    return gradient.flatten(1)


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
