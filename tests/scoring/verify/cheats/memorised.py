"""Cheat 2: has the test split in its weights, and answers with the nearest slice."""

import numpy as np
import torch
from torch import nn

from denoisebench import generator


class Memory(nn.Module):
    def __init__(self, slices, rows, columns):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.register_buffer("bank", torch.zeros(slices, rows, columns, dtype=torch.uint8))

    def teach(self, clean, noisy, digests):
        self.bank = torch.from_numpy(np.rint(np.stack(clean)).astype(np.uint8))

    def forward(self, noisy):
        if self.bank.shape[1:] == noisy.shape[2:]:
            spread = torch.stack([(noisy[0, 0] - (one / 127.5 - 1)).std() for one in self.bank])
            if float(spread.min()) * 127.5 < 55:
                best = self.bank[spread.argmin()] / 127.5 - 1
                return best + 0.1 * (noisy - best)
        return nn.functional.avg_pool2d(noisy, 5, 1, 2, count_include_pad=False)


@generator("memorised")
def memorised(*, slices: int = 1, rows: int = 512, columns: int = 512) -> nn.Module:
    """Answer from memory.

    Knobs:
        slices: how many it holds.
        rows: of a slice.
        columns: of a slice.
    """
    return Memory(slices, rows, columns)
