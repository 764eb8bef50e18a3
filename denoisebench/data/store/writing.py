"""Slices that have their place become the index, its thumbnails, and the record."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.dataset import digests_of
from denoisebench.data.fetch.known import recognise
from denoisebench.data.split import SPLITS
from denoisebench.data.store import layout
from denoisebench.data.store.layout import INDEX, SHARD_HEADER, Prepared
from denoisebench.data.store.placing import Found, Placement


def write_index(
    work: Path,
    place: Placement,
    thumbnails: NDArray[np.int16],
    counts: tuple[int, int],
    source: str,
) -> None:
    """Write all of prepared data but its shards, which are there.

    Args:
        work: the folder.
        place: where each slice stands.
        thumbnails: (N, 16, 16), by `Found.row`.
        counts: of files looked at, and of those that held slices.
        source: digest of the source, see `layout.Prepared`.
    """
    licences = sorted({one.licence for _, one in place.placed})
    index = _index(place.placed, licences)
    # Unknown positions come first; equal ones stand by their pixels, however files are named.
    where = np.where(np.isnan(index["position_mm"]), -np.inf, index["position_mm"])
    digest = np.array([one.facts.digest for _, one in place.placed])
    order = np.lexsort((digest, where, index["series"], index["patient"], index["split"]))
    index = index[order]
    rows = np.array([one.row for _, one in place.placed])[order]
    np.save(work / layout.INDEX_FILE, index)
    np.save(work / layout.THUMBNAILS, thumbnails[rows])
    whole, split = digests_of((name, one.facts.digest) for name, one in place.placed)
    of_split = [index[index["split"] == number] for number in range(len(SPLITS))]
    record = Prepared(
        name=recognise(whole, split) or f"folder-{whole[:8]}",
        digest=whole,
        split_digest=split,
        slices=_three(len(part) for part in of_split),
        patients=_three(len(np.unique(part["patient"])) for part in of_split),
        notes=tuple(place.notes),
        licences=tuple(licences),
        shards=_lengths(work),
        files=counts[0],
        accepted=counts[1],
        aside=tuple(sorted(place.aside, key=lambda aside: (aside.file, aside.frame))),
        source=source,
        index_digest=hashlib.sha256((work / layout.INDEX_FILE).read_bytes()).hexdigest(),
        made=date.today(),
    )
    (work / layout.RECORD).write_text(record.model_dump_json(indent=1), encoding="utf-8")


def _index(placed: Sequence[tuple[str, Found]], licences: Sequence[str]) -> NDArray[np.void]:
    digests = "".join(sorted(one.facts.digest for _, one in placed))
    key = hashlib.sha256(b"denoisebench-patient-key" + digests.encode()).digest()

    def pseudonym(text: str) -> bytes:
        message = text.encode("utf-8", "surrogateescape")
        return hmac.new(key, message, hashlib.sha256).hexdigest()[:12].encode()

    index = np.zeros(len(placed), INDEX)
    for row, (name, one) in enumerate(placed):
        facts = one.facts
        index[row] = (
            SPLITS.index(name),
            pseudonym(facts.patient_id),
            pseudonym(f"series:{facts.patient_id}:{facts.series_uid}"),
            np.nan if facts.position_mm is None else facts.position_mm,
            facts.spacing_mm,
            bytes.fromhex(facts.digest),
            one.shard,
            facts.offset,
            facts.rows,
            facts.columns,
            licences.index(one.licence),
        )
    return index


def _lengths(work: Path) -> tuple[int, ...]:
    """Return the number of values of each shard; 0 for one whose files held no slice."""
    there = sorted(work.glob("shard-*.npy"))
    count = int(there[-1].stem.removeprefix("shard-")) + 1
    paths = [work / layout.shard_name(number) for number in range(count)]
    return tuple(
        (path.stat().st_size - SHARD_HEADER) // 2 if path.exists() else 0 for path in paths
    )


def _three(counts: Iterable[int]) -> tuple[int, int, int]:
    train, val, test = counts
    return train, val, test
