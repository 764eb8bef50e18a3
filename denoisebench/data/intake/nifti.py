"""One NIfTI file in, axial slices in HU out, or the reason why not.

NIfTI says neither modality nor unit nor patient, so HU are told from the values: whole numbers that
fit int16, and a plane with air around or within soft tissue. Planes come out as DICOM's axial ones
do: rows from anterior to posterior, columns from the patient's right to the left. Planes of one
value are padding of the volume and are left out. There is no PatientID: a manifest.csv names the
patient. Of the header, nibabel reads the fixed part; extensions are never looked at, and of texts
only whether one is our own.
"""

import gzip
import math
import struct
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.intake.header import DENOISED, LARGEST, SMALLEST, Objector, refuse
from denoisebench.data.intake.raw import NotCT, Raw, refusing, regular_size
from denoisebench.data.scan import digest_of

__all__ = ["NotCT", "Raw", "StoredVolume", "read", "read_stored", "slices"]

KIND = ("NIfTI", "nibabel.global")
MISSING = "NIfTI needs the extra nifti: pip install 'denoisebench[nifti]'"
GZIP = b"\x1f\x8b"
MAGIC = {348: b"n+1\0", 540: b"n+2\0\r\n\x1a\n"}  # by the size of the header: NIfTI-1, NIfTI-2
LABEL = 1002  # the intent of a label map
MOST_BYTES = 4 << 30  # of voxels; 1000 planes of 512² in float64 are 2 GiB
MOST_BEFORE = 64 << 20  # bytes of header and extensions before the voxels
MOST_EXPANSION = 1032  # of deflate
# What tells HU: air at -1000, soft tissue around 0. Of 236 slices of 9 collections, each has 28 %
# and more at AIR or below, and 77 % and more of the rest within SOFT; phase images of MR have 16 %.
AIR, SOFT = -500, 300
AIR_SHARE, SOFT_SHARE = 0.02, 2 / 3
MOST_LABELS = 150  # TotalSegmentator has 118; a plane of CT has hundreds of values
SQUARE = 1.2  # long side over short; CT has square pixels
WHOLE = 1e-3  # HU; float32 keeps 2.5e-4 at 3000 HU


@dataclass(frozen=True)
class Geometry:
    """How axial planes lie in the voxels.

    Attributes:
        plane, row, column: which voxel axis counts planes, rows and columns.
        flip_rows, flip_columns: voxels run from posterior to anterior, from left to right.
        first_mm, step_mm: position of plane 0 along its normal, and of each next from there.
        spacing_mm: between rows and between columns.
    """

    plane: int
    row: int
    column: int
    flip_rows: bool
    flip_columns: bool
    first_mm: float
    step_mm: float
    spacing_mm: tuple[float, float]


@dataclass(frozen=True)
class Volume:
    """A file's voxels as its header describes them, checked against its size."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    geometry: Geometry


@dataclass(frozen=True, eq=False)
class StoredVolume:
    """A file's voxels as they are stored, for who writes it back.

    Attributes:
        head: all bytes before the voxels: header and extensions.
        voxels: as the file orders them; the first axis runs fastest.
        slope, intercept: to HU.
    """

    head: bytes
    voxels: NDArray[Any]
    slope: float
    intercept: float
    geometry: Geometry

    def planes(self, voxels: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Yield views of axial planes, (rows, columns), from the first to the last of the file."""
        way = self.geometry
        for plane in np.moveaxis(voxels, (way.plane, way.row, way.column), (0, 1, 2)):
            yield _flipped(plane, way)


