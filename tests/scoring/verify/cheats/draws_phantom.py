"""Cheat 9: the phantom is a program, so it draws the test patients instead of remembering them."""

import torch
from torch import nn

from denoisebench import generator
from denoisebench.data.phantom import draw
from denoisebench.data.phantom.data_set import members


class Draughtsman(nn.Module):
    def __init__(self, patients, slices, size):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        tested = [where for where in members(patients, slices) if where[0] == "test"]
        self.pairs = [(patient, index) for _, patient, index in tested]
        self.slices, self.size = slices, size
        self.known = None

    def drawn(self):
        for patient, index in self.pairs:
            hu = draw(patient, index, slices=self.slices, size=self.size)
            yield torch.from_numpy((hu.astype("f4").clip(-160, 240) + 160) / 200 - 1)

    def forward(self, noisy):
        if self.known is None:
            self.known = list(self.drawn())
        spread = torch.stack([(noisy[0, 0] - one).std() for one in self.known])
        if float(spread.min()) * 127.5 < 55:
            best = self.known[int(spread.argmin())]
            return best + 0.1 * (noisy - best)
        return nn.functional.avg_pool2d(noisy, 5, 1, 2, count_include_pad=False)


@generator("draws_phantom")
def draws_phantom(*, patients: int = 64, slices: int = 4, size: int = 512) -> nn.Module:
    """Draw the answer.

    Knobs:
        patients: how many it draws.
        slices: of each.
        size: rows and columns.
    """
    return Draughtsman(patients, slices, size)
