"""The estimate of a slice's noise, against noise that was put there."""

import numpy as np
import pytest

from denoisebench.deploy.fitness import GREATEST, LEAST
from denoisebench.deploy.noise_level import noise_level
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice


def nowhere(image):
    return np.zeros(image.shape, np.bool_)


@pytest.mark.parametrize("sigma", [20.0, 50.0, 78.4, 150.0])
def test_noise_that_was_added_is_found(clean, sigma):
    rng = np.random.default_rng(8)
    for one in clean:
        found = noise_level(one + rng.normal(0, sigma, one.shape), nowhere(one))
        # the phantom's own texture and edges, at half its resolution, add up to 15 HU in squares
        assert 0.97 * sigma < found < 1.04 * np.hypot(sigma, 15)


def test_a_clean_slice_is_told_from_a_noisy_one(clean):
    levels = [noise_level(one.astype(np.float64), nowhere(one)) for one in clean]
    assert max(levels) < LEAST * 78.4 / 2


@pytest.mark.parametrize(
    "name", ["ct-sigma50", "ct-sigma50-wide", "ct-sigma50-clip8", "ct-sigma50-rgb8",
             "ct-sigma50-hu8"]
)  # fmt: skip
def test_what_a_task_makes_is_taken_for_it(clean, name):
    """Also where noise is clipped, which makes it less."""
    task = load_task(name)
    sigma_hu = task.sigma / task.grey_per_hu
    for one in clean:
        noisy = noisy_slice(task, task.to_grey(one), "ab" * 32)
        found = noise_level(noisy / task.grey_per_hu + task.window_hu[0], nowhere(one))
        assert LEAST * sigma_hu < found < GREATEST * sigma_hu


def test_air_and_padding_say_nothing(clean):
    air = np.random.default_rng(1).normal(-1000, 78, (128, 128))
    assert noise_level(air, nowhere(air)) is None
    tissue = np.random.default_rng(1).normal(40, 78, (128, 128))
    assert noise_level(tissue, ~nowhere(tissue)) is None
    half = nowhere(tissue)
    half[:64] = True
    tissue[:64] = 40  # padding may be any value
    assert noise_level(tissue, half) == pytest.approx(78, rel=0.06)
