"""A slice of a patient: where it lies, and everything that is drawn on it in order."""

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.phantom.abdomen import draw_abdomen
from denoisebench.data.phantom.body import draw_body
from denoisebench.data.phantom.chest import draw_chest
from denoisebench.data.phantom.couch import cut_circle, draw_arms, draw_couch, draw_gown
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
from denoisebench.errors import UsageError

LEVELS = ("neck", "chest", "abdomen", "pelvis")


def slice_height(patient: int, slice_index: int, slices: int) -> float:
    """Return where a slice lies: 0 is the top of the neck, 4 the end of the pelvis."""
    if slices < 1 or not 0 <= slice_index < slices:
        raise UsageError(f"no slice {slice_index} among {slices}; slices are 0 to {slices - 1}")
    draw = make_person(patient).stream("heights", slices, slice_index)
    return (slice_index + draw.uniform(0.06, 0.94)) * len(LEVELS) / slices


def level(patient: int, slice_index: int, slices: int = 4) -> str:
    """Return the name of a slice's level, one of `LEVELS`."""
    return LEVELS[int(slice_height(patient, slice_index, slices))]


def spacing_mm(patient: int, size: int = 512) -> tuple[float, float]:
    """Return the distance of rows and of columns in a patient's slices."""
    pixel = make_person(patient).pixel_mm * 512.0 / size
    return pixel, pixel


def draw(patient: int, slice_index: int, *, slices: int = 4, size: int = 512) -> NDArray[np.int16]:
    """Draw one slice: a noise-free truth with the fine texture of the tissues.

    Args:
        patient: any integer from 0 up; the patient is a function of it.
        slice_index: 0 is nearest to the head.
        slices: how many slices are spread over neck, chest, abdomen and pelvis.
        size: side of the image, pixels; the field of view stays the same.

    Returns:
        (size, size) HU.

    Raises:
        UsageError: the slice is not among them, the size is below 64, the patient below 0.
    """
    if size < 64:
        raise UsageError(f"a phantom slice needs a size of at least 64, got {size}")
    scene = Scene(make_person(patient), slice_height(patient, slice_index, slices), size)
    _draw_everything(scene)
    scene.image = blur(scene.image, scene.person.near, scene.person.far)
    cut_circle(scene)
    clipped = np.clip(np.rint(scene.image), -1024.0, 3071.0)
    return np.ascontiguousarray(clipped.astype(np.int16))


def _draw_everything(scene: Scene) -> None:
    """Paint from the outside in and from the soft to the hard."""
    draw_couch(scene)
    draw_arms(scene)
    draw_gown(scene)
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
