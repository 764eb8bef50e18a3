"""The neck: jaw, tongue, airway, larynx, thyroid, vessels and glands."""

from denoisebench.data.phantom.body import Body
from denoisebench.data.phantom.curves import mirror, oval, ribbon
from denoisebench.data.phantom.painting import Organ, draw_organs
from denoisebench.data.phantom.scene import Scene
from denoisebench.data.phantom.skeleton import bone

# both sides' vessels, drawn for the left and mirrored (mm)
_VESSELS: tuple[Organ, ...] = (
    Organ(
        "carotid",
        ((0.0, 30, -18, 3.4, 3.4, 0), (0.4, 29, -20, 4, 4, 0), (0.86, 20, -32, 4.2, 4.2, 0)),
        "artery",
    ),
    Organ(
        "internal jugular",
        ((0.0, 37, -10, 6, 4.5, 0.05), (0.4, 37, -16, 7, 5, 0.05), (0.86, 30, -36, 8, 6, 0)),
        "vein",
    ),
    Organ("vertebral artery", ((0.0, 17, 3, 2.2, 2.2, 0), (0.8, 17, 0, 2.2, 2.2, 0)), "artery"),
    Organ("external jugular", ((0.1, 52, -8, 2.5, 1.8, 0), (0.6, 52, -18, 3, 2, 0)), "vein"),
)


def draw_neck(scene: Scene, body: Body) -> None:
    """Draw what lies before the cervical spine."""
    height = scene.height
    if 0.8 < height < 1.2:
        _axilla(scene, body)
    if height > 0.98:
        return
    scene.limit = body.inside
    _nodes(scene)
    if height < 0.24:
        _mouth(scene)
    _larynx(scene)
    _thyroid(scene)
    for side in (1.0, -1.0):
        _vessels(scene, side)
    scene.limit = None


def _axilla(scene: Scene, body: Body) -> None:
    """Draw the vessels and nodes of the armpits."""
    draw = scene.stream("axilla")
    for side in (1.0, -1.0):
        x, y = side * draw.uniform(100, 116), -46.0 - 40.0 * (scene.height - 0.8)
        slant = draw.uniform(0.05, 0.15)
        scene.fill("vein", oval(x, y + 9, 7, 4, side * slant), within=body.inside)
        scene.fill("artery", oval(x + side * 4, y, 5, 3.4, side * slant), within=body.inside)
        nodes = [
            oval(
                x + draw.bell(0, 14),
                y + draw.bell(18, 14),
                draw.uniform(1.5, 5),
                draw.uniform(1, 3),
            )
            for _ in range(9)
        ]
        scene.fill("lymph node", *nodes, amount=0.8, within=body.inside)


def _vessels(scene: Scene, side: float) -> None:
    for item in _VESSELS:
        keys = tuple((k[0], side * k[1], *k[2:]) for k in item.keys)
        draw_organs(scene, [Organ(f"{item.name} {side}", keys, item.tissue, 0.6)], 0.08)


def _nodes(scene: Scene) -> None:
    draw = scene.stream("neck nodes")
    nodes, lines = [], []
    for _ in range(30):
        x, y = draw.uniform(-56, 56), draw.uniform(-50, 40)
        nodes.append(oval(x, y, draw.uniform(0.8, 3.2), draw.uniform(0.8, 2.2), draw.uniform()))
        lines.append(
            ribbon(
                [
                    (x, y),
                    (x + draw.bell(0, 6), y + draw.bell(0, 4)),
                    (x + draw.bell(0, 11), y + draw.bell(0, 8)),
                ],
                draw.uniform(0.5, 1.2),
            )
        )
    free = scene.cover(*nodes)
    scene.paint(free, "vein", amount=0.5)
    scene.fill("strand", *lines, amount=0.4)


