"""The chest: lungs with vessels and airways, mediastinum, heart and great vessels."""

import numpy as np

from denoisebench.data.phantom import atlas_chest as atlas
from denoisebench.data.phantom.body import Body
from denoisebench.data.phantom.curves import Curve, closed, grow, oval, ribbon, rotate
from denoisebench.data.phantom.lung import draw_lungs
from denoisebench.data.phantom.painting import draw_organs, outline
from denoisebench.data.phantom.randomness import Stream
from denoisebench.data.phantom.scene import Scene


def draw_chest(scene: Scene, body: Body) -> None:
    """Draw what lies inside the ribs."""
    if not 0.84 < scene.height < 2.06:
        return
    cavity = scene.cover(grow(body.cavity.curve, -0.8))
    scene.limit = cavity
    draw_lungs(scene, body)
    middle = outline(scene, atlas.MEDIASTINUM, 2.0)
    if middle is not None:
        scene.fill("visceral fat", middle)
        _nodes(scene)
    _arch(scene)
    _pulmonary_trunk(scene)
    _heart(scene)
    draw_organs(scene, atlas.VESSELS)
    _calcium(scene)
    _airways(scene)
    _oesophagus_gas(scene)
    scene.limit = None


def _nodes(scene: Scene) -> None:
    """Draw lymph nodes, thymus remnants and small vessels in the mediastinal fat."""
    draw = scene.stream("nodes")
    strands = []
    for _ in range(16):
        x, y = draw.bell(0, 16), draw.uniform(-98, -20)
        bend = (x + draw.bell(0, 4), y + draw.bell(4, 4))
        end = (x + draw.bell(0, 8), y + draw.bell(8, 6))
        strands.append(ribbon([(x, y), bend, end], draw.uniform(0.5, 1.3)))
    nodes = [_node(draw) for _ in range(draw.integer(2, 7))]
    scene.fill("strand", *strands, amount=0.5)
    scene.fill("lymph node", *nodes)


def _node(draw: Stream) -> Curve:
    x, y = draw.bell(0, 16), draw.uniform(-70, -22)
    rx, ry = draw.uniform(2, 5), draw.uniform(1.6, 3.5)
    return oval(x, y, rx, ry, draw.uniform(), 0.15, draw)


def _arch(scene: Scene) -> None:
    height = scene.height
    draw = scene.person.stream("arch")
    wide = draw.uniform(22, 29)
    if 1.17 < height < 1.36:
        path = [(-14, -72), (-4, -66), (10, -50), (20, -32), (25, -14)]
        scene.fill("artery", ribbon(path, (wide * 0.9, wide, wide * 0.92, wide * 0.86, wide * 0.8)))
    elif 1.36 <= height < 1.62:
        x, y = -14 + draw.bell(0, 2), -72 + draw.bell(0, 3)
        scene.fill("vessel wall", oval(x, y, wide * 0.62 + 1.2, wide * 0.62 + 1.2))
        scene.fill("artery", oval(x, y, wide * 0.62, wide * 0.62, 0.0, 0.03, draw))


def _pulmonary_trunk(scene: Scene) -> None:
    """Draw the trunk with its left and right branches, and the first veins."""
    height = scene.height
    if not 1.4 < height < 1.66:
        return
    draw = scene.person.stream("trunk")
    wide = draw.uniform(22, 28)
    curves: list[Curve] = []
    if height < 1.48:
        curves.append(
            ribbon([(20, -66), (34, -48), (48, -30), (58, -20)], (wide, wide * 0.9, wide * 0.7, 8))
        )
    elif height < 1.58:
        curves.append(
            ribbon(
                [(18, -74), (14, -58), (-8, -44), (-36, -38), (-58, -34)],
                (wide, wide * 0.95, wide * 0.72, wide * 0.6, 8),
            )
        )
        curves.append(ribbon([(46, -30), (58, -22), (72, -18)], (15, 12, 6)))
    else:
        curves.append(oval(22, -80, wide * 0.58, wide * 0.5, 0.05))
    scene.fill("right heart", *curves)


