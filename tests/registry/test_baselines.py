import numpy as np
import pytest
from denoisebench.registry.baselines.bm3d import bm3d
from denoisebench.registry.baselines.nlm import nlm
from denoisebench.registry.baselines.noisy import noisy

from denoisebench import UsageError


def psnr(output, target):
    return 10 * np.log10(255**2 / np.mean((output - target) ** 2))


@pytest.fixture
def pair():
    """(noisy, clean): (80, 64) grey levels of discs, sigma 50."""
    row, column = np.mgrid[0:80, 0:64]
    clean = 90.0 * (np.hypot(row - 40, column - 30) < 25) + 80.0 * (np.hypot(row - 30, column) < 20)
    return clean + np.random.default_rng(3).normal(0, 50, clean.shape), clean


def test_noisy_returns_a_copy(pair):
    output = noisy(pair[0], 50.0)
    assert np.array_equal(output, pair[0])
    assert not np.shares_memory(output, pair[0])


# What each gains on discs, minus a decibel: bm3d 12.6 dB, nlm 10.0 dB
@pytest.mark.parametrize(("baseline", "gain"), [(bm3d, 11.0), (nlm, 9.0)])
def test_a_baseline_removes_noise(baseline, gain, pair):
    before = pair[0].copy()
    output = baseline(pair[0], 50.0)
    assert output.dtype == np.float64
    assert output.shape == pair[0].shape
    assert psnr(output, pair[1]) > psnr(*pair) + gain
    assert np.array_equal(pair[0], before)


@pytest.mark.parametrize("baseline", [bm3d, nlm])
def test_a_baseline_does_not_clip(baseline, pair):
    shifted = baseline(pair[0] - 500, 50.0)
    assert shifted.mean() == pytest.approx(pair[0].mean() - 500, abs=2)


def test_nlm_smooths_in_units_of_sigma(pair):
    # 1e-6: float64 of twice the size
    assert nlm(2 * pair[0], 100.0) == pytest.approx(2 * nlm(pair[0], 50.0), abs=1e-6)


def test_bm3d_names_its_profiles(pair):
    with pytest.raises(UsageError, match="no BM3D profile named 'fast'; one of: np, high"):
        bm3d(pair[0], 50.0, profile="fast")
