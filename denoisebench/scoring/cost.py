"""What a network costs: multiply-accumulates."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from denoisebench.plugins.expression import Part
from denoisebench.plugins.load import build


def macs(part: Part, shape: tuple[int, ...]) -> int:
    """Count the multiply-accumulates of one slice; nothing is computed.

    Args:
        part: a generator or discriminator.
        shape: (H, W) of the slice; rounded up to the generator's multiple.
    Returns:
        Those of convolutions and matrix products; normalisation and activations are not counted,
        as is the custom.
    """
    multiple = int(str(part.card.facts.get("multiple", 1)))
    height, width = (multiple * -(-side // multiple) for side in shape)
    network = build(part).eval().to("meta")
    image = torch.empty(1, 1, height, width, device="meta")
    inputs = (image,) if part.card.kind == "generator" else (image, image)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(*inputs)
    return int(counter.get_total_flops()) // 2
