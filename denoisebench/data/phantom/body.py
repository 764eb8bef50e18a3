"""The body's outline, skin and fat, and the contours that everything else is placed by."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.phantom import atlas_body as atlas
from denoisebench.data.phantom.curves import (
    Contour,
    Curve,
    grow,
    oval,
    ovals,
    ribbon,
    rounded,
    slivers,
)
from denoisebench.data.phantom.person import Person
from denoisebench.data.phantom.raster import Mask
from denoisebench.data.phantom.scene import Scene

Array = NDArray[np.float64]


def at_height(keys: Sequence[tuple[float, Sequence[object]]], height: float) -> Array:
    """Interpolate a table of (height, values) at a height; beyond its ends the ends hold."""
    if height <= keys[0][0]:
        return np.asarray(keys[0][1], dtype=np.float64)
    for (low, first), (high, second) in pairwise(keys):
        if height <= high:
            t = (height - low) / (high - low)
            a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
            return a * (1.0 - t) + b * t
    return np.asarray(keys[-1][1], dtype=np.float64)


def whole(half: Array) -> Array:
    """Return the points of both sides from those of the left side."""
    return np.concatenate([half, half[-2:0:-1] * np.array([-1.0, 1.0])])


@dataclass(frozen=True)
class Body:
    """The contours of a slice, mm.

    Attributes:
        skin: outer surface.
        muscle: under the subcutaneous fat.
        cavity: inner face of the wall of chest, abdomen or pelvis.
        inside: coverage of what lies under the skin.
    """

    skin: Contour
    muscle: Contour
    cavity: Contour
    inside: Mask


def _bulge(points: Array, person: Person, height: float) -> Array:
    felt = float(at_height(atlas.BELLY, height)[0])
    front = np.minimum(points[:, 1], 0.0)
    more = felt * (person.visceral * 0.36 - 0.12)
    x = points[:, 0] * (1.0 + more * 0.5)
    return np.stack([x, points[:, 1] + front * more], axis=1)


def _lie_down(points: Array, depth: float) -> Array:
    y = points[:, 1]
    pressed = np.where(y > depth, depth + (y - depth) * 0.5, y)
    return np.stack([points[:, 0], pressed], axis=1)


def skin_points(person: Person, height: float) -> tuple[Array, Array]:
    """Return control points of the lean outline and of the skin."""
    lean = _bulge(whole(at_height(atlas.SKIN, height)), person, height)
    fat = at_height(atlas.FAT, height)
    fat = np.concatenate([fat, fat[-2:0:-1]]) * person.fat_mm + 1.5
    bends = person.stream("outline").uniforms(36) - 0.5
    drift = bends[:18] + (height / 4.0) * bends[18:]
    skin = grow(lean, fat * (1.0 + 0.2 * drift))
    lowest = float(lean[:, 1].max())
    return lean, _lie_down(skin, max(atlas.COUCH_MM, lowest) + 3.0)


def breasts(person: Person, height: float) -> list[Curve]:
    """Return the outlines of what stands out from the chest."""
    if not person.female or not 1.3 < height < 2.0:
        return []
    draw = person.stream("breasts")
    size = draw.uniform(0.75, 1.25) * (0.8 + person.fat_mm / 60.0)
    rise = (height - 1.3) * (2.0 - height) / 0.1225
    curves = []
    for side in (1.0, -1.0):
        x = side * (82.0 + draw.uniform(-6, 14))
        y = -112.0 + draw.uniform(-6, 8)
        lean = side * draw.uniform(0.04, 0.09)
        curves.append(oval(x, y - 10 * rise, 58 * size, (14 + 34 * rise) * size, lean, 0.08, draw))
    return curves


def draw_body(scene: Scene) -> Body:
    """Paint skin, subcutaneous fat with its strands, and return the contours."""
    person, height = scene.person, scene.height
    lean, skin = skin_points(person, height)
    surface, under = rounded(skin), rounded(lean)
    inner = _bulge(whole(at_height(atlas.CAVITY, height)), person, height)
    bosoms = breasts(person, height)
    scene.paint(scene.cover_smooth(surface, *bosoms), "skin")
    thickness = person.stream("skin").uniform(1.3, 2.2)
    inside = scene.cover_smooth(*[grow(curve, -thickness) for curve in (surface, *bosoms)])
    scene.paint(inside, "fat")
    body = Body(Contour(surface), Contour(under), Contour(rounded(inner)), inside)
    _strands(scene, body)
    _glands(scene, bosoms)
    return body


def _strands(scene: Scene, body: Body) -> None:
    """Draw septa and small vessels in the subcutaneous fat."""
    draw = scene.stream("strands")
    thick = scene.person.fat_mm
    count = int(12 + 1.8 * thick)
    s, reach, d0, d1, bend, width = draw.uniforms(6 * count).reshape(6, count)
    reach = 0.01 + 0.04 * reach
    d0, d1 = d0 * 1.1 * thick, d1 * 1.1 * thick
    at = body.muscle.at
    middle = (d0 + d1) / 2.0 + 6.0 * (bend - 0.5)
    lines = slivers(at(s, d0), at(s + 0.5 * reach, middle), at(s + reach, d1), 0.6 + 1.2 * width)
    count = int(6 + 0.5 * thick)
    s, d, rx, ry, u, v = draw.uniforms(6 * count).reshape(6, count)
    spots = body.muscle.at(s, (0.1 + 0.9 * d) * thick)
    axis = np.stack([u - 0.5, v - 0.5], axis=1)
    dots = ovals(spots[:, 0], spots[:, 1], 0.7 + 1.1 * rx, 0.7 + 0.9 * ry, axis)
    scene.fill("strand", *lines, amount=0.6, within=body.inside)
    scene.fill("muscle", *dots, amount=0.8, within=body.inside)


def _glands(scene: Scene, bosoms: list[Curve]) -> None:
    """Draw glandular tissue: ragged islands and strands behind the nipple."""
    draw = scene.person.stream("glands")
    density = draw.uniform(0.15, 1.0)
    for bosom in bosoms:
        # the middle of an oval is the mean of two opposite points
        middle_x, middle_y = ((bosom[0] + bosom[len(bosom) // 2]) / 2.0).tolist()
        islands, lines = [], []
        for _ in range(int(4 + 14 * density)):
            x = middle_x + draw.bell(0, 15)
            y = middle_y + draw.bell(-4, 7)
            rx, ry = draw.uniform(2, 9), draw.uniform(1.5, 5)
            islands.append(oval(x, y, rx, ry, draw.uniform(), 0.4, draw))
            x2, y2 = x + draw.bell(0, 10), y - draw.uniform(2, 14)
            lines.append(ribbon([(x, y), ((x + x2) / 2 + 2, (y + y2) / 2), (x2, y2)], 0.9))
        within = scene.cover(grow(bosom, -4.0))
        scene.fill("breast gland", *islands, amount=0.5 + 0.4 * density, within=within)
        scene.fill("breast gland", *lines, amount=0.6, within=within)
