"""Who a patient is: what stays the same from slice to slice."""

from dataclasses import dataclass, field
from functools import lru_cache

from denoisebench.data.phantom.randomness import Stream
from denoisebench.data.phantom.tissue import TISSUES
from denoisebench.errors import UsageError

PHASES = ("plain", "plain", "plain", "arterial", "arterial", "portal", "portal", "portal")


@dataclass(frozen=True)
class Person:
    """The traits of one patient.

    Attributes:
        number: the seed.
        female: sex, for breasts and pelvic organs.
        phase: plain, arterial or portal.
        width, depth: scale of the skeleton across and front to back; 1 is the atlas.
        fat_mm: mean thickness of the subcutaneous fat.
        visceral: how much fat there is between the organs, 0 to 1.
        muscle: how much of the muscle is left, 0 to 1; the rest is fat strands.
        age: 0 to 1: calcium, thin cortex, bony spurs.
        arms_up: whether the arms are out of the torso's slices.
        pixel_mm: side of a pixel at 512 x 512.
        near, far: the reconstruction kernel, weights of neighbours in the blur.
        grain: scale of the fine texture.
        hu: the patient's CT number of each tissue.
    """

    number: int
    female: bool
    phase: str
    width: float
    depth: float
    fat_mm: float
    visceral: float
    muscle: float
    age: float
    arms_up: bool
    pixel_mm: float
    near: float
    far: float
    grain: float
    hu: dict[str, float] = field(repr=False)

    def stream(self, *names: object) -> Stream:
        """Return the random numbers of a named thing in this patient."""
        return Stream("phantom-1", self.number, *names)


@lru_cache(maxsize=64)
def make_person(number: int) -> Person:
    """Draw a patient's traits from its seed."""
    if number < 0:
        raise UsageError(f"a phantom patient is an integer from 0 up, got {number}")
    draw = Stream("phantom-1", number, "person")
    female = draw.chance(0.46)
    lean = 0.95 if female else 1.0
    width, depth = draw.bell(lean, 0.055), draw.bell(lean * 1.09, 0.06)
    fat = draw.uniform()
    fat_mm = (8.0 if female else 5.0) + 24.0 * fat * fat * (1.2 if female else 0.8)
    phase = draw.choice(PHASES)
    field_of_view = (322.0 * width + 2.0 * fat_mm) * draw.uniform(0.96, 1.16) + 6.0
    near = draw.uniform(0.13, 0.235)
    far = draw.uniform(-0.035, 0.02)
    return Person(
        number=number,
        female=female,
        phase=phase,
        width=width,
        depth=depth,
        fat_mm=fat_mm,
        visceral=min(max(draw.bell(0.25 + 0.5 * fat, 0.2), 0.0), 1.0),
        muscle=draw.uniform(),
        age=draw.uniform(),
        arms_up=draw.chance(0.74),
        pixel_mm=field_of_view / 512.0,
        near=near,
        far=far,
        grain=draw.uniform(1.5, 2.6),
        hu=_numbers(number, phase),
    )


def _numbers(number: int, phase: str) -> dict[str, float]:
    hu: dict[str, float] = {}
    for name, tissue in TISSUES.items():
        low, high = tissue.plain
        if phase == "arterial" and tissue.arterial is not None:
            low, high = tissue.arterial
        if phase == "portal" and tissue.portal is not None:
            low, high = tissue.portal
        hu[name] = Stream("phantom-1", number, "hu", name).uniform(low, high)
    return hu
