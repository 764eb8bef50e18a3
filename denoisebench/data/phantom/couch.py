"""What is not the patient: the couch, its mattress, and the circle of reconstruction."""

import numpy as np

from denoisebench.data.phantom.body import skin_points
from denoisebench.data.phantom.curves import ribbon
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
        for a, b in zip(flat, flat[1:], strict=False):
            parts.append(ribbon([a, ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2), b], 1.8))
    scene.paint(scene.cover_stiff(*parts), "table", hu=hu)


def cut_circle(scene: Scene) -> None:
    """Pad what lies outside the circle of reconstruction, as some scanners do."""
    draw = scene.person.stream("circle")
    if not draw.chance(0.4):
        return
    side = np.arange(scene.size) + 0.5 - scene.size / 2.0
    square = side * side
    outside = square[:, None] + square[None, :] > (scene.size * scene.size) / 4.0
    scene.image[outside] = -1024.0
