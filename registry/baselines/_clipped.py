"""Noise that was clipped to 0-255: its mean is not the clean value, but a known function of it."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

PEAK = 255.0
STEP = 0.25  # grey levels between the points at which the function is tabulated


def mean_of_clipped(clean: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Return the mean of min(max(clean + N(0, sigma²), 0), 255); rounding leaves it as it is.

    Foi (2009, doi:10.1016/j.sigpro.2009.04.035), for both ends: E[max(z, 0)] = m Φ(m/σ) + σ φ(m/σ)
    for z ~ N(m, σ²).
    """

    def above_zero(mean: NDArray[np.float64]) -> NDArray[np.float64]:
        ratio = mean / sigma
        density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
        return np.asarray(mean * ndtr(ratio) + sigma * density)

    return above_zero(clean) - above_zero(clean - PEAK)


def unclipped(denoised: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Return the clean values whose clipped noise has these means; 0-255.

    Args:
        denoised: (H, W) grey levels: a denoiser's estimate of the mean of clipped noise.
        sigma: of the noise of one channel before clipping, in grey levels.
    """
    clean = np.arange(0, PEAK + STEP, STEP)
    return np.interp(denoised, mean_of_clipped(clean, sigma), clean)
