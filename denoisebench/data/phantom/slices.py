"""A slice of a patient: where it lies, and everything that is drawn on it in order."""

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.phantom.abdomen import draw_abdomen
from denoisebench.data.phantom.body import draw_body
from denoisebench.data.phantom.chest import draw_chest
from denoisebench.data.phantom.couch import cut_circle, draw_couch
from denoisebench.data.phantom.neck import draw_neck
from denoisebench.data.phantom.pelvis import draw_pelvis
from denoisebench.data.phantom.person import make_person
from denoisebench.data.phantom.scene import Scene
from denoisebench.data.phantom.skeleton import (
    draw_breastbone,
    draw_ribs,
    draw_shoulders,
    draw_vertebra,
)
from denoisebench.data.phantom.texture import blur
from denoisebench.data.phantom.wall import draw_wall

LEVELS = ("neck", "chest", "abdomen", "pelvis")


def slice_height(patient: int, slice_index: int, slices: int) -> float:
    """Return where a slice lies: 0 is the top of the neck, 4 the end of the pelvis."""
    draw = make_person(patient).stream("heights", slices, slice_index)
    return (slice_index + draw.uniform(0.06, 0.94)) * len(LEVELS) / slices


def level(patient: int, slice_index: int, slices: int = 4) -> str:
    """Return the name of a slice's level."""
    return LEVELS[int(slice_height(patient, slice_index, slices))]


def spacing_mm(patient: int, size: int = 512) -> tuple[float, float]:
    """Return the distance of rows and of columns in a patient's slices."""
    pixel = make_person(patient).pixel_mm * 512.0 / size
    return pixel, pixel


def draw(patient: int, slice_index: int, *, slices: int = 4, size: int = 512) -> NDArray[np.int16]:
    """Draw one slice."""
    person = make_person(patient)
    scene = Scene(person, slice_height(patient, slice_index, slices), size)
    draw_couch(scene)
    body = draw_body(scene)
    draw_wall(scene, body)
    draw_neck(scene, body)
    draw_chest(scene, body)
    draw_abdomen(scene, body)
    scene.limit = body.inside
    draw_ribs(scene, body)
    draw_breastbone(scene, body)
    draw_shoulders(scene)
    draw_vertebra(scene)
    scene.limit = None
    draw_pelvis(scene, body)
    image = blur(scene.image, person.near, person.far)
    scene.image = image
    cut_circle(scene)
    clipped = np.clip(np.rint(image), -1024.0, 3071.0)
    return np.ascontiguousarray(clipped.astype(np.int16))
