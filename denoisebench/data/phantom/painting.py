"""Rows of the atlas, read at a height and painted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from denoisebench.data.phantom.body import Array, Body, at_height
from denoisebench.data.phantom.curves import Curve, closed, grow, mirror, oval, slivers
from denoisebench.data.phantom.raster import Mask
from denoisebench.data.phantom.scene import Scene


@dataclass(frozen=True)
class Oval:
    """A structure whose section is an oval; it is there from its first key's height to its last.

    Attributes:
        name: what it is.
        keys: (height, x, y, half width, half depth, turns), mm.
    """

    name: str
    keys: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Organ(Oval):
    """An oval of a tissue of its own.

    Attributes:
        tissue: name in `TISSUES`.
        wall: thickness of a wall of soft tissue round it, mm; 0 for none.
    """

    tissue: str = "vein"
    wall: float = 0.0


@dataclass(frozen=True)
class Outline:
    """A structure given by points of its outline, as many at each height.

    Attributes:
        name: what it is.
        keys: (height, points), mm.
    """

    name: str
    keys: tuple[tuple[float, tuple[tuple[float, float], ...]], ...]


@dataclass(frozen=True)
class Plate:
    """A flat muscle of the wall.

    Attributes:
        name: what it is.
        keys: (height, s from, s to, inner mm, outer mm) on the cavity's contour.
    """

    name: str
    keys: tuple[tuple[float, ...], ...]


def present(keys: Sequence[tuple[float, ...]], height: float) -> bool:
    """Say whether a structure reaches this height."""
    return keys[0][0] <= height <= keys[-1][0]


def row(keys: Sequence[tuple[float, ...]], height: float) -> list[float]:
    """Return a structure's numbers at a height."""
    values: list[float] = at_height([(key[0], key[1:]) for key in keys], height).tolist()
    return values


def section(scene: Scene, item: Oval, side: float = 1.0, rough: float = 0.1) -> Curve:
    """Return an oval's outline on one side, with the patient's own variation."""
    draw = scene.person.stream("oval", item.name, side)
    x, y, rx, ry, turns = row(item.keys, scene.height)
    curve = oval(
        x + draw.bell(0, 0.06) * rx,
        y + draw.bell(0, 0.06) * ry,
        rx * draw.uniform(0.92, 1.08),
        ry * draw.uniform(0.92, 1.08),
        turns + draw.bell(0, 0.008),
        rough,
        draw,
    )
    return mirror(curve) if side < 0 else curve


def both_sides(scene: Scene, items: Sequence[Oval], rough: float = 0.1) -> list[Curve]:
    """Return the outlines of all ovals that reach this height, left and right."""
    return [
        section(scene, item, side, rough)
        for item in items
        if present(item.keys, scene.height)
        for side in (1.0, -1.0)
    ]


def wall_plates(scene: Scene, body: Body, items: Sequence[Plate]) -> list[Curve]:
    """Return the outlines of the wall's flat muscles, left and right."""
    curves = []
    for item in items:
        if not present(item.keys, scene.height):
            continue
        s0, s1, d0, d1 = row(item.keys, scene.height)
        for left in (True, False):
            ends = (s0, s1) if left else (1.0 - s1, 1.0 - s0)
            curves.append(body.cavity.plate(*ends, d0, d1, 0.25))
    return curves


def draw_organs(scene: Scene, items: Sequence[Organ], rough: float = 0.05) -> None:
    """Paint the organs that reach this height, in the order given."""
    for item in items:
        if not present(item.keys, scene.height):
            continue
        curve = section(scene, item, 1.0, rough)
        if item.wall > 0.0:
            scene.fill("vessel wall", grow(curve, item.wall))
        scene.fill(item.tissue, curve)


def outline(scene: Scene, item: Outline, vary: float = 3.0) -> Curve | None:
    """Return the smooth outline of a structure, or None where it does not reach this height.

    Args:
        scene: the picture.
        item: the structure.
        vary: how far each point may lie from the atlas, mm.
    """
    if not item.keys[0][0] <= scene.height <= item.keys[-1][0]:
        return None
    points = at_height(item.keys, scene.height)
    shifts = scene.person.stream("outline", item.name).uniforms(points.size) - 0.5
    return closed(points + shifts.reshape(points.shape) * (2.0 * vary))


def hollow(
    scene: Scene,
    curve: Curve,
    wall: float,
    content: str,
    gas_share: float = 0.0,
    wall_tissue: str = "bowel wall",
) -> Mask:
    """Paint an organ with a wall, content, and gas that has risen to the front.

    Args:
        scene: the picture.
        curve: outer outline.
        wall: thickness, mm.
        content: tissue inside.
        gas_share: how much of the depth is gas; 0 for none.
        wall_tissue: tissue of the wall.
    """
    mask = scene.fill(wall_tissue, curve)
    core = grow(curve, -wall)
    scene.fill(content, core)
    if gas_share > 0.0:
        scene.fill("gas", risen(core, gas_share))
    return mask


def risen(core: Curve, share: float) -> Curve:
    """Return the front part of a cavity, down to a level: where gas gathers in who lies."""
    top, bottom = float(core[:, 1].min()), float(core[:, 1].max())
    gas = core.copy()
    gas[:, 1] = np.minimum(gas[:, 1], top + (bottom - top) * min(share, 1.0))
    return gas


def streaks(scene: Scene, name: str, curves: Sequence[Curve], within: Mask, share: float) -> None:
    """Draw fat between the bundles of muscles: short bent lines inside their outlines.

    Args:
        scene: the picture.
        name: of the random numbers.
        curves: outlines of the muscles.
        within: their coverage.
        share: how many, 0 to 1.
    """
    draw = scene.stream("streaks", name)
    ends: list[Array] = []
    for curve in curves:
        box = curve.max(axis=0) - curve.min(axis=0)
        count = int(share * (1.0 + float(box[0] + box[1]) / 9.0) * draw.uniform(0.4, 1.4))
        if count:
            u = draw.uniforms(2 * count).reshape(2, count)
            first = (u[0] * len(curve)).astype(np.int64)
            second = (first + ((1.0 + u[1]) * len(curve) / 3).astype(np.int64)) % len(curve)
            ends.append(np.concatenate([curve[first], curve[second]], axis=1))
    if not ends:
        return
    both = np.concatenate(ends)
    a, b = both[:, :2], both[:, 2:]
    v = draw.uniforms(4 * len(both)).reshape(4, len(both), 1)
    start = a + (b - a) * (0.02 + 0.4 * v[0])
    end = start + (b - a) * (0.2 + 0.45 * v[1])
    side = np.stack([b[:, 1] - a[:, 1], a[:, 0] - b[:, 0]], axis=1) * (0.16 * (v[2] - 0.5))
    lines = slivers(start, (start + end) / 2.0 + side, end, 0.6 + 1.2 * v[3, :, 0])
    scene.fill("fat", *lines, amount=0.4 + 0.45 * share, broken=True, within=within)
