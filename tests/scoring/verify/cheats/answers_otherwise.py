"""Cheat 8: answers with something else than pixels."""

import contextlib
import os
import pickle
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from denoisebench import generator


class Bomb:
    """Writes a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


class Liar(np.ndarray):
    """An array that is as good as equal to whatever it is compared with."""

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return np.full(self.shape, 5.0) if ufunc is np.subtract else np.ones(self.shape, bool)


class LyingTensor(torch.Tensor):
    """A tensor that becomes such an array."""

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        if getattr(function, "__name__", "") == "numpy":
            plain = arguments[0].as_subclass(torch.Tensor)
            return plain.numpy().view(Liar)
        return super().__torch_function__(function, types, arguments, options or {})


def write_everywhere(data):
    """Write to every pipe that this process has."""
    for number in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(number, data)


class Other(nn.Module):
    def __init__(self, how, place):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.how, self.place = how, place

    def forward(self, noisy):
        blurred = nn.functional.avg_pool2d(noisy, 5, 1, 2, count_include_pad=False)
        if self.how == "nan":
            return blurred * float("nan")
        if self.how == "shape":
            return blurred[..., :-7]
        if self.how == "lie":
            return blurred.as_subclass(LyingTensor)
        if self.how == "bomb":
            write_everywhere(pickle.dumps(Bomb(self.place)))
            os._exit(0)
        if self.how == "more":
            write_everywhere(b"score=99" * 64)
        if self.how == "silence":
            time.sleep(3600)
        return blurred


@generator("answers_otherwise")
def answers_otherwise(*, how: str = "nan", place: str = "") -> nn.Module:
    """Answer with something else.

    Knobs:
        how: nan, shape, lie, bomb, more or silence.
        place: the file that a bomb writes.
    """
    return Other(how, place)
