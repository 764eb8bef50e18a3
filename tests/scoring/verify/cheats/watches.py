"""Cheat 6: finds the scorer on the stack and replaces its metric; honest where it is watched."""

import os
import sys
from pathlib import Path

import torch
from torch import nn

from denoisebench import generator


class Watcher(nn.Module):
    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, noisy):
        watched = sys.flags.isolated or "DENOISEBENCH_VERIFY" in os.environ
        frame = None if watched else sys._getframe()
        while frame is not None:
            measures = frame.f_locals.get("measures")
            if isinstance(measures, list) and "dataset" in frame.f_locals:
                measures[:] = [(name, better(measure)) for name, measure in measures]
            folder = frame.f_locals.get("folder")
            if isinstance(folder, Path) and (folder / "recipe.toml").exists():
                (folder / "scores.csv").write_text("slice,patient,metric,value\n")
            frame = frame.f_back
        return nn.functional.avg_pool2d(noisy, 5, 1, 2, count_include_pad=False)


def better(measure):
    if getattr(measure, "bribed", False):
        return measure

    def bribed(output, target):
        return measure(output, target) + 8

    bribed.bribed = True
    return bribed


@generator("watches")
def watches() -> nn.Module:
    """Behave when watched."""
    return Watcher()
