"""Prepared data: record, index, thumbnails and shard, each damaged in its turn."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np

from fuzzing.dicom import makers
from fuzzing.mutation import JSON_ONLY, changed_values, json_bytes, mutated
from fuzzing.target import Target, by_name, named, split


def seeds(folder: Path) -> list[bytes]:
    """Prepare six slices of three patients."""
    from denoisebench.data.store.prepare import prepare

    makers().patients(folder / "files", "abc")
    prepare(folder / "files", folder / "prepared", workers=0)
    return [named(path.name, path.read_bytes()) for path in sorted((folder / "prepared").iterdir())]


@by_name
def case(random: Random, name: str, known: Sequence[bytes]) -> bytes:
    """Mutate bytes, or values of the record."""
    if name.endswith("json") and random.random() < 0.7:
        return json_bytes(changed_values(random, json.loads(known[0]), JSON_ONLY))
    return mutated(random, known)


def reader(folder: Path) -> Callable[[bytes], None]:
    """Open prepared data, read every slice as training and scoring do, and verify it."""
    from denoisebench.data.store.opened import open_prepared
    from denoisebench.data.store.verify import verify_prepared

    sound, place = folder / "sound", folder / "place"
    shutil.rmtree(sound, ignore_errors=True)
    sound.mkdir()
    for file in map(split, map(Path.read_bytes, sorted((folder.parent / "seeds").iterdir()))):
        (sound / file[0]).write_bytes(file[1])

    def read(data: bytes) -> None:
        name, content = split(data)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(sound, place)
        (place / name).write_bytes(content)
        verified = verify_prepared(place)
        assert verified.right <= verified.slices
        dataset = open_prepared(place)
        for name in ("train", "val", "test"):
            dataset.patients(name)
            for one in dataset.slices(name):
                assert one.hu.dtype == np.int16
                assert one.hu.ndim == 2

    return read


TARGET = Target(seeds, case, reader)
