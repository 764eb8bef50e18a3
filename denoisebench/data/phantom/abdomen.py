"""The abdomen: liver, spleen, stomach, pancreas, kidneys, adrenals, great vessels."""

import numpy as np

from denoisebench.data.phantom import atlas_abdomen as atlas
from denoisebench.data.phantom.body import Body
from denoisebench.data.phantom.bowel import draw_bowel
from denoisebench.data.phantom.curves import (
    Curve,
    closed,
    direction,
    grow,
    mirror,
    move,
    oval,
    ovals,
    ribbon,
    rotate,
    slivers,
)
from denoisebench.data.phantom.painting import (
    both_sides,
    draw_organs,
    hollow,
    outline,
    section,
    streaks,
)
from denoisebench.data.phantom.raster import Mask
from denoisebench.data.phantom.scene import Scene

_BEAN = (
    (0, -1),
    (0.6, -0.85),
    (0.95, -0.3),
    (0.95, 0.35),
    (0.6, 0.85),
    (0, 1),
    (-0.6, 0.84),
    (-0.82, 0.42),
    (-0.5, 0.02),
    (-0.82, -0.44),
    (-0.6, -0.86),
)


def draw_abdomen(scene: Scene, body: Body) -> None:
    """Draw what lies between the diaphragm and the pelvis."""
    height = scene.height
    if not 1.86 < height < 3.75:
        return
    cavity = scene.cover(grow(body.cavity.curve, -0.6))
    scene.limit = cavity
    if height > 2.06:
        scene.fill("visceral fat", body.cavity.curve)
        _fat_strands(scene)
        _lung_bases(scene, body)
    _psoas(scene)
    if height > 2.06:
        _crura(scene)
    _kidneys(scene)
    draw_bowel(scene)
    _adrenals(scene)
    _great_vessels(scene)
    _pancreas(scene)
    _stomach(scene)
    _spleen(scene)
    _liver(scene)
    scene.limit = None


def _fat_strands(scene: Scene) -> None:
    """Draw vessels and fascia in the fat between the organs."""
    draw = scene.stream("fat strands")
    count = 64
    u = draw.uniforms(10 * count).reshape(10, count, 1)
    start = np.concatenate([140.0 * (u[0] + u[1] - 1.0), 120.0 * u[2] - 96.0], axis=1)
    far = np.concatenate([u[3] - 0.5, u[4] - 0.5], axis=1) * 40.0
    middle = start + far / 2.0 + np.concatenate([u[5] - 0.5, u[6] - 0.5], axis=1) * 9.0
    lines = slivers(start, middle, start + far, 0.8 + u[7, :, 0])
    x, y = 130.0 * (u[8, :, 0] + u[0, :, 0] - 1.0), 96.0 * u[9, :, 0] - 96.0
    dots = ovals(x, y, 0.7 + 1.5 * u[1, :, 0], 0.7 + 1.0 * u[2, :, 0], far)
    scene.fill("strand", *lines, amount=0.55)
    scene.fill("vein", *dots, amount=0.8)


def _lung_bases(scene: Scene, body: Body) -> None:
    """Draw the lowest recesses of the lungs behind liver and spleen."""
    depth = (2.38 - scene.height) * 60.0
    if depth < 1.0:
        return
    for s0, s1 in ((0.3, 0.455), (0.545, 0.7)):
        recess = body.cavity.plate(s0, s1, -depth, 3.0, 0.1)
        scene.fill("muscle", grow(recess, 2.0))
        scene.fill("lung", recess, offset=40.0)
        draw = scene.stream("bases", s0)
        count = int(4 * depth)
        s, d, rx, ry, u, v = draw.uniforms(6 * count).reshape(6, count)
        spots = body.cavity.at(s0 + (s1 - s0) * s, -depth * d)
        axis = np.stack([u - 0.5, v - 0.5], axis=1)
        dots = ovals(spots[:, 0], spots[:, 1], 0.4 + 1.4 * rx, 0.4 + 0.8 * ry, axis)
        scene.fill("lung vessel", *dots, amount=0.8, within=scene.cover(recess))


def _psoas(scene: Scene) -> None:
    curves = both_sides(scene, atlas.PSOAS, 0.08)
    for curve in curves:
        scene.fill("muscle", curve)
    if curves:
        streaks(scene, "psoas", curves, scene.cover(*curves), 0.2)


def _crura(scene: Scene) -> None:
    if scene.height > 2.62:
        return
    thin = 9.0 - (scene.height - 2.06) * 8.0
    for side, x in ((1.0, 21.0), (-1.0, -12.0)):
        path = [(x * 0.5 + side * 1.0, -44), (x, -30), (x + side * 1.0, -10)]
        scene.fill("muscle", ribbon(path, (thin * 0.5, thin, thin * 0.8)))


