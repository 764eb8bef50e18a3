"""A small phantom, and denoisers whose behaviour is known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.scoring.denoisers import Denoised
from denoisebench.task import load_task


@pytest.fixture(scope="session")
def task():
    return load_task("ct-sigma50")


@pytest.fixture(scope="session")
def phantom() -> DataSet:
    """Fourteen patients with a slice of abdomen each, 256 × 256."""
    slices = [
        Slice(draw(patient, 2, size=256), f"patient{patient:02}", "1", spacing_mm=(1.4, 1.4))
        for patient in range(14)
    ]
    return DataSet("small", tuple(slices[:1]), tuple(slices[1:5]), tuple(slices[5:]))


@pytest.fixture(scope="session")
def truth(phantom, task):
    """Recognise the clean slice under a noisy one."""
    clean = [task.to_grey(one.hu) for name in ("val", "test") for one in phantom.slices(name)]
    return lambda noisy: min(clean, key=lambda each: float(np.mean((each - noisy) ** 2)))


@pytest.fixture(scope="session")
def faithful(truth):
    """Give the clean slice with some of the noise's low frequencies, as real denoisers do."""

    def run(noisy_slices):
        for noisy in noisy_slices:
            clean = truth(noisy)
            yield Denoised(clean + 0.4 * gaussian_filter(noisy - clean, 3.0), 0.0)

    return run
