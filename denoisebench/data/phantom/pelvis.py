"""The pelvis: bones, bladder, rectum, prostate or uterus."""

import numpy as np

from denoisebench.data.phantom import atlas_abdomen as atlas
from denoisebench.data.phantom.body import Body, at_height, whole
from denoisebench.data.phantom.curves import closed, grow, mirror, oval, ribbon
from denoisebench.data.phantom.painting import hollow
from denoisebench.data.phantom.scene import Scene
from denoisebench.data.phantom.skeleton import bone


def draw_pelvis(scene: Scene, body: Body) -> None:
    """Draw the bones of the pelvis and the organs in it."""
    if scene.height < 3.0:
        return
    if scene.height > 3.4:
        scene.limit = scene.cover(grow(body.cavity.curve, -0.6))
        _organs(scene)
    scene.limit = body.inside
    _sacrum(scene)
    _ilium(scene)
    _hips(scene)
    scene.limit = None


def _organs(scene: Scene) -> None:
    height, person = scene.height, scene.person
    draw = person.stream("pelvic organs")
    if height > 3.75:
        scene.fill("visceral fat", oval(0, 0, 70, 62))
        drop = (height - 3.75) * 30.0
        sling = [(12, -38), (32 - drop, -8), (33 - drop, 24), (18, 50), (0, 58)]
        levator = ribbon(sling, (4.0, 7.0, 9.0, 9.0, 6.0))
        scene.fill("muscle", levator, mirror(levator), amount=0.8)
    spots = scene.stream("pelvic vessels")
    nodes = [
        oval(spots.uniform(-60, 60), spots.uniform(-40, 50), spots.uniform(1, 2.5), 1.6)
        for _ in range(16)
    ]
    scene.fill("vein", *nodes, amount=0.7)
    filling = draw.uniform(0.75, 1.3)
    if person.female and 3.45 < height < 3.75:
        lean = draw.uniform(-14, 14)
        scene.fill(
            "uterus", oval(lean, 6, draw.uniform(24, 34), draw.uniform(16, 24), 0.02, 0.12, draw)
        )
        scene.fill("bowel content", oval(lean, 6, 10, 3, 0.02, 0.2, draw), amount=0.4)
        for side in (1.0, -1.0):
            scene.fill("uterus", oval(side * 44, 0, 10, 8, 0.1, 0.15, draw), offset=-12.0)
    elif not person.female and 3.6 < height < 3.76:
        for side in (1.0, -1.0):
            scene.fill(
                "prostate", ribbon([(side * 4, 24), (side * 20, 22), (side * 32, 18)], (6, 9, 5))
            )
    swell = 1.0 - (height - 3.66) * (height - 3.66) / 0.06
    if swell > 0.05:
        size = filling * float(np.sqrt(swell))
        curve = oval(draw.uniform(-3, 3), -26, 46 * size, 32 * size, 0.0, 0.08, draw)
        hollow(scene, curve, 2.6, "urine", 0.0, "bladder wall")
    if not person.female and height > 3.8:
        scene.fill(
            "prostate", oval(0, 4, draw.uniform(20, 27), draw.uniform(15, 21), 0, 0.06, draw)
        )
    if person.female and height > 3.78:
        scene.fill("uterus", oval(0, 12, 22, 11, 0, 0.12, draw), offset=-14.0)
        scene.fill("bladder wall", oval(0, -12, 11, 11, 0, 0.1, draw))
    _rectum(scene)


def _rectum(scene: Scene) -> None:
    """Draw the rectum before the sacrum."""
    draw = scene.person.stream("rectum")
    if scene.height < 3.62:
        return
    curve = oval(draw.uniform(-4, 4), 42, draw.uniform(14, 22), draw.uniform(11, 15), 0, 0.1, draw)
    hollow(
        scene,
        curve,
        3.2,
        draw.choice(("stool", "stool", "bowel content")),
        draw.choice((0.0, 0.2, 0.5)),
    )


def _sacrum(scene: Scene) -> None:
    height = scene.height
    if not 3.14 < height < 3.8:
        return
    draw = scene.stream("sacrum")
    half = at_height(atlas.SACRUM, height)
    bone(scene, closed(whole(half)), thick=1.5, rind="thin cortex")
    middle = float(half[0, 1])
    if height < 3.55:
        holes = [
            oval(side * draw.uniform(15, 20), middle + 14, 4.2, 5.0, side * 0.1)
            for side in (1.0, -1.0)
        ]
        scene.fill("cortex", *[grow(h, 1.2) for h in holes], amount=0.6)
        scene.fill("fat", *holes)
        scene.fill("canal", *[oval(float(h[0, 0]) - 4, middle + 14, 2.4, 2.6) for h in holes])
        canal = oval(0, middle + 26, 9, 4.5)
        scene.fill("cortex", grow(canal, 1.2))
        scene.fill("canal", canal)


def _ilium(scene: Scene) -> None:
    height = scene.height
    if not height < 3.685:
        return
    points = at_height([(key[0], key[1]) for key in atlas.ILIUM], height)
    widths = at_height([(key[0], key[2]) for key in atlas.ILIUM], height).tolist()
    draw = scene.person.stream("ilium")
    points = points + (draw.uniforms(8).reshape(4, 2) - 0.5) * 4.0
    if height < 3.5:
        iliacus = ribbon(points + np.array([-10.0, -7.0]), [w * 0.6 + 7.0 for w in widths])
        scene.fill("muscle", iliacus, mirror(iliacus))
    wing = ribbon(points, widths, 6)
    bone(scene, wing, mirror(wing), thick=1.9)


def _hips(scene: Scene) -> None:
    height = scene.height
    if height < 3.6:
        return
    for side in (1.0, -1.0):
        _hip(scene, side)
    if height > 3.84:
        arm = (
            [(7, -56), (30, -52), (62, -40)] if height < 3.95 else [(6, -52), (22, -44), (34, -34)]
        )
        pubis = ribbon(arm, (15.0, 10.0, 12.0))
        bone(scene, pubis, mirror(pubis), thick=1.6)
        scene.fill("cartilage", oval(0, -55, 2.6, 8))


def _hip(scene: Scene, side: float) -> None:
    height = scene.height
    draw = scene.person.stream("hip", side)

    def placed(*curves: np.ndarray) -> list[np.ndarray]:
        return [curve if side > 0 else mirror(curve) for curve in curves]

    if height > 3.92:
        bone(scene, *placed(oval(68, 34, 15, 18, 0.08, 0.1, draw)), thick=1.7)
        shaft = ribbon([(104, 2), (120, 2), (132, 10)], (30.0, 34.0, 26.0))
        bone(scene, *placed(shaft), thick=2.4)
        return
    if height > 3.66:
        points = at_height([(key[0], key[1]) for key in atlas.SOCKET], height)
        widths = at_height([(key[0], key[2]) for key in atlas.SOCKET], height).tolist()
        bone(scene, *placed(ribbon(points, widths)), thick=1.6)
    if height > 3.67:
        size = draw.uniform(21.5, 25.0)
        grown = min(0.62 + (height - 3.67) * 9.0, 1.0)
        head = [oval(96, -7, size * grown, size * grown, 0.0, 0.02, draw)]
        if height > 3.78:
            head.append(ribbon([(100, -6), (120, 0), (138, 10)], (26.0, 22.0, 24.0)))
        scene.fill("muscle", *placed(grow(head[0], 4.0)))
        bone(scene, *placed(*head), thick=1.5)
    if 3.74 < height <= 3.8:
        bone(scene, *placed(oval(140, 6, 10, 14, 0.1, 0.1, draw)), thick=1.3)
