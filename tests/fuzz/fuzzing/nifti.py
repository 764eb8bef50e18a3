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

    shape = (64, 65, 3)
    hu = np.random.default_rng(0).integers(-1000, 1000, shape)
    affine = np.diag([0.7, 0.8, 2.5, 1.0])
    found = []
    for kind, order in (("i2", "<"), ("i2", ">"), ("f4", "<"), ("u1", "<"), ("f8", "<")):
        volume = nibabel.Nifti1Image(
            (hu % 256 if kind == "u1" else hu).astype(order + kind), affine
        )
        found.append(volume.to_bytes())
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
