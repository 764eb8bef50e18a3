"""Bones: spine, ribs, breastbone, shoulder girdle, pelvis and hips, jaw."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from denoisebench.data.phantom.body import Body, at_height, whole
from denoisebench.data.phantom.curves import Curve, closed, grow, mirror, move, oval, ribbon
from denoisebench.data.phantom.painting import row
from denoisebench.data.phantom.randomness import Stream
from denoisebench.data.phantom.scene import Scene

# height, half width and half depth of the body, half width and depth of the canal, mm
_SPINE = (
    (0.0, 11.5, 8.0, 10.5, 7.0),
    (0.6, 13.5, 8.5, 11.0, 7.0),
    (1.0, 14.0, 11.0, 8.5, 7.5),
    (1.6, 15.5, 14.5, 8.0, 7.5),
    (2.1, 20.0, 16.0, 9.5, 8.0),
    (2.6, 23.5, 17.5, 11.0, 8.0),
    (3.1, 26.0, 18.0, 13.0, 8.5),
)
# vertebrae in a unit of height, by level
_VERTEBRAE = (5.0, 9.0, 5.0, 5.0)
_BODY = ((0, -1), (0.5, -0.93), (0.88, -0.55), (1.0, 0.0), (0.93, 0.5), (0.62, 0.92), (0, 0.8))


def bone(
    scene: Scene,
    *curves: Curve,
    thick: float = 1.5,
    core: str = "marrow",
    rind: str = "cortex",
) -> None:
    """Paint cortex with marrow inside it; the cortex thins with age."""
    thin = thick * (1.12 - 0.4 * scene.person.age)
    scene.fill(rind, *curves)
    scene.fill(core, *[grow(curve, -thin) for curve in curves], offset=32.0)
    scene.fill(core, *[grow(curve, -thin - 2.2) for curve in curves], amount=0.8, offset=-10.0)


def draw_vertebra(scene: Scene) -> None:
    """Draw the vertebra or the disc at this height, its arch and the canal."""
    height = scene.height
    if height > 3.13:
        return
    rx, ry, canal_x, canal_y = row(_SPINE, height)
    place = height * _VERTEBRAE[int(height)] + scene.person.stream("spine").uniform()
    phase = place - np.floor(place)
    disc = phase > 0.72
    middle = ry + canal_y - 1.0
    outline = closed(whole(np.array(_BODY))) * np.array([rx, ry])
    _arch(scene, (rx, ry, middle, canal_x, canal_y), phase)
    if disc:
        scene.fill("thin cortex", outline, amount=0.35)
        scene.fill("disc", grow(outline, -1.2))
        scene.fill("disc", oval(0, 0, rx * 0.6, ry * 0.55), offset=-12.0)
    else:
        bone(scene, outline, thick=1.5, rind="thin cortex")
        _veins_of_body(scene, ry, phase)
    _spurs(scene, rx, ry)
    _canal(scene, middle, canal_x, canal_y)


def _veins_of_body(scene: Scene, ry: float, phase: float) -> None:
    if 0.2 < phase < 0.5:
        lines = [ribbon([(0, ry * 0.8), (0, ry * 0.1)], (2.4, 1.2))]
        lines += [ribbon([(0, ry * 0.2), (x, -ry * 0.3)], (1.2, 0.6)) for x in (6.0, -6.0)]
        scene.fill("canal", *lines, amount=0.6)


def _spurs(scene: Scene, rx: float, ry: float) -> None:
    draw = scene.stream("spurs")
    if draw.uniform() > scene.person.age or scene.height < 1.2:
        return
    side = draw.choice((1.0, -1.0))
    scene.fill("cortex", oval(side * rx * 0.8, -ry * 0.75, 5.5, 3.0, side * 0.1, 0.2, draw))


def _arch(scene: Scene, sizes: tuple[float, ...], phase: float) -> None:
    """Draw pedicles and transverse processes, or joints, with lamina and spinous process."""
    rx, ry, middle, canal_x, canal_y = sizes
    height = scene.height
    draw = scene.person.stream("vertebra", int(height * 5))
    wide = 4.6 + 2.5 * min(max(height - 1.0, 0.0), 1.5)
    back = middle + canal_y + 2.0
    tip = min(back + (24.0 if height > 0.9 else 18.0), 66.0)
    bars: list[tuple[Sequence[tuple[float, float]], Sequence[float]]] = []
    knobs: list[tuple[float, float]] = []
    lean = draw.uniform(-1.5, 1.5)
    bars.append(
        ([(0, back), (lean, (back + tip) / 2), (lean * 1.5, tip)], (wide, wide * 0.7, wide))
    )
    for side in (1.0, -1.0):
        foot = (side * (canal_x + 3), middle)
        bars.append(([foot, (side * 6, back - 1), (0, back + 2)], (wide, wide * 0.85, wide)))
        if phase > 0.55:
            knobs.append((side * (canal_x + 6), middle + 3.0))
            continue
        bars.append(([(side * rx * 0.62, ry * 0.7), foot], (wide, wide)))
        if phase < 0.36:
            reach = 14.0 if height < 0.9 else 26.0
            drop = 14.0 if 0.9 < height < 2.2 else 3.0
            end = (side * (canal_x + reach), middle + drop)
            bars.append(([foot, end], (wide, wide * 0.85)))
    joints = [oval(x, y, wide, wide * 1.05, 0.0, 0.15, draw) for x, y in knobs]
    scene.fill("cortex", *[ribbon(points, widths) for points, widths in bars], *joints)
    cores = [ribbon(points, [max(w - 2.8, 0.4) for w in widths]) for points, widths in bars]
    scene.fill("marrow", *cores, *[grow(joint, -2.0) for joint in joints])
    gaps = [
        ribbon([(x - (4 if x > 0 else -4), y - 5), (x + (2 if x > 0 else -2), y + 6)], 0.9)
        for x, y in knobs
    ]
    scene.fill("cartilage", *gaps)


def _canal(scene: Scene, middle: float, canal_x: float, canal_y: float) -> None:
    canal = oval(0, middle, canal_x, canal_y, 0.0, 0.04, scene.person.stream("canal"))
    scene.fill("fat", canal)
    scene.fill("canal", oval(0, middle - 0.6, canal_x - 1.6, canal_y - 1.2))
    if scene.height < 2.3:
        scene.fill("cord", oval(0, middle - 0.6, canal_x * 0.55, canal_y * 0.5))


def draw_ribs(scene: Scene, body: Body) -> None:
    """Draw the oblique sections of the ribs round the chest."""
    height, person = scene.height, scene.person
    if 0.74 < height <= 0.84:
        _first_ribs(scene)
    if not 0.84 < height < 2.75:
        return
    draw = person.stream("ribs")
    count = 8 if height < 2.1 else 7
    first = 0.045 if height < 1.95 else 0.045 + (height - 1.95) * 0.42
    turn = height * 9.0 + draw.uniform()
    ribs = _Ribs([], [], [], [])
    for side in (1.0, -1.0):
        phase = turn + draw.uniform(-0.25, 0.25)
        phase -= float(np.floor(phase))
        for k in range(count):
            s = 0.43 - (k + phase) * 0.385 / count
            if s < first or s > 0.425 or draw.chance(0.12):
                continue
            length = (0.012 + 0.034 * draw.uniform()) * (1.0 + 6.0 * max(s - 0.33, 0.0))
            s0, s1 = s - length / 2, min(s + length / 2, 0.435)
            _rib(ribs, body, (s0, s1) if side > 0 else (1.0 - s1, 1.0 - s0), draw)
    scene.fill("cartilage", *ribs.cartilage)
    if person.age > 0.45:
        scene.fill("calcium", *ribs.cartilage, amount=0.35 * person.age)
        scene.fill("cartilage", *[grow(curve, -1.4) for curve in ribs.cartilage])
    scene.fill("cortex", *ribs.cortex)
    scene.fill("marrow", *ribs.spongy)
    scene.fill("marrow", *ribs.dense, offset=120.0)


class _Ribs(NamedTuple):
    """What a slice cuts of the ribs, gathered so that each tissue is painted once."""

    cartilage: list[Curve]
    cortex: list[Curve]
    spongy: list[Curve]
    dense: list[Curve]


def _first_ribs(scene: Scene) -> None:
    """Draw the uppermost ribs above the lungs: one near the spine, one to the side."""
    near = ribbon([(24, 24), (38, 20), (48, 10)], (7.0, 7.5, 7.0))
    far = ribbon([(54, -16), (52, -28), (44, -38)], (7.0, 8.0, 6.0))
    bone(scene, near, far, mirror(near), mirror(far), thick=1.3)


def _rib(ribs: _Ribs, body: Body, ends: tuple[float, float], draw: Stream) -> None:
    depth, thick = draw.uniform(0.6, 2.2), draw.uniform(4.4, 7.2)
    curve = body.cavity.plate(*ends, depth, depth + thick, draw.uniform(0.1, 0.45))
    if min(ends[1], 1.0 - ends[0]) < 0.11:
        ribs.cartilage.append(curve)
        return
    ribs.cortex.append(curve)
    core = ribs.dense if draw.chance(0.5) else ribs.spongy
    core.append(grow(curve, -draw.uniform(1.2, 1.8)))


def draw_breastbone(scene: Scene, body: Body) -> None:
    """Draw the manubrium, the body of the breastbone or its tip."""
    if not 0.98 < scene.height < 1.98:
        return
    half = float(
        at_height(
            ((0.98, (26.0,)), (1.15, (27.0,)), (1.3, (17.0,)), (1.7, (19.0,)), (1.98, (9.0,))),
            scene.height,
        )[0]
    )
    top = float(body.cavity.curve[0, 1]) - 8.5
    thick = 5.6
    points = [
        (0, -thick * 0.8),
        (half * 0.6, -thick),
        (half, -thick * 0.2),
        (half * 0.85, thick),
        (0, thick * 0.9),
    ]
    curve = move(closed(whole(np.array(points))), 0.0, top)
    bone(scene, curve, thick=1.3)


# the blade of the shoulder: height, then points from its spinal edge to its joint
_BLADE = (
    (0.72, ((92, 38), (112, 32), (132, 20), (148, 10))),
    (0.95, ((78, 52), (104, 46), (130, 30), (150, 8))),
    (1.20, ((82, 60), (104, 52), (128, 40), (148, 20))),
    (1.45, ((98, 60), (116, 50), (132, 38), (146, 22))),
    (1.65, ((112, 52), (122, 46), (132, 38), (140, 30))),
)


# how far from the midline the head of the humerus lies
_HEAD = ((0.69, (134.0,)), (0.82, (164.0,)), (1.0, (156.0,)))


def draw_shoulders(scene: Scene) -> None:
    """Draw the shoulder blades, collar bones and heads of the humerus."""
    height = scene.height
    draw = scene.person.stream("shoulders")
    for side in (1.0, -1.0):
        curves: list[Curve] = []
        if 0.72 < height < 1.62:
            blade = at_height(_BLADE, height) + draw.uniform(-3, 3)
            neck = 13.0 if height < 1.02 else 9.0
            curves.append(ribbon(blade, (5.0, 3.6, 4.6, neck)))
            if 0.85 < height < 1.12:
                spine = [(100, 47), (124, 58), (158, 42)]
                curves.append(ribbon(spine, (4, 7, 9)))
        if 0.72 < height < 1.05:
            lift = (height - 0.72) * 100.0
            collar = [(26, -50 - lift * 0.9), (64, -52 - lift * 0.6), (110, -44), (150, -30)]
            part = collar[: 2 + int(draw.uniform(0, 2.9))]
            curves.append(ribbon(part, 11.0))
        if curves:
            bone(scene, *[c if side > 0 else mirror(c) for c in curves], thick=1.3)
        if 0.69 < height < 0.98 and not (scene.person.arms_up and height > 0.9):
            reach = float(at_height(_HEAD, height)[0])
            head = oval(side * reach, -8, 22, 24, 0.0, 0.05, draw)
            scene.fill("visceral fat", grow(head, 3.0), broken=True)
            bone(scene, head, thick=2.2, core="marrow")