def _heart(scene: Scene) -> None:
    curve = outline(scene, atlas.HEART, 2.5)
    if curve is None:
        return
    person, height = scene.person, scene.height
    draw = person.stream("heart")
    fat_coat = 1.5 + 5.0 * person.visceral
    scene.fill("muscle", grow(curve, 2.2), amount=0.6)
    mask = scene.fill("visceral fat", grow(curve, 1.2))
    del mask
    inner = grow(curve, -fat_coat * 0.7)
    within = scene.cover(inner)
    if height < 1.68:
        _heart_base(scene, draw.uniform(0.92, 1.08))
        return
    scene.fill("heart wall", inner)
    turn = draw.uniform(0.06, 0.1)
    size = draw.uniform(0.9, 1.08)
    shrink = 1.0 - max(height - 1.86, 0.0) * 2.5
    left = oval(0, 0, 32 * size * shrink, 15 * size * shrink, 0.0, 0.1, draw)
    scene.fill("left heart", rotate(left, turn) + np.array([44, -62]), within=within)
    right = closed([(-12, -90), (10, -98), (40, -98), (54, -92), (28, -82), (6, -70), (-10, -72)])
    scene.fill("right heart", right, within=within)
    scene.fill("right heart", oval(-28, -62, 19, 22 * shrink, 0.0, 0.1, draw), within=within)
    if height < 1.9:
        scene.fill("left heart", oval(4, -34, 27, 13, 0.03, 0.1, draw), within=within)
        for side in (1.0, -1.0):
            vein = ribbon([(side * 22, -34), (side * 40, -30), (side * 62, -22)], (11, 9, 6))
            scene.fill("left heart", vein)
    _grooves(scene)


def _heart_base(scene: Scene, size: float) -> None:
    """Draw the aortic root, the outflow of the right ventricle, both atria and their ears."""
    draw = scene.person.stream("base")
    scene.fill("heart wall", oval(-2, -62, 19 * size, 18 * size))
    scene.fill("left heart", oval(-2, -62, 16.5 * size, 15.5 * size, 0.0, 0.06, draw))
    scene.fill("heart wall", oval(20, -84, 18 * size, 13 * size, 0.04, 0.08, draw))
    scene.fill("right heart", oval(20, -84, 15 * size, 10.5 * size, 0.04, 0.08, draw))
    scene.fill("right heart", oval(-32, -60, 11 * size, 18 * size, 0.03, 0.16, draw))
    scene.fill("left heart", oval(0, -33, 32 * size, 12.5 * size, 0.0, 0.08, draw))
    scene.fill("left heart", oval(38, -56, 7 * size, 12 * size, -0.04, 0.2, draw))
    for side in (1.0, -1.0):
        vein = ribbon([(side * 26, -34), (side * 44, -30), (side * 66, -24)], (13, 10, 6))
        scene.fill("left heart", vein)


def _grooves(scene: Scene) -> None:
    """Draw the fat of the grooves with the coronary arteries in it."""
    lines = [
        ribbon([(-18, -86), (-10, -76), (-12, -62), (-18, -52)], (7, 4, 2, 2)),
        ribbon([(56, -96), (48, -88), (34, -82)], (6, 3, 0.8)),
        ribbon([(58, -40), (40, -46), (24, -48)], (6, 3, 0.8)),
    ]
    scene.fill("visceral fat", *lines, amount=0.9)
    scene.fill("artery", oval(-13, -82, 1.8, 1.8), oval(54, -93, 1.5, 1.5), oval(54, -42, 1.4, 1.4))


def _calcium(scene: Scene) -> None:
    """Draw plaques of the aorta and the coronary arteries of older patients."""
    person = scene.person
    draw = scene.stream("calcium")
    if person.age < 0.45:
        return
    plaques = []
    for _ in range(draw.integer(0, 4)):
        if scene.height < 1.36:
            x, y = draw.choice(((-2, -54), (22, -24), (8, -42), (30, -40)))
        else:
            x, y = draw.choice(((35, -16), (14, -18), (24, -1), (-26, -66), (50, -90), (-14, -82)))
        plaques.append(oval(x, y, draw.uniform(1.0, 3.5), draw.uniform(0.8, 1.5), draw.uniform()))
    scene.fill("calcium", *plaques)


def _airways(scene: Scene) -> None:
    height = scene.height
    draw = scene.person.stream("airways")
    wide = draw.uniform(8, 10.5) * (0.9 if scene.person.female else 1.0)
    curves = []
    if height < 1.42:
        x, y = -1.0, -33.0 - 4.0 * (height - 0.84)
        curves.append(oval(x, y, wide, wide * 0.95, 0.0, 0.06, draw))
    elif height < 1.62:
        spread = 8.0 + (height - 1.42) * 110.0
        for side in (1.0, -1.0):
            path = [(side * spread, -31), (side * (spread + 12), -26), (side * (spread + 24), -22)]
            curves.append(ribbon(path, (13, 11, 7)))
    scene.fill("cartilage", *[grow(curve, 1.5) for curve in curves], amount=0.6)
    scene.fill("air", *curves)


def _oesophagus_gas(scene: Scene) -> None:
    draw = scene.stream("swallow")
    if draw.chance(0.4):
        y = -20.0 if scene.height < 1.75 else -26.0
        scene.fill("gas", oval(4, y, draw.uniform(1, 3), draw.uniform(0.8, 1.8), 0.04))
