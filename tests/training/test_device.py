import numpy as np
import pytest
import torch

from denoisebench.training import device

CPU = torch.device("cpu")
MEGABYTE = 2**20


@pytest.fixture
def watched():
    device.watch(CPU)
    if device.peak_memory(CPU) is None:
        pytest.skip("this system does not say how much memory a process has used")


def test_the_peak_holds_what_was_in_use_and_is_gone(watched):
    before = device.peak_memory(CPU)
    np.ones(200 * MEGABYTE, dtype=np.uint8)
    assert device.peak_memory(CPU) > before + 150 * MEGABYTE


def test_watching_again_forgets_what_was_before(watched):
    np.ones(400 * MEGABYTE, dtype=np.uint8)
    high = device.peak_memory(CPU)
    device.watch(CPU)
    assert device.peak_memory(CPU) < high - 200 * MEGABYTE
