"""Sharpness of an edge of a given contrast: the task transfer function (TTF).

A denoiser is not linear, so how sharp an edge is depends on its contrast and on the noise. Discs of
each contrast are put into even tissue, and their edges are measured in the mean over noise seeds of
the output with them less the output without.
Source: Richard et al. (2012), doi:10.1118/1.4725171, the circular-edge method.
"""

import numpy as np
from numpy.typing import NDArray

from denoisebench.scoring.audit.sites import disc

RADIUS = 10.0  # pixels: large beside what a denoiser blurs
REACH = 8.0  # pixels to each side of the edge that are measured
STEP = 0.5  # pixels between points of the edge's profile
POINTS = 51
FREQUENCIES = np.linspace(0, 0.5, POINTS)
"""Cycles per pixel at which a TTF is given."""

Curve = NDArray[np.float64]
HALF = int(RADIUS + REACH) + 2  # of a tile, in pixels
SHAPE = (2 * HALF + 1, 2 * HALF + 1)


def transfer(tiles: NDArray[np.float64], contrast: float) -> Curve:
    """Measure the TTF of discs.

    Args:
        tiles: (N, 2·HALF + 1, 2·HALF + 1) of output with the disc less output without, the disc in
            the middle, all of one contrast.
        contrast: of the disc that was put in, in the unit of the tiles.
    Returns:
        The share of the disc's contrast that is left at each of FREQUENCIES: 1 everywhere for a
        denoiser that changes nothing. At frequency 0 it is the share of the contrast kept, so
        divide by that for a TTF that begins at 1.
    """
    put_in = _spectrum(disc(SHAPE, (HALF, HALF), RADIUS))
    return np.asarray(np.abs(_spectrum(tiles.mean(axis=0) / contrast)) / np.abs(put_in))


def _spectrum(image: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Fourier transform of the edge's line spread, (POINTS,)."""
    row, column = np.ogrid[: SHAPE[0], : SHAPE[1]]
    distance = np.hypot(row - HALF, column - HALF)
    near = np.abs(distance - RADIUS) <= REACH + STEP
    bins = np.rint(distance[near] / STEP).astype(int)
    there = np.flatnonzero(np.bincount(bins))
    count = np.bincount(bins)[there]
    where = np.bincount(bins, distance[near])[there] / count
    edge = np.bincount(bins, image[near])[there] / count
    points = np.arange(RADIUS - REACH, RADIUS + REACH + STEP / 2, STEP)
    profile = np.interp(points, where, edge)
    middle = (points[1:] + points[:-1]) / 2
    # The blurred edge of a disc falls as a straight one times the root of radius over distance.
    line = -np.diff(profile) * np.sqrt(middle / RADIUS)
    waves = np.exp(-2j * np.pi * FREQUENCIES[:, None] * (middle - RADIUS))
    return np.asarray(waves @ line)


def falls_to(curve: Curve, level: float) -> float:
    """Say at which frequency a TTF first falls to a share of its start.

    Args:
        curve: see `transfer`.
        level: 0.5 for f50, 0.1 for f10.
    Returns:
        Cycles per pixel; 0.5, the highest there is, where it does not fall so far.
    """
    shares = curve / curve[0] if curve[0] > 0 else curve
    below = np.flatnonzero(shares <= level)
    if not below.size:
        return float(FREQUENCIES[-1])
    if below[0] == 0:
        return 0.0
    after = int(below[0])
    before = after - 1
    part = (shares[before] - level) / (shares[before] - shares[after])
    return float(FREQUENCIES[before] + part * (FREQUENCIES[after] - FREQUENCIES[before]))
