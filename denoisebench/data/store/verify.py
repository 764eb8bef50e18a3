"""Data held against its digests, and its splits against each other."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.intake import manifest
from denoisebench.data.intake.folder import shown
from denoisebench.data.intake.readers import Progress, read_files
from denoisebench.data.leaks import SIDE, near_copies
from denoisebench.data.scan import digest_of
from denoisebench.data.split import SPLITS
from denoisebench.data.store import layout
from denoisebench.data.store.layout import SHARD_HEADER, Prepared
from denoisebench.data.store.mapped import Mapped
from denoisebench.data.store.opened import mapped_slices
from denoisebench.errors import UsageError
from denoisebench.workers import cores


@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
        slices: how many were held against a digest.
        right: how many equal it.
        problems: the rest, a sentence each, without a name.
    """

    slices: int
    right: int
    problems: tuple[str, ...] = ()


def verify_files(folder: Path, progress: Progress | None = None) -> Verified:
    """Read a folder's files anew, and hold their slices against `pixel_sha256` of its manifest.

    Raises:
        UsageError: no manifest, or none of its lines has a digest.
    """
    if not (folder / manifest.NAME).is_file():
        raise UsageError(
            f"'{folder}' has no {manifest.NAME} to hold it against; "
            "denoisebench data prepare keeps digests of any folder, and then they are verified"
        )
    rows = [row for row in manifest.read_manifest(folder) if row.digest]
    if not rows:
        raise UsageError(f"{manifest.NAME} of '{folder}' has no column pixel_sha256 to check")
    answers = read_files(folder, [row.path for row in rows], progress=progress)
    problems = []
    for row, answer in zip(rows, answers, strict=True):
        where = f"{manifest.NAME}, line {row.line}: '{shown(row.path)}'"
        if isinstance(answer, str):
            problems.append(f"{where} cannot be read: {answer}")
        elif row.digest not in {one.digest for one in answer if row.frame in (None, one.frame)}:
            problems.append(f"{where} has other pixels")
    return Verified(len(rows), len(rows) - len(problems), tuple(problems))


def verify_prepared(folder: Path, progress: Progress | None = None) -> Verified:
    """Hold all pixels of prepared data against the index, the index against the record.

    Raises:
        UsageError: so damaged that it cannot be opened.
    """
    record = layout.read_record(folder)
    problems = [*_files(folder, record)]
    total, right = sum(record.slices), 0
    mapped = {name: mapped_slices(folder, record, name) for name in SPLITS}
    places = [(name, place) for name, slices in mapped.items() for place in range(len(slices))]

    def wrong(where: tuple[str, int]) -> str | None:
        name, place = where
        slices = mapped[name]
        row = slices.table[slices.rows[place]]
        try:
            if digest_of(slices.pixels(row)) == row["digest"].tobytes().hex():
                return None
            reason = "has other pixels than its digest"
        except UsageError as problem:
            reason = f"cannot be read: {problem}"
        return f"slice {place + 1} of {name} ({layout.shard_name(row['shard'])}) {reason}"

    with ThreadPoolExecutor(cores()) as pool:  # hashing lets other threads run
        for done, problem in enumerate(pool.map(wrong, places, chunksize=64), 1):
            right += problem is None
            problems += [problem] if problem else []
            if progress is not None:
                progress(done, total)
    if right == total:
        problems += _leaks(folder, record, mapped)
    return Verified(total, right, tuple(problems))


def _files(folder: Path, record: Prepared) -> list[str]:
    problems = []
    index = (folder / layout.INDEX_FILE).read_bytes()
    if hashlib.sha256(index).hexdigest() != record.index_digest:
        problems.append(f"{layout.INDEX_FILE} is not the one that {layout.RECORD} names")
    for number, length in enumerate(record.shards):
        path = folder / layout.shard_name(number)
        size = path.stat().st_size if path.exists() else 0
        if length and size != SHARD_HEADER + 2 * length:
            problems.append(f"{path.name} has {size} bytes, not {SHARD_HEADER + 2 * length}")
    return problems


def _leaks(folder: Path, record: Prepared, splits: dict[str, Mapped]) -> list[str]:
    problems = []
    table = splits["train"].table
    if not record.of_one_body:
        of = {name: set(slices.patients) for name, slices in splits.items()}
        problems = [
            f"{len(of[one] & of[other])} patients are in {one} and in {other}"
            for one, other in combinations(SPLITS, 2)
            if of[one] & of[other]
        ]
    thumbnails = layout.read_array(folder / layout.THUMBNAILS)
    if thumbnails.shape != (len(table), SIDE, SIDE) or thumbnails.dtype != np.dtype("<i2"):
        return [*problems, f"{layout.THUMBNAILS} does not fit the index"]

    def pixels(row: int) -> NDArray[np.int16]:
        return splits["train"].pixels(table[row])

    def where(row: int) -> str:
        return f"slice {row + 1} of the index, in {SPLITS[table['split'][row]]},"

    pairs = near_copies(thumbnails, table["split"], pixels)
    return problems + [
        f"{where(pair.first)} shows the same as {where(pair.second)[:-1]}" for pair in pairs
    ]
