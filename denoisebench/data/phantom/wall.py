"""The wall of the torso: muscles, the fat between them, and the ring that holds the ribs."""

import numpy as np

from denoisebench.data.phantom.atlas_muscle import BACK, BUTTOCK, GAPS, OVALS, PLATES, THIGH
from denoisebench.data.phantom.body import Body, at_height, whole
from denoisebench.data.phantom.curves import closed, grow, mirror, ribbon
from denoisebench.data.phantom.painting import both_sides, streaks, wall_plates
from denoisebench.data.phantom.scene import Scene, intersect


def draw_wall(scene: Scene, body: Body) -> None:
    """Paint the muscles of neck, shoulders, chest, belly, back and hip."""
    scene.limit = body.inside
    _bed(scene)
    scene.fill("visceral fat", *both_sides(scene, GAPS, 0.2), broken=True)
    _ring(scene, body)
    share = 0.25 + 0.7 * (1.0 - scene.person.muscle) * (0.4 + 0.6 * scene.person.age)
    plates = wall_plates(scene, body, PLATES)
    muscles = both_sides(scene, OVALS, 0.16)
    for name, curves in (("plates", plates), ("ovals", muscles)):
        # fascia: a dark seam of fat round each muscle, painted before the muscle itself;
        # left and right lie one after the other and never overlap
        for left, right in zip(curves[::2], curves[1::2], strict=True):
            seam = 0.72 if name == "ovals" else 0.5
            both = (grow(left, 1.2), grow(right, 1.2))
            scene.fill("visceral fat", *both, amount=seam, broken=True)
            scene.fill("muscle", left, right)
        if curves:
            mask = scene.cover(*curves)
            dense = share if name == "ovals" else 0.4 * share
            streaks(scene, name, curves, intersect(mask, body.inside), dense)
    scene.limit = None


def _bed(scene: Scene) -> None:
    """Fill neck, back, buttocks and thighs with muscle; the seams come on top."""
    height = scene.height
    waste = 2.5 * (1.0 - scene.person.muscle) - 1.0
    beds = []
    if height < 3.4:
        beds.append(closed(whole(at_height(BACK, height))))
    for table in (BUTTOCK, THIGH):
        if height > table[0][0]:
            left = closed(at_height(table, height))
            beds += [left, mirror(left)]
    scene.fill("muscle", *[grow(bed, -waste) for bed in beds], offset=-4.0)


def _ring(scene: Scene, body: Body) -> None:
    """Draw the intercostal muscles, or the thin fascia under the belly's muscles."""
    if 0.84 < scene.height < 2.25:
        scene.fill("muscle", grow(body.cavity.curve, 9.0), offset=-6.0)
    elif 2.0 < scene.height < 3.35:
        scene.fill(
            "muscle", grow(body.cavity.curve, 1.4), amount=0.7 if scene.height < 2.4 else 0.35
        )
        apron = [
            ribbon(body.cavity.at(np.array(s), np.array([7.0, 8.5, 9.5])), 2.2)
            for s in ((0.09, 0.12, 0.15), (0.91, 0.88, 0.85))
        ]
        scene.fill("muscle", *apron, amount=0.8)
