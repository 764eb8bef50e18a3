"""What is not the trunk: couch, gown, arms, and the circle of reconstruction."""

from itertools import pairwise

import numpy as np

from denoisebench.data.phantom.body import skin_points
from denoisebench.data.phantom.curves import (
    Contour,
    direction,
    grow,
    move,
    oval,
    ribbon,
    rounded,
    wave,
)
from denoisebench.data.phantom.scene import Scene


def draw_couch(scene: Scene) -> None:
    """Draw the couch under the back: a shallow curved shell, single or double."""
    draw = scene.person.stream("couch")
    back = max(float(skin_points(scene.person, h)[1][:, 1].max()) for h in (1.3, 2.6, 3.7))
    back = back * scene.person.depth + draw.uniform(3, 26)
    half, sag = draw.uniform(190, 245), draw.uniform(8, 26)
    shape = [
        (-1.0, 0.0),
        (-0.66, 0.56),
        (-0.33, 0.89),
        (0.0, 1.0),
        (0.33, 0.89),
        (0.66, 0.56),
        (1.0, 0.0),
    ]
    upper = [(x * half, back - sag + y * sag) for x, y in shape]
    kind = draw.choice(("thin", "double", "trough", "bright"))
    hu = {"thin": -40.0, "double": 90.0, "trough": 260.0, "bright": 420.0}[kind]
    parts = [ribbon(upper, draw.uniform(2.0, 3.4))]
    if kind in ("double", "thin"):
        lower = [
            (x * half, y + draw.uniform(18, 24) * (1.0 - 0.4 * abs(x)))
            for x, y in [(x, back - sag + y * sag) for x, y in shape]
        ]
        parts.append(ribbon(lower, 2.0))
    elif kind == "trough":
        floor = back + draw.uniform(38, 52)
        flat = [
            (-half, back - sag),
            (-half * 0.45, floor),
            (half * 0.45, floor),
            (half, back - sag),
        ]
        for a, b in pairwise(flat):
            parts.append(ribbon([a, ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2), b], 1.8))
    if kind in ("double", "thin"):
        filling = np.array(upper + lower[::-1], dtype=np.float64)
        scene.paint(scene.cover_stiff(filling), "foam")
    scene.paint(scene.cover_stiff(*parts), "table", hu=hu)


def draw_gown(scene: Scene) -> None:
    """Draw what lies on the skin: a fold of a gown or blanket, seen in lung windows only."""
    draw = scene.stream("gown")
    skin = Contour(rounded(skin_points(scene.person, scene.height)[1]))
    steps = np.arange(41) / 40.0
    for _ in range(draw.integer(0, 2)):
        s0, span = draw.uniform(-0.3, 0.0), draw.uniform(0.2, 0.5)
        depth = draw.uniform(1, 5) + 6.0 * (wave(steps * draw.uniform(1, 4)) + 1.0)
        line = skin.at(s0 + span * steps, depth)
        scene.fill("foam", ribbon(line, draw.uniform(1.0, 1.8), 2), hu=-890.0)


def draw_arms(scene: Scene) -> None:
    """Draw the arms beside the trunk of patients who keep them down."""
    person, height = scene.person, scene.height
    if person.arms_up or not 1.02 < height < 3.3:
        return
    draw = person.stream("arms")
    x = float(skin_points(person, height)[1][:, 0].max())
    low = height > 2.3
    for side in (1.0, -1.0):
        size = (34.0 if low else 42.0) + 0.35 * person.fat_mm
        middle = (side * (x + size + draw.uniform(2, 16)), draw.uniform(0, 26))
        skin = oval(0, 0, size, size * draw.uniform(0.9, 1.15), draw.uniform(), 0.08, draw)
        layers = [skin, grow(skin, -1.6), grow(skin, -3.0 - 0.3 * person.fat_mm)]
        for curve, tissue in zip(layers, ("skin", "fat", "muscle"), strict=True):
            scene.fill(tissue, move(curve, *middle))
        limb = move(layers[2], *middle)
        mask = scene.cover(limb)
        for turns in (0.05, 0.21, 0.4):
            c, s = direction(turns + draw.uniform(0, 0.1))
            bend = (middle[0] + s * 5, middle[1] - c * 5)
            ends = [(middle[0] + c * k * size, middle[1] + s * k * size) for k in (-0.8, 0.8)]
            seam = ribbon([ends[0], bend, ends[1]], 1.6)
            scene.fill("visceral fat", seam, broken=True, within=mask)
        spots = ((-8.0, 3.0, 8.0), (11.0, -4.0, 7.0)) if low else ((0.0, 0.0, 11.5),)
        bones = [oval(middle[0] + dx, middle[1] + dy, r, r, 0, 0.08, draw) for dx, dy, r in spots]
        scene.fill("cortex", *bones)
        scene.fill("yellow marrow", *[grow(bone, -3.4) for bone in bones])


def cut_circle(scene: Scene) -> None:
    """Pad what lies outside the circle of reconstruction, as some scanners do."""
    draw = scene.person.stream("circle")
    if not draw.chance(0.4):
        return
    side = np.arange(scene.size) + 0.5 - scene.size / 2.0
    square = side * side
    outside = square[:, None] + square[None, :] > (scene.size * scene.size) / 4.0
    scene.image[outside] = -1024.0