def _kidneys(scene: Scene) -> None:
    height = scene.height
    for side in (1.0, -1.0):
        draw = scene.person.stream("kidney", side)
        top = draw.uniform(2.2, 2.3) + (0.05 if side < 0 else 0.0)
        place = (height - top) / draw.uniform(0.56, 0.66)
        if not 0.03 < place < 0.97:
            continue
        swell = 4.0 * place * (1.0 - place)
        scale = 0.35 + 0.65 * float(np.sqrt(swell))
        x = 58.0 + 14.0 * place + draw.uniform(-4, 5)
        y = 6.0 - 6.0 * place + draw.uniform(-4, 4)
        shape = closed(np.array(_BEAN) + (draw.uniforms(22).reshape(11, 2) - 0.5) * 0.16)
        size = draw.uniform(0.92, 1.1)
        shape = shape * np.array([25.0 * scale * size, 30.0 * scale * size])
        shape = move(rotate(shape, draw.uniform(0.06, 0.12)), x, y)
        _kidney(scene, shape, side, abs(place - 0.5) < 0.27)


def _kidney(scene: Scene, shape: Curve, side: float, hilum: bool) -> None:
    draw = scene.stream("inside kidney", side)

    def placed(curve: Curve) -> Curve:
        return curve if side > 0 else mirror(curve)

    x, y = ((shape[0] + shape[len(shape) // 2]) / 2.0).tolist()
    gerota = grow(shape, 9.0 + 6.0 * scene.person.visceral)
    scene.fill("strand", placed(gerota), amount=0.35)
    scene.fill("visceral fat", placed(grow(gerota, -1.1)))
    mask = scene.fill("kidney cortex", placed(shape))
    middle = np.array([x, y])
    pyramids = []
    count = draw.integer(5, 8)
    for k in range(count):
        near = shape[int((k + draw.uniform(0.1, 0.9)) * len(shape) / count) % len(shape)]
        inner, outer = draw.uniform(0.3, 0.5), draw.uniform(0.68, 0.82)
        steps = np.array([[inner], [(inner + outer) / 2], [outer]])
        wide = draw.uniform(5.0, 11.0)
        pyramids.append(ribbon(middle + (near - middle) * steps, (3.0, wide, wide * 0.8)))
    scene.fill("kidney medulla", *[placed(p) for p in pyramids], within=mask)
    if not hilum:
        return
    sinus = oval(x - 6, y - 1, 11, 13, 0.05, 0.25, draw)
    scene.fill("visceral fat", placed(sinus), within=mask)
    scene.fill("urine", placed(oval(x - 9, y, 6, 8, 0.0, 0.3, draw)))
    if draw.chance(0.7):
        root = (x - draw.uniform(36, 46), y - draw.uniform(16, 30))
        bend = (x - 24, y - draw.uniform(6, 18))
        vessel = ribbon([(x - 8, y - 4), bend, root], (4, draw.uniform(4, 7), 6.5))
        scene.fill("vein", placed(vessel))
    if draw.chance(0.5):
        path = [(x - 6, y + 2), (x - 26, y - draw.uniform(-2, 8)), (x - 46, y - 22)]
        scene.fill("artery", placed(ribbon(path, (2.6, 3.2, 4))))
    if draw.chance(0.3):
        near = shape[draw.integer(0, len(shape) - 1)]
        radius = draw.uniform(4, 14)
        scene.fill("cyst", placed(oval(float(near[0]), float(near[1]), radius, radius)))


def _adrenals(scene: Scene) -> None:
    if not 2.14 < scene.height < 2.38:
        return
    scene.fill(
        "adrenal",
        ribbon([(30, -26), (37, -16), (34, -4)], (3, 5, 2.5)),
        ribbon([(30, -26), (42, -14), (46, -4)], (3, 4.5, 2.5)),
    )
    scene.fill("adrenal", ribbon([(-28, -24), (-33, -12), (-34, 4)], (3.5, 4.0, 2.5)))


def _great_vessels(scene: Scene) -> None:
    height, person = scene.height, scene.person
    draw_organs(scene, atlas.VESSELS, 0.08)
    if not 2.06 < height < 3.0:
        return
    aorta = section(scene, atlas.AORTA, 1.0, 0.03)
    scene.fill("vessel wall", grow(aorta, 1.3))
    scene.fill("artery", aorta)
    if 2.44 < height < 2.56:
        path = [(46, -20), (22, -40), (0, -42), (-14, -36)]
        scene.fill("vein", ribbon(path, (7, 6, 5, 7)))
    if person.age > 0.4:
        draw = scene.stream("aortic calcium")
        plaques = []
        for _ in range(draw.integer(1, 6)):
            k = draw.integer(0, len(aorta) - 1)
            arc = [aorta[(k + j) % len(aorta)] for j in range(0, draw.integer(4, 12), 2)]
            plaques.append(ribbon(np.array(arc), draw.uniform(1.0, 2.2)))
        scene.fill("calcium", *plaques)


def _pancreas(scene: Scene) -> None:
    curve = outline(scene, atlas.PANCREAS, 3.0)
    if curve is None:
        return
    draw = scene.person.stream("lobules")
    bumps = draw.uniforms(len(curve)) * 3.0 - 1.8
    lobed = grow(curve, (bumps + np.roll(bumps, 1)) / 2.0)
    mask = scene.fill("pancreas", lobed)
    streaks(scene, "pancreas", [lobed] * 4, mask, 0.25 + 0.6 * scene.person.age)
    scene.fill("vein", ribbon([(0, -46), (30, -46), (70, -22)], (7, 6, 5)), amount=0.9)


def _stomach(scene: Scene) -> None:
    curve = outline(scene, atlas.STOMACH, 5.0)
    if curve is None:
        return
    draw = scene.person.stream("stomach")
    content = "oral contrast" if draw.chance(0.25) else "stomach content"
    gas = draw.choice((0.0, 0.25, 0.35, 0.45, 0.6))
    fold = draw.uniforms(len(curve)) * 1.6
    hollow(scene, grow(curve, -0.5 * fold), draw.uniform(3.5, 6.0), content, gas)


def _spleen(scene: Scene) -> None:
    curve = outline(scene, atlas.SPLEEN, 4.0)
    if curve is None:
        return
    scene.fill("spleen", grow(curve, scene.person.stream("spleen").uniform(-2, 6)))
    scene.fill("vein", ribbon([(92, 4), (82, -6), (66, -16)], (4, 5.5, 5)), amount=0.9)


def _liver(scene: Scene) -> None:
    curve = outline(scene, atlas.LIVER, 4.0)
    if curve is None:
        return
    draw = scene.person.stream("liver")
    fatty = draw.uniform(15, 45) if draw.chance(0.2) else 0.0
    if scene.height < 2.06:
        scene.fill("muscle", grow(curve, 2.0))
    mask = scene.fill("liver", curve, offset=-fatty)
    _liver_vessels(scene, mask)
    _lesions(scene, mask)
    if 2.3 < scene.height < 2.62:
        x, y = -44 + draw.uniform(-8, 6), -66 + draw.uniform(-6, 8)
        pouch = oval(x, y, draw.uniform(11, 17), draw.uniform(14, 24), 0.06, 0.1, draw)
        hollow(scene, pouch, 1.6, "gallbladder")
    if 2.0 < scene.height < 2.45:
        scene.fill(
            "visceral fat",
            ribbon([(-6, -104), (-8, -80), (-14, -60)], (4, 2.5, 5)),
            amount=0.85,
            within=mask,
        )
    if scene.height < 2.4:
        scene.fill("vein", oval(-22, -31, 12, 9.5, 0.04, 0.06, draw))


def _liver_vessels(scene: Scene, mask: Mask) -> None:
    draw = scene.stream("liver vessels")
    hepatic: list[Curve] = []
    portal: list[Curve] = []
    if scene.height < 2.25:
        for turns, length in ((0.62, 70.0), (0.74, 60.0), (0.5, 84.0)):
            c, s = direction(turns + draw.uniform(-0.05, 0.05))
            reach = length * draw.uniform(0.6, 1.0)
            hepatic.append(
                ribbon(
                    [
                        (-24, -34),
                        (-24 + c * reach * 0.5, -36 + s * reach * 0.5),
                        (-26 + c * reach, -34 + s * reach),
                    ],
                    (9, 6, 2),
                )
            )
    u = draw.uniforms(7 * 44).reshape(7, 44, 1)
    start = np.concatenate([170.0 * u[0] - 124.0, 136.0 * u[1] - 100.0], axis=1)
    far = np.concatenate([u[2] - 0.5, u[3] - 0.5], axis=1) * 30.0
    middle = start + far / 2.0 + np.concatenate([u[4] - 0.5, u[5] - 0.5], axis=1) * 5.0
    twigs = slivers(start, middle, start + far, 1.2 + 3.4 * u[6, :, 0])
    hepatic += twigs[::2]
    portal += twigs[1::2]
    if 2.08 < scene.height < 2.4:
        portal.append(ribbon([(-30, -46), (-52, -42), (-74, -30), (-88, -16)], (12, 10, 7, 3)))
        portal.append(ribbon([(-34, -48), (-20, -66), (4, -74)], (9, 7, 3)))
    scene.fill("vein", *hepatic, amount=0.8, within=mask)
    scene.fill("portal vein", *portal, amount=0.75, within=mask)


def _lesions(scene: Scene, mask: Mask) -> None:
    draw = scene.stream("lesions")
    kind = scene.person.stream("lesions").uniform()
    if kind > 0.45:
        return
    tissue = "cyst" if kind < 0.2 else "lesion"
    for _ in range(draw.integer(1, 5)):
        x, y = draw.uniform(-118, -20), draw.uniform(-90, 24)
        radius = draw.uniform(2, 7) + 14.0 * draw.uniform() * draw.uniform() * draw.uniform()
        scene.fill(
            tissue,
            oval(x, y, radius, radius * draw.uniform(0.8, 1.0), 0.1, 0.14, draw),
            amount=0.9,
            within=mask,
        )