def _mouth(scene: Scene) -> None:
    height = scene.height
    draw = scene.person.stream("mouth")
    scene.fill("muscle", oval(0, -54, 27, 25, 0.0, 0.08, draw), offset=4.0)
    lines = [
        ribbon([(side * k, -76), (side * (k + 1.5), -56), (side * (k + 4), -38)], 0.8)
        for side in (1.0, -1.0)
        for k in (2.0, 7.0, 12.0, 17.0)
    ]
    scene.fill("fat", *lines, amount=0.4)
    scene.fill("strand", ribbon([(0, -78), (0, -40)], 1.2), amount=0.6)
    for side in (1.0, -1.0):
        gland = oval(40, -38, 10, 13, 0.08, 0.2, draw)
        scene.fill("gland", gland if side > 0 else mirror(gland), offset=10.0)
        if height < 0.12:
            parotid = oval(52, -4, 9, 17, 0.05, 0.25, draw)
            scene.fill("gland", parotid if side > 0 else mirror(parotid), offset=-25.0)
    if height < 0.15:
        arc = [(-46, -34), (-40, -58), (-24, -78), (0, -84), (24, -78), (40, -58), (46, -34)]
        bone(scene, ribbon(arc, (7.0, 8.0, 10.0, 11.0, 10.0, 8.0, 7.0)), thick=2.0)
        if height < 0.08:
            for k in range(7):
                x = (k - 3) * 8.5
                y = -80.0 + x * x * 0.026
                scene.fill("tooth", oval(x, y, 2.8, 3.4))


def _larynx(scene: Scene) -> None:
    height = scene.height
    draw = scene.person.stream("larynx")
    y = -26.0 - 8.0 * max(0.0, 0.35 - height)
    if height < 0.2:
        scene.fill("muscle", oval(0, y - 1, 22, 10, 0, 0.1, draw))
        scene.fill("air", oval(0, y, draw.uniform(9, 16), draw.uniform(5, 8), 0.0, 0.15, draw))
        if height > 0.1:
            hyoid = [(-20, y - 8), (-12, y - 20), (0, y - 24), (12, y - 20), (20, y - 8)]
            bone(scene, ribbon(hyoid, (3.0, 3.5, 5.0, 3.5, 3.0)), thick=1.0)
        return
    if height < 0.42:
        scene.fill("muscle", oval(0, y - 5, 20, 17, 0, 0.06, draw))
        wings = [(-19, y + 8), (-15, y - 8), (0, y - 26), (15, y - 8), (19, y + 8)]
        scene.fill("cartilage", ribbon(wings, 4.4))
        scene.fill("calcium", ribbon(wings, 4.2), amount=0.3 + 0.5 * scene.person.age)
        scene.fill("cartilage", ribbon(wings, 1.8), amount=0.8)
        scene.fill("air", oval(0, y - 5, 5 + draw.uniform(0, 4), 11, 0, 0.1, draw))
    else:
        wide = draw.uniform(8, 10)
        ring = oval(0, y, wide + 2.2, wide + 2.0)
        scene.fill("cartilage", ring)
        if height < 0.5:
            scene.fill("calcium", ring, amount=0.5)
        scene.fill("air", oval(0, y, wide, wide * 0.95, 0, 0.05, draw))
    scene.fill("oesophagus", oval(4, y + 15, 9, 4.5, 0.02, 0.1, draw))
    if draw.chance(0.5):
        scene.fill("gas", oval(4, y + 15, 2.0, 0.8))


def _thyroid(scene: Scene) -> None:
    if not 0.36 < scene.height < 0.72:
        return
    draw = scene.person.stream("thyroid")
    size = draw.uniform(0.8, 1.3)
    for side in (1.0, -1.0):
        lobe = oval(17, -26, 7.5 * size, 13 * size, 0.04, 0.12, draw)
        scene.fill("thyroid", lobe if side > 0 else mirror(lobe))
        if draw.chance(0.3):
            node = oval(17, -26, 4, 4, 0, 0.2, draw)
            scene.fill("lesion", node if side > 0 else mirror(node))
    if 0.45 < scene.height < 0.6:
        scene.fill("thyroid", ribbon([(-15, -34), (0, -39), (15, -34)], 5.0))
