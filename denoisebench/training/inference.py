"""A generator as a denoiser of whole slices of any size."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import pad

from denoisebench.task.task import from_network, to_network


def denoise(generator: Module, noisy: NDArray[np.float64], multiple: int) -> NDArray[np.float64]:
    """Denoise one slice in eval mode, in float32, on the generator's device.

    Args:
        generator: takes and gives (1, 1, H, W) in [-1, 1].
        noisy: (H, W) grey levels.
        multiple: what the sides must be divisible by; the slice is reflected to that, and the
            result cut back.
    Returns:
        (H, W) float64 grey levels, not clipped.
    """
    device = next(generator.parameters()).device
    was_training = generator.training
    generator.eval()
    with torch.inference_mode():
        image = torch.from_numpy(noisy)[None, None].to(device, torch.float32)
        output = generator(reflect(to_network(image), multiple))
        height, width = noisy.shape
        grey = from_network(output.float()[..., :height, :width])
    generator.train(was_training)
    result: NDArray[np.float64] = grey[0, 0].double().cpu().numpy()
    return result


def reflect(image: Tensor, multiple: int) -> Tensor:
    """Reflect (B, 1, H, W) at the bottom and right until both sides are multiples.

    A side is mirrored as often as it takes: a 100-pixel slice can become 256.
    """
    for axis in (-1, -2):
        while missing := -image.shape[axis] % multiple:
            more = min(missing, image.shape[axis] - 1)
            image = pad(image, (0, more) if axis == -1 else (0, 0, 0, more), mode="reflect")
    return image
