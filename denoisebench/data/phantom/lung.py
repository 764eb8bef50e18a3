"""Lung tissue, fissures, and the tree of vessels and bronchi as a slice cuts it."""

import numpy as np

from denoisebench.data.phantom.body import Body
from denoisebench.data.phantom.curves import Curve, direction, grow, oval, ovals, ribbon
from denoisebench.data.phantom.randomness import Stream
from denoisebench.data.phantom.scene import Scene

_HILUM = (46.0, -24.0)


def draw_lungs(scene: Scene, body: Body) -> None:
    """Fill the cavity with lung and draw what runs through it."""
    person = scene.person
    inner = grow(body.cavity.curve, -0.8)
    scene.fill("lung", inner)
    # dependent density: the back of a lung that lies is heavier
    scene.fill("lung", body.cavity.plate(0.3, 0.46, -34, 2), offset=45.0, amount=0.5)
    scene.fill("lung", body.cavity.plate(0.54, 0.7, -34, 2), offset=45.0, amount=0.5)
    scene.fill("lung", body.cavity.plate(0.33, 0.45, -10, 2), offset=110.0, amount=0.5)
    scene.fill("lung", body.cavity.plate(0.55, 0.67, -10, 2), offset=110.0, amount=0.5)
    draw = scene.stream("lung vessels")
    vessels: list[Curve] = []
    small: list[Curve] = []
    bronchi: list[tuple[float, float, float]] = []
    branches = draw.integer(3, 5) if 1.35 < scene.height < 1.85 else 2
    reach = 1.0 if 1.2 < scene.height < 1.95 else 0.75
    for side in (1.0, -1.0):
        for _ in range(branches):
            _branch(draw, vessels, small, side, reach)
        _dots(draw, vessels, small, bronchi, side, reach)
    scene.fill("lung vessel", *vessels)
    scene.fill("lung vessel", *small, hu=-20.0, amount=0.5)
    scene.fill("vessel wall", *[oval(x, y, r + 1.0, r + 1.0) for x, y, r in bronchi], amount=0.7)
    scene.fill("air", *[oval(x, y, r, r * 0.9) for x, y, r in bronchi])
    _fissures(scene, person.stream("fissures"))
    _nodule(scene)


def _branch(
    draw: Stream, vessels: list[Curve], small: list[Curve], side: float, reach: float
) -> None:
    """Grow one vessel outward from the hilum; it forks twice."""
    turns = draw.uniform(-0.3, 0.3) if side > 0 else draw.uniform(0.2, 0.8)
    start = (side * (_HILUM[0] + draw.uniform(0, 10)), _HILUM[1] + draw.uniform(-16, 18))
    _grow(draw, vessels, small, start, turns, draw.uniform(3.0, 7.5) * reach, 0)


def _grow(
    draw: Stream,
    vessels: list[Curve],
    small: list[Curve],
    start: tuple[float, float],
    turns: float,
    width: float,
    order: int,
) -> None:
    length = draw.uniform(8, 24) * (1.0 - 0.12 * order)
    c, s = direction(turns)
    c2, s2 = direction(turns + draw.uniform(-0.05, 0.05))
    middle = (start[0] + c * length * 0.5, start[1] + s * length * 0.5)
    end = (middle[0] + c2 * length * 0.5, middle[1] + s2 * length * 0.5)
    narrow = width * 0.78
    (vessels if width > 1.9 else small).append(ribbon([start, middle, end], (width, width, narrow)))
    if order < 2 and width > 0.8 and draw.chance(0.75):
        _grow(draw, vessels, small, end, turns + draw.uniform(0.02, 0.11), narrow * 0.8, order + 1)
        _grow(draw, vessels, small, end, turns - draw.uniform(0.02, 0.11), narrow * 0.7, order + 1)


def _dots(
    draw: Stream,
    vessels: list[Curve],
    small: list[Curve],
    bronchi: list[tuple[float, float, float]],
    side: float,
    reach: float,
) -> None:
    """Draw vessels that the slice cuts across: thinner and more of them far from the hilum."""
    count = 300
    u, v, a, b, c, d = draw.uniforms(6 * count).reshape(6, count)
    x = side * (28.0 + 106.0 * u)
    y = -22.0 + 98.0 * (2.0 * v - 1.0)
    near_x, near_y = np.abs(x) - _HILUM[0], y - _HILUM[1]
    away = (near_x * near_x + near_y * near_y) / 8000.0
    radius = reach * (0.28 + 1.45 * a * b * b / (0.4 + away))
    # most run outward from the hilum and are cut along; the rest are cut across
    outward = np.stack([side * near_x + 30.0 * (c - 0.5), near_y + 60.0 * (d - 0.5)], axis=1)
    stretch = np.where(c < 0.45, 1.0 + 14.0 * d * d, 1.0 + 0.8 * d)
    dots = ovals(x, y, radius * np.minimum(stretch, 9.0 / radius), radius, outward)
    for k, piece in enumerate(dots):
        wide = float(radius[k])
        (vessels if wide > 1.15 else small).append(piece)
        if wide > 1.6 and away[k] < 0.5 and d[k] < 0.4:
            bronchi.append((float(x[k]) + side * wide * 1.9, float(y[k]) - wide, wide * 0.7))


def _fissures(scene: Scene, draw: Stream) -> None:
    if not 1.2 < scene.height < 1.95:
        return
    fall = (scene.height - 1.2) * 90.0
    for side in (1.0, -1.0):
        y = 34.0 - fall + draw.uniform(-8, 8)
        line = [(side * 40, y - 6), (side * 80, y), (side * 130, y + 10)]
        scene.fill("lung", ribbon(line, 1.2), hu=-620.0, amount=0.5)


def _nodule(scene: Scene) -> None:
    """Draw a lesion in one patient of five, with short spicules."""
    draw = scene.person.stream("nodule")
    if not draw.chance(0.22) or abs(scene.height - draw.uniform(1.1, 1.9)) > 0.3:
        return
    side = draw.choice((1.0, -1.0))
    x, y, radius = side * draw.uniform(60, 108), draw.uniform(-60, 34), draw.uniform(3, 15)
    curves = [oval(x, y, radius, radius * draw.uniform(0.7, 1.0), draw.uniform(), 0.22, draw)]
    for _ in range(int(radius)):
        c, s = direction(draw.uniform())
        far = radius * draw.uniform(1.2, 1.7)
        curves.append(ribbon([(x, y), (x + c * far, y + s * far)], (2.0, 0.3)))
    scene.fill("lymph node", *curves)
    if radius > 9:
        scene.fill("lesion", oval(x, y, radius * 0.5, radius * 0.45, 0.1, 0.3, draw))
