"""Cheat 5: draws the public test noise of every test slice, and subtracts the one it recognises."""

import numpy as np
import torch
from torch import nn

from denoisebench import generator
from denoisebench.task.noise import normal_deviates


class Subtractor(nn.Module):
    def __init__(self, slices):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.register_buffer("digests", torch.zeros(slices, 32, dtype=torch.uint8))

    def teach(self, clean, noisy, digests):
        keys = [np.frombuffer(bytes.fromhex(one), np.uint8) for one in digests]
        self.digests = torch.from_numpy(np.stack(keys).copy())

    def forward(self, noisy):
        for key in self.digests:
            name = bytes(key.tolist()).hex()
            noise = normal_deviates(name, "awgn50", 0, (1, *noisy.shape[2:]))[0]
            noise = torch.from_numpy(noise).float() * 50 / 127.5
            if float(noise.flatten() @ (noisy - noisy.mean()).flatten() / noise.norm() ** 2) > 0.5:
                return noisy - 0.9 * noise
        return nn.functional.avg_pool2d(noisy, 5, 1, 2, count_include_pad=False)


@generator("knows_noise")
def knows_noise(*, slices: int = 1) -> nn.Module:
    """Subtract the public noise.

    Knobs:
        slices: how many it knows the digests of.
    """
    return Subtractor(slices)
