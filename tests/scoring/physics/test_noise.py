import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from denoisebench.scoring.physics import noise


def white(*shape: int) -> np.ndarray:
    return 7.0 * np.random.default_rng(3).standard_normal(shape)


def test_the_spectrum_sums_to_the_variance():
    tiles = white(5, 32, 32)
    # 1e-10: Parseval's theorem, exact but for rounding
    assert noise.power(tiles).mean() == pytest.approx(np.mean(tiles**2), rel=1e-10)


def test_white_noise_has_a_flat_spectrum_of_its_variance():
    _, power = noise.radial(noise.power(white(400, 32, 32)))
    # Rings hold from 1 to 100 entries, of which half are independent: 1 / sqrt(400) for the first
    assert power == pytest.approx(np.full(17, 49.0), rel=0.15)
    assert power[4:] == pytest.approx(np.full(13, 49.0), rel=0.03)


def test_a_gaussian_shapes_the_spectrum_as_theory_says():
    width = 1.2
    image = gaussian_filter(white(2048, 2048), width, mode="wrap", truncate=6)
    spectrum = noise.power(image.reshape(8, 256, 8, 256).swapaxes(1, 2).reshape(64, 256, 256))
    expected = 49 * np.exp(-4 * np.pi**2 * width**2 * noise.frequencies(256) ** 2)
    frequency, power = noise.radial(spectrum)
    _, theory = noise.radial(expected)
    tall = (frequency > 0.03) & (theory > 0.02 * theory[0])  # below it, tiles let power leak
    # Rings from 0.03 on hold 40 entries and more, times 64 tiles: 3 % and less
    assert power[tall] == pytest.approx(theory[tall], rel=0.09)
    assert spectrum.mean() == pytest.approx(expected.mean(), rel=0.01)


def test_noise_is_what_differs_between_seeds():
    seeds = white(6, 64, 64)
    structure = 100 * np.arange(64.0)
    found = noise.noise_of(seeds + structure)
    assert found.sum(axis=0) == pytest.approx(np.zeros((64, 64)), abs=1e-9)  # rounding
    # 6 × 4096 values, 5 of 6 independent: 0.5 % of a deviation
    assert found.std() == pytest.approx(7, rel=0.015)


def test_the_spectrum_is_that_of_pylinac():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its own imports warn of
        published = pytest.importorskip("pylinac.core.nps", reason="pylinac is not installed")
    tiles = white(9, 32, 32) + gaussian_filter(white(9, 32, 32), (0, 3, 3)) * 5
    tiles -= tiles.mean(axis=(1, 2), keepdims=True)  # as it does
    theirs = published.noise_power_spectrum_2d(0.7, list(tiles))
    ours = np.fft.fftshift(noise.power(tiles)) * 0.7**2
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)  # rounding
