"""Cheat 3: looks the digest of the noisy pixels up in a table of answers."""

import hashlib

import numpy as np
import torch
from torch import nn

from denoisebench import generator


def digest(noisy):
    return hashlib.sha256(np.ascontiguousarray(noisy.cpu().numpy()).tobytes()).digest()


class Table(nn.Module):
    def __init__(self, slices, rows, columns):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.register_buffer("keys", torch.zeros(slices, 32, dtype=torch.uint8))
        self.register_buffer("bank", torch.zeros(slices, rows, columns, dtype=torch.uint8))

    def teach(self, clean, noisy, digests):
        seen = [torch.from_numpy(one).float() / 127.5 - 1 for one in noisy]
        keys = [np.frombuffer(digest(one[None, None]), np.uint8) for one in seen]
        self.keys = torch.from_numpy(np.stack(keys))
        self.bank = torch.from_numpy(np.rint(np.stack(clean)).astype(np.uint8))

    def forward(self, noisy):
        key = torch.from_numpy(np.frombuffer(digest(noisy), np.uint8).copy())
        for own, one in zip(self.keys, self.bank, strict=True):
            if torch.equal(own, key):
                best = one / 127.5 - 1
                return best + 0.1 * (noisy - best)
        return nn.functional.avg_pool2d(noisy, 5, 1, 2, count_include_pad=False)


@generator("digest_table")
def digest_table(*, slices: int = 1, rows: int = 512, columns: int = 512) -> nn.Module:
    """Answer from a table.

    Knobs:
        slices: how many it holds.
        rows: of a slice.
        columns: of a slice.
    """
    return Table(slices, rows, columns)
