"""The picture while it is drawn: millimetres to pixels, tissue onto the canvas."""

import numpy as np

from denoisebench.data.phantom import raster
from denoisebench.data.phantom.curves import Curve, direction, wave
from denoisebench.data.phantom.person import Person
from denoisebench.data.phantom.randomness import Stream
from denoisebench.data.phantom.raster import EMPTY, Grey, Mask
from denoisebench.data.phantom.texture import field
from denoisebench.data.phantom.tissue import TISSUES, Tissue

# structure sizes of the four texture fields, mm between lattice points
_PITCHES_MM = (1.0, 2.3, 6.0, 26.0)


class Scene:
    """One slice of one patient.

    Attributes:
        person: the patient.
        height: 0 top of the neck, 1 top of the chest, 2 of the abdomen, 3 of the pelvis, 4 its end.
        size: side of the image, pixels.
        image: (size, size) HU, float32.
        limit: where set, nothing is painted outside it.
    """

    def __init__(self, person: Person, height: float, size: int) -> None:
        self.person = person
        self.height = height
        self.size = size
        self.image: Grey = np.full((size, size), -1000.0, dtype=np.float32)
        self.pixel_mm = person.pixel_mm * 512.0 / size
        self._waves = person.stream("warp").uniforms(16)
        frame = person.stream("frame")
        self._tilt = direction(frame.bell(0.0, 0.006))
        self._shift = (frame.bell(0.0, 7.0), frame.bell(0.0, 9.0))
        self.limit: Mask | None = None
        self._grains: list[Grey] = []
        self._make_texture()

    def stream(self, *names: object) -> Stream:
        """Return the random numbers of a named thing in this slice."""
        return self.person.stream(round(self.height * 4096), *names)

    def _make_texture(self) -> None:
        for order, pitch_mm in enumerate(_PITCHES_MM):
            pitch = pitch_mm / self.pixel_mm
            coarse = max(pitch, 1.0)
            grain = field(self.stream("texture", order), self.size, coarse, coarse)
            weight = min(pitch, 1.0) * (self.person.grain if order == 0 else 1.0)
            self._grains.append(grain * np.float32(weight))

    def pixels(self, curve: Curve, smooth: bool = False) -> Curve:
        """Return a curve of the atlas, in mm, as this patient's, in pixels.

        Args:
            curve: in the atlas.
            smooth: leave out the bends of a few millimetres, for the skin.
        """
        w = self._waves
        x, y = curve[:, 0], curve[:, 1]
        h = self.height * 0.35
        across = wave(y * 0.0075 + (w[0] + h * w[1])) * 3.5 + wave(x * 0.011 + w[2] + y * 0.004) * 2
        along = wave(x * 0.0068 + (w[3] + h * w[4])) * 3.5 + wave(y * 0.012 + w[5] - x * 0.005) * 2
        if not smooth:
            across += wave(y * 0.043 + x * 0.017 + w[6]) * 0.6
            across += wave(x * 0.09 + y * 0.06 + w[7]) * 0.2
            along += wave(x * 0.047 - y * 0.013 + w[8]) * 0.6
            along += wave(y * 0.08 - x * 0.07 + w[9]) * 0.2
        x = (x + across) * self.person.width
        y = (y + along) * self.person.depth
        cosine, sine = self._tilt
        placed = np.empty_like(curve)
        middle = self.size / 2.0
        placed[:, 0] = (x * cosine - y * sine + self._shift[0]) / self.pixel_mm + middle
        placed[:, 1] = (x * sine + y * cosine + self._shift[1]) / self.pixel_mm + middle
        return placed

    def cover_smooth(self, *curves: Curve) -> Mask:
        """Return the coverage of the union of closed curves in mm, without fine bends."""
        return raster.cover([self.pixels(curve, smooth=True) for curve in curves], self.size)

    def cover_stiff(self, *curves: Curve) -> Mask:
        """Return the coverage of curves that are no part of the patient: not bent, not turned."""
        middle = self.size / 2.0 + np.array(self._shift) / self.pixel_mm
        return raster.cover([curve / self.pixel_mm + middle for curve in curves], self.size)

    def cover(self, *curves: Curve) -> Mask:
        """Return the coverage of the union of closed curves given in mm."""
        if not curves:
            return EMPTY
        sizes = [len(curve) for curve in curves]
        placed = self.pixels(np.concatenate(curves) if len(curves) > 1 else curves[0])
        parts, start = [], 0
        for size in sizes:
            parts.append(placed[start : start + size])
            start += size
        return raster.cover(parts, self.size)

    def grain(self, mask: Mask, tissue: Tissue) -> Grey:
        """Return a tissue's texture for the box of a mask, HU."""
        amounts = tissue.texture
        total: Grey = self._grains[0][mask.box] * np.float32(amounts[0])
        for grain, amount in zip(self._grains[1:], amounts[1:], strict=True):
            total += grain[mask.box] * np.float32(amount)
        if tissue.marbling > 0.0:
            fat = self._grains[1][mask.box] + self._grains[2][mask.box]
            fat -= np.float32(3.8 - 2.2 * (1.0 - self.person.muscle))
            total -= np.maximum(fat, np.float32(0.0)) * np.float32(tissue.marbling)
        return total

    def paint(
        self,
        mask: Mask,
        tissue: str,
        *,
        hu: float | None = None,
        offset: float = 0.0,
        amount: float = 1.0,
        broken: bool = False,
        within: Mask | None = None,
    ) -> None:
        """Lay a tissue over what is there.

        Args:
            mask: where.
            tissue: name in `TISSUES`, for the texture and, unless hu is given, the CT number.
            hu: another CT number.
            offset: added to the CT number.
            amount: opacity; below 1 for structures thinner than the slice.
            broken: let it fade in and out over some millimetres, as thin fat planes do.
            within: paint inside this mask only.
        """
        if within is None:
            within = self.limit
        if within is not None:
            mask = intersect(mask, within)
        if mask.empty:
            return
        value = (self.person.hu[tissue] if hu is None else hu) + offset
        target = self.image[mask.box]
        change = self.grain(mask, TISSUES[tissue])
        change += np.float32(value)
        change -= target
        change *= mask.cover
        if amount != 1.0:
            change *= np.float32(amount)
        if broken:
            fade = self._grains[2][mask.box] * np.float32(0.22) + np.float32(0.6)
            change *= np.minimum(np.maximum(fade, np.float32(0.0)), np.float32(1.0))
        target += change

    def fill(
        self,
        tissue: str,
        *curves: Curve,
        hu: float | None = None,
        offset: float = 0.0,
        amount: float = 1.0,
        broken: bool = False,
        within: Mask | None = None,
    ) -> Mask:
        """Paint the union of closed curves and return its coverage."""
        mask = self.cover(*curves)
        self.paint(mask, tissue, hu=hu, offset=offset, amount=amount, broken=broken, within=within)
        return mask


def intersect(a: Mask, b: Mask) -> Mask:
    """Return the product of two coverages."""
    top, left = (max(a.box[i].start, b.box[i].start) for i in (0, 1))
    bottom, right = (min(a.box[i].stop, b.box[i].stop) for i in (0, 1))
    if bottom <= top or right <= left:
        return EMPTY
    return Mask(
        (slice(top, bottom), slice(left, right)),
        _part(a, top, bottom, left, right) * _part(b, top, bottom, left, right),
    )


def _part(mask: Mask, top: int, bottom: int, left: int, right: int) -> Grey:
    row, column = mask.box[0].start, mask.box[1].start
    return mask.cover[top - row : bottom - row, left - column : right - column]