def read_stored(path: Path, object_to: Objector = refuse) -> StoredVolume:
    """Read a volume as it is stored; HU need not be whole.

    Args:
        path: of the file.
        object_to: told where its values, or the size of its planes, are not those of CT in HU.
    Raises:
        NotCT: it holds no volume whose scale and orientation are known.
    """
    with refusing(*KIND):
        size = regular_size(path)
        with open(path, "rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            source = cast(BinaryIO, gzip.GzipFile(fileobj=file) if packed else file)
            volume = _judged(source, size, packed, object_to)
            source.seek(0)
            head = _taken(source, volume.offset)
            data = _taken(source, math.prod(volume.shape) * volume.dtype.itemsize)
            _check_end(source)
        voxels = np.frombuffer(data, volume.dtype).reshape(volume.shape, order="F")
        found = StoredVolume(head, voxels, volume.slope, volume.intercept, volume.geometry)
        try:
            _check_values(volume, found.planes(voxels), whole=False)
        except NotCT as problem:
            object_to(problem.reason)
        return found


def read(path: Path) -> list[Raw]:
    """Read a file's slices in HU; a volume of 1000 planes of 512² takes 0.5 GiB.

    Raises:
        NotCT: it holds no CT in HU, or cannot be read.
    """
    return list(slices(path))


def slices(path: Path) -> Iterator[Raw]:
    """Yield a file's axial slices in HU, in the order of the file, one read at a time.

    Raises:
        NotCT: it holds no CT in HU, or cannot be read. Where a later plane is to blame, drop those
            that came before it: a file is taken as a whole.
    """
    with ExitStack() as stack:
        with refusing(*KIND):
            size = regular_size(path)
            file = stack.enter_context(open(path, "rb"))
            packed = file.read(2) == GZIP
            file.seek(0)
            source = cast(BinaryIO, gzip.GzipFile(fileobj=file) if packed else file)
            volume = _judged(source, size, packed)
            if packed and volume.geometry.plane != 2:
                room = stack.enter_context(tempfile.TemporaryFile())
                source = _unpacked(source, volume, room)
            _check_values(volume, _planes(volume, source))
            found = _raws(volume, source)
        while True:
            with refusing(*KIND):
                raw = next(found, None)
            if raw is None:
                return
            yield raw


def _judged(source: BinaryIO, size: int, packed: bool, object_to: Objector = refuse) -> Volume:
    """Read the header, and refuse what no CT says or what the file cannot hold."""
    header = _header(source)
    shape, dtype = _shape(header), header.get_data_dtype()
    if int(header["intent_code"]) == LABEL:
        raise NotCT("a label map, not HU")
    if dtype.kind not in "iuf" or dtype.names or dtype.itemsize > 8:
        raise NotCT("colour, complex or other voxels, not HU")
    if dtype.itemsize == 1:
        raise NotCT("8 bits a voxel: a mask or a picture; CT in HU has 16")
    offset = float(header["vox_offset"])
    least = header.sizeof_hdr + 4
    if not (offset.is_integer() and least <= offset <= MOST_BEFORE):
        raise NotCT("damaged NIfTI: its voxels do not start where a header ends")
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > MOST_BYTES:
        raise NotCT(f"more than {MOST_BYTES >> 30} GiB of voxels claimed")
    if claimed + offset > size * (MOST_EXPANSION if packed else 1):
        raise NotCT(f"truncated: {claimed} bytes of voxels claimed, {size} in the file")
    if header["descrip"].item().startswith(DENOISED.encode()):
        object_to(f"{DENOISED}: not a clean reference")
    slope, intercept = _scale(header)
    geometry = _geometry(header, shape)
    rows, columns = shape[geometry.row], shape[geometry.column]
    if min(rows, columns) < SMALLEST:
        object_to(f"{rows} × {columns} pixels, fewer than {SMALLEST} × {SMALLEST}")
    if max(rows, columns) > LARGEST:
        raise NotCT(f"{rows} × {columns} pixels claimed, more than {LARGEST} × {LARGEST}")
    return Volume(shape, dtype, int(offset), slope, intercept, geometry)


def _header(source: BinaryIO) -> Any:
    """Parse the fixed part of the header."""
    try:
        block = source.read(540)
    except EOFError:
        raise NotCT("truncated within its header") from None
    length = next(
        (size for size in MAGIC if struct.pack("<i", size) in (block[:4], block[3::-1])), 0
    )
    if not length:
        raise NotCT("not NIfTI")
    if len(block) < length:
        raise NotCT("truncated within its header")
    found = block[344:348] if length == 348 else block[4:12]
    if found == b"ni1\0" or found[:4] == b"ni2\0":
        raise NotCT("NIfTI whose voxels are in another file (.img); save both as one .nii")
    if found != MAGIC[length]:
        raise NotCT("not NIfTI")
    try:
        from nibabel import Nifti1Header, Nifti2Header
    except ImportError:
        raise NotCT(MISSING) from None
    kind = Nifti1Header if length == 348 else Nifti2Header
    return kind(block[:length], check=True)


def _shape(header: Any) -> tuple[int, int, int]:
    count, *sizes = (int(item) for item in header["dim"])
    if not 3 <= count <= 7 or min(sizes[:3]) < 1:
        raise NotCT("no volume of three dimensions")
    if any(size != 1 for size in sizes[3:count]):
        raise NotCT("several volumes or values a voxel; CT in HU has one")
    return sizes[0], sizes[1], sizes[2]


def _scale(header: Any) -> tuple[float, float]:
    """Return slope and intercept; slope 0 or NaN means none, as NIfTI says."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    if slope < 0 or not math.isfinite(intercept):
        raise NotCT("its scale is none that HU have: HU unknown")
    return slope, intercept


def _geometry(header: Any, shape: tuple[int, int, int]) -> Geometry:
    affine = _affine(header)
    # which way of the patient (right, anterior, head) each voxel axis runs most
    from nibabel.orientations import io_orientation

    ways = {int(way): (axis, sign > 0) for axis, (way, sign) in enumerate(io_orientation(affine))}
    (column, flip_columns), (row, flip_rows), (plane, _) = (ways[axis] for axis in range(3))
    across, down, along = (affine[:3, axis] for axis in (column, row, plane))
    normal = np.cross(across, down)
    normal /= np.linalg.norm(normal) * (1 if normal[2] > 0 else -1)  # towards the head
    # 45°: gantries tilt by 30° at most
    if not normal[2] >= math.sqrt(0.5):
        raise NotCT("oblique: its planes are more than 45° from axial")
    # six decimals: the header keeps float32, and 0.7 should be 0.7
    spacing = round(float(np.linalg.norm(down)), 6), round(float(np.linalg.norm(across)), 6)
    step = float(normal @ along)
    if min(*spacing, abs(step)) <= 0:
        raise NotCT("voxels without a size")
    if max(spacing) > SQUARE * min(spacing):
        raise NotCT("its axial pixels are not square: coronal or sagittal slices side by side")
    return Geometry(
        plane, row, column, flip_rows, flip_columns,
        float(normal @ affine[:3, 3]), step, spacing,
    )  # fmt: skip


def _affine(header: Any) -> NDArray[np.float64]:
    """Return the matrix from voxels to mm towards the patient's right, anterior and head."""
    from nibabel.orientations import aff2axcodes

    if header.get_xyzt_units()[0] not in ("mm", "unknown"):
        raise NotCT("voxel sizes not in mm")
    coded = [
        matrix
        for matrix, code in (header.get_sform(coded=True), header.get_qform(coded=True))
        if matrix is not None and code > 0
    ]
    if not coded:
        raise NotCT("no orientation: neither sform nor qform")
    for matrix in coded:
        if not (np.isfinite(matrix).all() and abs(np.linalg.det(matrix[:3, :3])) > 1e-9):
            raise NotCT("its orientation cannot be read")
    if len({aff2axcodes(matrix) for matrix in coded}) > 1:
        raise NotCT("two orientations that contradict each other (sform and qform)")
    return np.asarray(coded[0], np.float64)


def _unpacked(source: BinaryIO, volume: Volume, room: BinaryIO) -> BinaryIO:
    """Inflate into a file without a name: planes that lie across the file are read at random."""
    left = volume.offset + math.prod(volume.shape) * volume.dtype.itemsize
    source.seek(0)
    while left:
        part = _taken(source, min(left, 1 << 20))
        room.write(part)
        left -= len(part)
    _check_end(source)
    room.flush()
    return room


def _planes(volume: Volume, source: BinaryIO) -> Iterator[NDArray[Any]]:
    """Yield axial planes as stored, (rows, columns), from the first to the last of the file."""
    way = volume.geometry
    if way.plane != 2:
        voxels = np.memmap(source, volume.dtype, "r", volume.offset, volume.shape, "F")
        across = np.moveaxis(voxels, (way.plane, way.row, way.column), (0, 1, 2))
        for plane in across:
            yield _flipped(plane, way)
        return
    source.seek(volume.offset)
    size = volume.shape[0] * volume.shape[1] * volume.dtype.itemsize
    for _ in range(volume.shape[2]):
        stored = np.frombuffer(_taken(source, size), volume.dtype)
        # the first voxel axis runs fastest
        plane = stored.reshape(volume.shape[1], volume.shape[0])
        yield _flipped(plane if way.row == 1 else plane.T, way)
    _check_end(source)


def _flipped(plane: NDArray[Any], way: Geometry) -> NDArray[Any]:
    return plane[:: -1 if way.flip_rows else 1, :: -1 if way.flip_columns else 1]


def _taken(source: BinaryIO, size: int) -> bytes:
    try:
        data = source.read(size)
    except EOFError:
        raise NotCT("truncated: its compressed voxels have no end") from None
    if len(data) < size:
        raise NotCT("truncated within its voxels")
    return data


def _check_end(source: BinaryIO) -> None:
    """Make gzip compare its checksum, which it does at the end."""
    try:
        source.read(1)
    except EOFError:
        raise NotCT("truncated: its compressed voxels have no end") from None


def _hu(volume: Volume, stored: NDArray[Any], *, whole: bool = True) -> NDArray[np.int16]:
    """Return a plane in HU, C order; rounded, where they need not be whole.

    Raises:
        NotCT: values past int16, or floats that are no whole numbers.
    """
    scaled = stored * np.float64(volume.slope) + np.float64(volume.intercept)
    hu = np.rint(scaled)
    low, high = float(hu.min()), float(hu.max())  # NaN where there is one
    if not (low >= -32768 and high <= 32767):
        raise NotCT(f"values that cannot be HU: {low:.0f} to {high:.0f}")
    if whole and volume.dtype.kind == "f" and float(np.abs(scaled - hu).max()) > WHOLE:
        raise NotCT("no whole HU: a resampled or normalised volume is no clean reference")
    return np.ascontiguousarray(hu, np.int16)


def _check_values(volume: Volume, planes: Iterator[NDArray[Any]], *, whole: bool = True) -> None:
    """Look for a plane of air and soft tissue, which tell HU from labels, MR and grey levels."""
    low, high, labels = math.inf, -math.inf, set[int]()
    for stored in planes:
        hu = _hu(volume, stored, whole=whole)
        low, high = min(low, int(hu.min())), max(high, int(hu.max()))
        rest = hu[hu > AIR]
        if AIR_SHARE <= 1 - rest.size / hu.size < 1 and np.mean(abs(rest) <= SOFT) >= SOFT_SHARE:
            return
        if low >= 0 and len(labels) <= MOST_LABELS:
            labels.update(np.unique(hu).tolist())
    if low == high:
        raise NotCT(f"blank: every voxel is {low:.0f}")
    if low >= 0 and len(labels) <= MOST_LABELS:
        raise NotCT(f"a label map: {len(labels)} values from {low:.0f} to {high:.0f}, not HU")
    raise NotCT(f"values that cannot be told for HU: {low:.0f} to {high:.0f}, no air beside tissue")


def _raws(volume: Volume, source: BinaryIO) -> Iterator[Raw]:
    way = volume.geometry
    for index, stored in enumerate(_planes(volume, source)):
        hu = _hu(volume, stored)
        if hu.min() == hu.max():
            continue
        yield Raw(
            hu=hu,
            patient_id="",
            series_uid="",
            sop_uid="",
            frame=index + 1,
            position_mm=round(way.first_mm + index * way.step_mm, 4),
            spacing_mm=way.spacing_mm,
            thickness_mm=round(abs(way.step_mm), 4),
            digest=digest_of(hu),
        )
