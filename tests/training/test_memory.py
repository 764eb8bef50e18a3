import numpy as np
import pytest
import torch

from denoisebench.training import memory

CPU = torch.device("cpu")
MEGABYTE = 2**20


@pytest.fixture
def watched():
    memory.watch(CPU)
    if memory.peak(CPU) is None:
        pytest.skip("this system does not say how much memory a process has used")


def test_the_peak_holds_what_was_in_use_and_is_gone(watched):
    before = memory.peak(CPU)
    np.ones(200 * MEGABYTE, dtype=np.uint8)
    assert memory.peak(CPU) > before + 150 * MEGABYTE


def test_watching_again_forgets_what_was_before(watched):
    np.ones(400 * MEGABYTE, dtype=np.uint8)
    high = memory.peak(CPU)
    memory.watch(CPU)
    assert memory.peak(CPU) < high - 200 * MEGABYTE
