"""Small bowel, colon and mesentery."""

from typing import NamedTuple

import numpy as np

from denoisebench.data.phantom import atlas_abdomen as atlas
from denoisebench.data.phantom.curves import Curve, direction, grow, oval, ribbon, slivers
from denoisebench.data.phantom.painting import hollow, present, risen, row, section
from denoisebench.data.phantom.randomness import Stream
from denoisebench.data.phantom.scene import Scene


def draw_bowel(scene: Scene) -> None:
    """Draw the loops that reach this height, and the vessels that lead to them."""
    _mesentery(scene)
    _small_bowel(scene)
    for item in atlas.COLON:
        if present(item.keys, scene.height):
            _colon(scene, section(scene, item, 1.0, 0.16), scene.stream(item.name))


def _mesentery(scene: Scene) -> None:
    if not present(atlas.MESENTERY, scene.height):
        return
    draw = scene.stream("mesentery")
    x0, y0, rx, ry = row(atlas.MESENTERY, scene.height)
    u = draw.uniforms(8 * 44).reshape(8, 44, 1)
    # towards the loops: vessels run outward from the root
    out = np.concatenate([u[0] + u[1] - 1.0, u[2] + u[3] - 1.0], axis=1)
    start = np.array([x0, y0]) + out * np.array([rx, ry])
    far = out * 22.0 + np.concatenate([u[4] - 0.5, u[5] - 0.5], axis=1) * 14.0
    middle = start + far / 2.0 + np.concatenate([u[5] - 0.5, u[6] - 0.5], axis=1) * 6.0
    lines = slivers(start, middle, start + far, 0.8 + 2.2 * u[7, :, 0])
    scene.fill("portal vein", *lines[::2], amount=0.75)
    scene.fill("artery", *lines[1::2], amount=0.55)


def _small_bowel(scene: Scene) -> None:
    if not present(atlas.MESENTERY, scene.height):
        return
    draw = scene.stream("small bowel")
    person = scene.person.stream("small bowel")
    x0, y0, rx, ry = row(atlas.MESENTERY, scene.height)
    usual = person.choice(("bowel content", "bowel content", "oral contrast"))
    wide = person.uniform(8.5, 12.5)
    space = 1.75 + 0.75 * scene.person.visceral
    loops = _Loops([], [], [], [], [])
    placed: list[tuple[float, float, float]] = []
    for _ in range(110):
        x, y = x0 + rx * draw.uniform(-1, 1), y0 + ry * draw.uniform(-1, 1)
        radius = wide * draw.uniform(0.75, 1.3)
        if any(
            (x - a) * (x - a) + (y - b) * (y - b) < (space * radius) * (space * r)
            for a, b, r in placed
        ):
            continue
        placed.append((x, y, radius))
        _loop(loops, draw, x, y, radius)
    mask = scene.fill("bowel wall", *loops.walls)
    scene.fill(usual, *loops.usual)
    scene.fill("bowel content", *loops.plain)
    scene.fill("bowel wall", *loops.folds, amount=0.7, within=mask)
    scene.fill("gas", *loops.gas)


class _Loops(NamedTuple):
    """What a slice cuts of the small bowel, gathered so that each tissue is painted once."""

    walls: list[Curve]
    usual: list[Curve]
    plain: list[Curve]
    folds: list[Curve]
    gas: list[Curve]


def _loop(loops: _Loops, draw: Stream, x: float, y: float, radius: float) -> None:
    stretch, turns = draw.uniform(1.0, 1.75), draw.uniform(-0.15, 0.15)
    curve = oval(x, y, radius * stretch, radius / (0.5 + 0.5 * stretch), turns, 0.2, draw)
    loops.walls.append(curve)
    if draw.chance(0.3):
        # a collapsed loop: a slit of content between thick walls
        loops.plain.append(oval(x, y, radius * 0.6 * stretch, radius * 0.14, turns, 0.3, draw))
        return
    core = grow(curve, -draw.uniform(1.8, 3.0))
    (loops.usual if draw.chance(0.75) else loops.plain).append(core)
    if draw.chance(0.15):
        loops.gas.append(risen(core, draw.uniform(0.2, 0.75)))
    for _ in range(draw.integer(0, 5)):
        c, s = direction(draw.uniform())
        far = radius * draw.uniform(0.6, 1.2)
        inner = (x + c * far * 0.3, y + s * far * 0.3)
        loops.folds.append(ribbon([(x + c * far, y + s * far), inner], (1.6, 0.9)))


def _colon(scene: Scene, curve: Curve, draw: Stream) -> None:
    kind = draw.choice(("stool", "stool", "gas", "content", "empty"))
    wall = draw.uniform(1.4, 2.4)
    if kind == "gas":
        hollow(scene, curve, wall, "bowel content", draw.uniform(0.5, 1.0))
        return
    if kind == "content":
        hollow(scene, curve, wall, "bowel content", draw.uniform(0.0, 0.4))
        return
    if kind == "empty":
        small = grow(curve, -4.0)
        hollow(scene, small, 3.0, "stool", 0.0)
        return
    hollow(scene, curve, wall, "stool", 0.0)
    inner = grow(curve, -wall - 0.8)
    within = scene.cover(inner)
    low, high = inner.min(axis=0).tolist(), inner.max(axis=0).tolist()
    bubbles = []
    for _ in range(26):
        x, y = draw.uniform(low[0], high[0]), draw.uniform(low[1], high[1])
        radius = 0.5 + 2.4 * draw.uniform() * draw.uniform()
        bubbles.append(oval(x, y, radius * draw.uniform(1, 2), radius, draw.uniform(), 0.3, draw))
    scene.fill("gas", *bubbles, amount=0.85, within=within)
