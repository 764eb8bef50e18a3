"""Noise power spectra of outputs, from an ensemble over noise seeds."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]


def noise_of(outputs: Image) -> Image:
    """Take what is the same under all seeds out of outputs, and correct for taking it out.

    Args:
        outputs: (seeds, H, W), at least two.
    Returns:
        The same shape; its variance is that of one output over noise.
    """
    seeds = len(outputs)
    centred = outputs - outputs.mean(axis=0)
    return np.asarray(centred * np.sqrt(seeds / (seeds - 1)))


def power(tiles: Image) -> Image:
    """Measure the noise power spectrum.

    Args:
        tiles: (N, S, S) of noise in HU, see `noise_of`; structure is out, so nothing is fitted.
    Returns:
        (S, S) in HU² pixel², at the frequencies of `frequencies`; times the pixel's area in mm²,
        HU² mm². The sum over S² is the variance (Parseval).
    Source: Siewerdsen et al. (2002), doi:10.1118/1.1513158, eq. 5; ICRU 87, eq. 11.1.
    """
    side = tiles.shape[-1]
    spectra = np.abs(np.fft.fft2(tiles)) ** 2
    return np.asarray(spectra.mean(axis=0) / side**2)


def frequencies(side: int) -> Image:
    """Return the spatial frequency, in cycles per pixel, of each entry of `power`, (S, S)."""
    along = np.fft.fftfreq(side)
    return np.asarray(np.hypot(along[:, None], along[None]))


def radial(spectrum: Image) -> tuple[Image, Image]:
    """Average a spectrum over rings of one frequency step, up to the Nyquist frequency.

    Args:
        spectrum: (S, S), see `power`.
    Returns:
        Mean frequency of each ring in cycles per pixel, and mean power.
    """
    side = spectrum.shape[-1]
    frequency = frequencies(side)
    ring = np.rint(frequency * side).astype(int).ravel()
    count = np.bincount(ring)[: side // 2 + 1]
    means = [
        np.bincount(ring, values.ravel())[: side // 2 + 1] / count
        for values in (frequency, spectrum)
    ]
    return means[0], means[1]
