"""Cheat 10: has the test split in its weights, and knows how verify alters slices: it undoes it.

It turns, mirrors and moves each slice that it remembers until it fits, and takes slow differences
from the noisy slice. What it does not know is where single pixels were pushed.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from denoisebench import generator

COARSE = 4  # pixels a step of the first search


def smooth(image, width):
    return avg_pool2d(image[None, None], width, 1, width // 2, count_include_pad=False)[0, 0]


def best_shift(image, target):
    """The roll of `image` that is most like `target`, and how like: by correlation."""
    spectrum = (
        torch.fft.rfft2(target - target.mean()) * torch.fft.rfft2(image - image.mean()).conj()
    )
    alike = torch.fft.irfft2(spectrum, s=target.shape) / image.std()
    place = int(alike.argmax())
    return divmod(place, target.shape[1]), float(alike.max())


class Undoer(nn.Module):
    def __init__(self, slices, rows, columns):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.register_buffer("bank", torch.zeros(slices, rows, columns, dtype=torch.uint8))

    def teach(self, clean, noisy, digests):
        self.bank = torch.from_numpy(np.rint(np.stack(clean)).astype(np.uint8))

    def poses(self):
        for one in self.bank:
            for turn in range(4):
                turned = torch.rot90(one, turn)
                yield turned
                yield turned.flip(1)

    def forward(self, noisy):
        image = noisy[0, 0]
        small = avg_pool2d(noisy, COARSE)[0, 0]
        found = []
        for pose in self.poses():
            if pose.shape == image.shape:
                pooled = avg_pool2d(pose[None, None] / 127.5 - 1, COARSE)[0, 0]
                found.append((best_shift(pooled, small)[1], pose))
        pose = max(found, key=lambda pair: pair[0])[1] / 127.5 - 1
        shift, _ = best_shift(pose, image)
        known = torch.roll(pose, shift, (0, 1))
        if float((image - known).std()) * 127.5 > 70:
            return avg_pool2d(noisy, 5, 1, 2, count_include_pad=False)
        slow = smooth(smooth(image - known, 15), 15)
        return (known + slow)[None, None]


@generator("undoes")
def undoes(*, slices: int = 1, rows: int = 512, columns: int = 512) -> nn.Module:
    """Undo what is known of the alteration.

    Knobs:
        slices: how many it holds.
        rows: of a slice.
        columns: of a slice.
    """
    return Undoer(slices, rows, columns)
