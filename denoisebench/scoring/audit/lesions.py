"""Lesion twins: a slice with small discs put into it and the same without, under one noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from denoisebench.data.scan import Slice
from denoisebench.scoring.audit.sites import (
    Mask,
    Place,
    choose,
    disc,
    even_tissue,
    peaks,
)
from denoisebench.task import Task

RADIUS = 5.0  # pixels: a disc of 10
ROOM = 9  # pixels of even tissue to each side
APART = 40.0  # pixels between two discs of one slice
A_SLICE = 4  # discs at most
CONTRASTS_HU = (40.0, -60.0, 80.0, -40.0, 60.0, -80.0)
FOUND = 0.5  # share of its contrast that a disc must keep
INVENTED_HU = FOUND * min(map(abs, CONTRASTS_HU))  # as strong as the faintest disc that is found

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Lesion:
    """A disc of `RADIUS` that was put into a slice."""

    place: Place
    contrast_hu: float


def plan(one: Slice, task: Task) -> list[Lesion]:
    """Say where discs go into a slice, and how strong; none where there is no even soft tissue."""
    mask = even_tissue(one.hu, task, ROOM, max(map(abs, CONTRASTS_HU)))
    first = int(one.digest[:8], 16)
    return [
        Lesion(place, CONTRASTS_HU[(first + i) % len(CONTRASTS_HU)])
        for i, place in enumerate(choose(mask, one.digest, A_SLICE, APART))
    ]


def drawn(shape: tuple[int, ...], lesions: Sequence[Lesion], task: Task) -> Image:
    """Draw lesions on nothing, in grey levels."""
    image = np.zeros(shape)
    for lesion in lesions:
        image += disc(shape, lesion.place, RADIUS) * lesion.contrast_hu * task.grey_per_hu
    return image


def recovery(apart: Image, lesion: Lesion, task: Task) -> float:
    """Say which share of a lesion's contrast the denoiser kept.

    Args:
        apart: (H, W) output with lesions less output without, grey levels.
    Returns:
        Mean over the disc, as share of what was put in: 1 for a faithful denoiser.
    """
    inside = disc(apart.shape, lesion.place, RADIUS) > 0.5
    return float(apart[inside].mean() / (lesion.contrast_hu * task.grey_per_hu))


def matched(image: Image) -> Image:
    """Strength of the disc that fits best at each pixel (a matched filter), in the image's unit."""
    side = 2 * int(RADIUS) + 3
    shape = disc((side, side), (side // 2, side // 2), RADIUS)
    shape -= shape.mean()  # what surrounds the disc is its reference: a wide error is no disc
    strength = ndimage.correlate(image, shape / np.sum(shape**2), mode="reflect")
    return np.asarray(strength)


def invented(output: Image, clean: Image, even: Mask, task: Task) -> list[tuple[Place, float]]:
    """Find discs of 20 HU or more in even tissue of the output which the clean slice lacks.

    Returns:
        Places with their strength in HU, strongest first.
    """
    return _discs(output - clean, even, task)


def side_effects(
    apart: Image, lesions: Sequence[Lesion], inside: Mask, task: Task
) -> list[tuple[Place, float]]:
    """Find discs that the lesions made elsewhere: in the two outputs' difference, far from them."""
    far = inside.copy()
    for lesion in lesions:
        far &= disc(apart.shape, lesion.place, APART / 2) == 0
    return _discs(apart, far, task)


def _discs(difference: Image, mask: Mask, task: Task) -> list[tuple[Place, float]]:
    strength = matched(difference / task.grey_per_hu)
    found = peaks(np.abs(strength), mask, INVENTED_HU, int(2 * RADIUS))
    return [(place, float(strength[place])) for place, _ in found]
