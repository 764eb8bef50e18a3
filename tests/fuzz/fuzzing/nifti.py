"""NIfTI volumes: mutants of header and voxels."""

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np

from fuzzing.dicom import valid
from fuzzing.mutation import mutated
from fuzzing.target import Target

HEADER = 352  # bytes


def seeds(folder: Path) -> list[bytes]:
    """Make volumes of several types and orders."""
    import nibabel

    hu = np.random.default_rng(0).integers(-100, 100, (64, 65, 3))
    hu[:30] = -1000  # a body in air
    affine = np.diag([0.7, 0.8, 2.5, 1.0])
    found = [nibabel.Nifti2Image(hu.astype("<i2"), affine).to_bytes()]
    for kind in ("<i2", ">i2", "<f4", "<f8", "<i4"):
        header = nibabel.Nifti1Header(endianness=kind[0])
        found.append(nibabel.Nifti1Image(hu.astype(kind), affine, header, dtype=kind).to_bytes())
    return found


def case(random: Random, known: Sequence[bytes]) -> bytes:
    """Mutate the header more often than the voxels; some are compressed."""
    data = random.choice(known)
    if random.random() < 0.7:
        data = mutated(random, [data[:HEADER]])[:HEADER] + data[HEADER:]
    else:
        data = mutated(random, [data])
    kind = random.randrange(4)
    if kind == 0:
        return gzip.compress(data, mtime=0)
    return mutated(random, [gzip.compress(data, mtime=0)]) if kind == 1 else data


def reader(folder: Path) -> Callable[[bytes], None]:
    """Read a volume as intake does."""
    from denoisebench.data.intake.nifti import read

    def reads(data: bytes) -> None:
        place = folder / ("volume.nii.gz" if data[:2] == b"\x1f\x8b" else "volume.nii")
        place.write_bytes(data)
        for raw in read(place):
            valid(raw)

    return reads


TARGET = Target(seeds, case, reader)
