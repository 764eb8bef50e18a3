"""Detectability of a disc: what a reader who knows where to look could tell from one output."""

import numpy as np
from numpy.typing import NDArray

from denoisebench.scoring.audit.sites import disc
from denoisebench.scoring.physics.noise import frequencies
from denoisebench.scoring.physics.transfer import FREQUENCIES, Curve

DISC_RADIUS = 5.0  # pixels
# A picture of 512 pixels shown 300 mm wide and looked at from 500 mm: so many pixels a degree.
PIXELS_PER_DEGREE = 500 * np.pi / 180 / (300 / 512)
EYE_PEAK = 4.0  # cycles per degree at which the eye is most sensitive


def d_prime(
    spectrum: NDArray[np.float64], curve: Curve, contrast_hu: float, *, eye: bool = False
) -> float:
    """Detectability index of a non-prewhitening observer for a disc of 10 pixels.

    Args:
        spectrum: (S, S) noise power in HU² pixel², see `noise.power`.
        curve: TTF at the disc's contrast, see `transfer`.
        contrast_hu: of the disc.
        eye: whether the observer has an eye's sensitivity to frequencies.
    Returns:
        0 where nothing is left of the disc; infinite without noise.
    Source: Burgess (1994), doi:10.1364/JOSAA.11.001237, and Samei and Richard (2015),
        doi:10.1118/1.4903899, eq. 1; eye filter f·exp(-f / 4 per degree).
    """
    side = spectrum.shape[-1]
    middle = (side // 2, side // 2)
    wanted = np.abs(np.fft.fft2(disc((side, side), middle, DISC_RADIUS))) * contrast_hu
    frequency = frequencies(side)
    signal = (wanted * np.interp(frequency, FREQUENCIES, curve)) ** 2
    if eye:
        seen = frequency * PIXELS_PER_DEGREE / EYE_PEAK
        weight = (seen * np.exp(1 - seen)) ** 2
    else:
        weight = np.ones_like(frequency)
    noise = np.sum(signal * weight**2 * spectrum)
    total = np.sum(signal * weight) / side**2
    if total == 0:
        return 0.0
    return float(total / np.sqrt(noise / side**2)) if noise > 0 else float("inf")
