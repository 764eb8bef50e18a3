"""A test slice changed in secret: a body nobody has seen, and as hard to denoise as the original.

Fresh noise alone does not unmask a method that has the test slices in its weights, or that draws
them (the phantom is a program). So a slice is shown a second time as another one: turned, mirrored,
moved, with a slow field of HU laid over it and lesions that were never there.
"""

import numpy as np
from numpy.typing import NDArray

HU = NDArray[np.float64]

WARP = 1 / 256  # of the side, at its strongest: 2 pixels of 512
FIELD_HU = 15.0  # at its strongest
LESIONS = (4, 8)  # fewest and most
LESION_HU = (20.0, 60.0)  # more or less than what is there
LESION_RADIUS = (0.012, 0.04)  # of the longer side: 6 to 20 pixels of 512
EDGE = 0.15  # of a radius, over which a lesion's edge falls
TISSUE_HU = (-120.0, 200.0)  # where lesions lie


def altered(hu: NDArray[np.int16], random: np.random.Generator) -> NDArray[np.int16]:
    """Change a slice exactly: no pixel is interpolated, so its own noise stays as it was.

    Args:
        hu: (H, W) HU.
        random: the secret.
    Returns:
        (H, W) or (W, H) HU: one of eight turns and mirrorings, rolled by up to an eighth of each
        side, a sum of slow waves of up to 15 HU, and four to eight soft discs of 20 to 60 HU more
        or less.
    """
    turned = np.rot90(hu, int(random.integers(4)))
    if random.integers(2):
        turned = turned[:, ::-1]
    sides = turned.shape
    steps = [int(random.integers(-side // 8, side // 8 + 1)) for side in sides]
    moved = _warped(np.roll(turned, steps, axis=(0, 1)), random).astype(np.float64)
    changed = moved + FIELD_HU * _waves(sides, random) + _lesions(moved, random)
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(changed), limits.min, limits.max).astype(np.int16)


def _warped(hu: NDArray[np.int16], random: np.random.Generator) -> NDArray[np.int16]:
    """Push every pixel by a slow vector; each takes the value of the nearest, none is blended."""
    places = []
    for axis, side in enumerate(hu.shape):
        grid = np.arange(side).reshape((-1, 1) if axis == 0 else (1, -1))
        pushed = grid + WARP * side * _waves(hu.shape, random, periods=1)
        places.append(np.clip(np.rint(pushed), 0, side - 1).astype(np.intp))
    warped: NDArray[np.int16] = hu[places[0], places[1]]
    return warped


def _waves(sides: tuple[int, ...], random: np.random.Generator, periods: float = 2) -> HU:
    """A sum of four waves, each of so many periods a side at most, between -1 and 1."""
    row, column = (np.linspace(0, 1, side) for side in sides)
    total = np.zeros(sides)
    for _ in range(4):
        across, along = random.uniform(-periods, periods, 2)
        phase = random.uniform(0, 2 * np.pi)
        total += np.cos(2 * np.pi * (across * row[:, None] + along * column) + phase)
    scaled: HU = total / np.abs(total).max()
    return scaled


def _lesions(hu: HU, random: np.random.Generator) -> HU:
    """Soft discs centred in tissue; none where there is no tissue."""
    total = np.zeros(hu.shape)
    places = np.argwhere((hu > TISSUE_HU[0]) & (hu < TISSUE_HU[1]))
    if not len(places):
        return total
    row, column = np.ogrid[: hu.shape[0], : hu.shape[1]]
    for _ in range(int(random.integers(LESIONS[0], LESIONS[1] + 1))):
        centre = places[random.integers(len(places))]
        radius = random.uniform(*LESION_RADIUS) * max(hu.shape)
        strength = random.choice([-1.0, 1.0]) * random.uniform(*LESION_HU)
        distance = np.hypot(row - centre[0], column - centre[1])
        total += strength / (1 + np.exp(np.clip((distance - radius) / (EDGE * radius), -50, 50)))
    return total
