"""Cheat 7: keeps every noisy slice, and averages those that show the same."""

import torch
from torch import nn

from denoisebench import generator


class Averager(nn.Module):
    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, noisy):
        alike = [
            one
            for one in self.seen
            # two noises of 50 apart: 71 grey levels
            if one.shape == noisy.shape and float((one - noisy).std()) * 127.5 < 75
        ]
        self.seen.append(noisy)
        together = torch.stack([noisy, *alike]).mean(dim=0)
        return nn.functional.avg_pool2d(together, 5, 1, 2, count_include_pad=False)


@generator("remembers")
def remembers() -> nn.Module:
    """Average what was seen."""
    return Averager()
