import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import j1

from denoisebench.scoring.audit.sites import disc
from denoisebench.scoring.physics import noise
from denoisebench.scoring.physics.detect import DISC_RADIUS, d_prime
from denoisebench.scoring.physics.transfer import FREQUENCIES


def test_in_white_noise_it_is_the_root_of_the_discs_energy_over_sigma():
    energy = np.sum((40 * disc((64, 64), (32, 32), DISC_RADIUS)) ** 2)
    found = d_prime(np.full((64, 64), 78.0**2), np.ones(51), 40.0)
    assert found == pytest.approx(np.sqrt(energy) / 78, rel=1e-9)  # Parseval, but for rounding


def test_after_a_gaussian_it_is_what_integration_gives():
    width, sigma, side = 1.5, 78.0, 32
    curve = np.exp(-2 * (np.pi * width * FREQUENCIES) ** 2)
    spectrum = sigma**2 * np.exp(-4 * (np.pi * width * noise.frequencies(side)) ** 2)

    def signal(f):  # squared spectrum of a disc of 40 HU, blurred
        wanted = 40 * DISC_RADIUS * j1(2 * np.pi * DISC_RADIUS * f) / f
        return (wanted * np.exp(-2 * (np.pi * width * f) ** 2)) ** 2

    def power(f):
        return sigma**2 * np.exp(-4 * (np.pi * width * f) ** 2)

    above, below = (
        quad(lambda f, g=g: 2 * np.pi * f * g(f), 1e-9, 0.5, limit=200)[0]
        for g in (signal, lambda f: signal(f) * power(f))
    )
    # 2 %: the disc stands on a grid, and its edge falls over a pixel
    assert d_prime(spectrum, curve, 40.0) == pytest.approx(above / np.sqrt(below), rel=0.02)


def test_it_grows_with_contrast_and_falls_with_noise():
    flat, curve = np.full((32, 32), 100.0), np.ones(51)
    plain = d_prime(flat, curve, 40.0)
    assert d_prime(flat, curve, -80.0) == pytest.approx(2 * plain)
    assert d_prime(4 * flat, curve, 40.0) == pytest.approx(plain / 2)
    assert d_prime(flat, curve / 2, 40.0) == pytest.approx(plain / 2)
    assert d_prime(flat, curve * 0, 40.0) == 0
    assert d_prime(flat * 0, curve, 40.0) == np.inf


def test_the_eye_sees_neither_the_lowest_nor_the_highest_frequencies():
    frequency, curve = noise.frequencies(64), np.ones(51)
    flat = np.full((64, 64), 100.0)
    added = {
        name: flat + 1000 * where
        for name, where in {"low": frequency < 0.02, "seen": abs(frequency - 0.08) < 0.02}.items()
    }
    harm = {
        eye: {name: d_prime(flat, curve, 40, eye=eye) / d_prime(each, curve, 40, eye=eye)
              for name, each in added.items()}
        for eye in (False, True)
    }  # fmt: skip
    assert harm[True]["low"] < harm[False]["low"]
    assert harm[True]["seen"] > 1.2


def test_the_eye_changes_nothing_where_signal_and_noise_share_one_frequency():
    curve = np.where(np.abs(FREQUENCIES - 0.2) < 0.005, 1.0, 0.0)  # and straight lines to 0
    flat = np.full((256, 256), 100.0)
    plain, seen = (d_prime(flat, curve, 40.0, eye=eye) for eye in (False, True))
    # 1 %: the eye's sensitivity falls by a fifth over the band, which is 0.02 wide
    assert seen == pytest.approx(plain, rel=0.01)
