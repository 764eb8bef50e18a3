"""A data set: slices in HU, split by patient, and digests of both.

Patients have pseudonyms: the first 12 hex digits of HMAC-SHA256 over the PatientID, under a key
made from the digests of all slices, train ones included. So whoever has the data computes the same
pseudonyms, on any machine and however the files are named; whoever has only results, which list
the digests of test slices at most, has no key and cannot try names out. One more slice gives every
patient another pseudonym, as it makes another data set.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from denoisebench.data.scan import SetAside, Slice
from denoisebench.data.split import SPLITS
from denoisebench.data.store.mapped import Mapped

__all__ = ["SPLITS", "DataSet", "digests_of", "spread"]


@dataclass(frozen=True, eq=False)
class DataSet:
    """Slices by split, in an order that file names do not change; equal digests, equal data.

    Attributes:
        name: what boards call it; never the folder's name, which may hold a patient's.
        notes: what a reader of scores should know about the split.
        set_aside: files not used, by path inside the folder.
        digests: `digest` and `split_digest` where they are known; computed otherwise.
    """

    name: str
    train: Sequence[Slice]
    val: Sequence[Slice]
    test: Sequence[Slice]
    notes: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    digests: tuple[str, str] | None = None

    def slices(self, split: str) -> Sequence[Slice]:
        """Return the slices of "train", "val" or "test"."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]

    def patients(self, split: str) -> tuple[str, ...]:
        """Return the pseudonyms of a split's patients, sorted."""
        slices = self.slices(split)
        if isinstance(slices, Mapped):
            return slices.patients
        return tuple(sorted({item.patient for item in slices}))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the sorted digests of all slices, in hex: the pixels, however split."""
        return (self.digests or self._digests())[0]

    @cached_property
    def split_digest(self) -> str:
        """SHA-256 over the sorted lines "split digest", in hex: pixels and split."""
        return (self.digests or self._digests())[1]

    def _digests(self) -> tuple[str, str]:
        return digests_of((name, one.digest) for name in SPLITS for one in self.slices(name))


def digests_of(slices: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Return digest and split digest of a data set from each slice's split and digest."""
    pairs = list(slices)
    return _sha256(sorted(digest for _, digest in pairs)), _sha256(
        sorted(f"{split} {digest}" for split, digest in pairs)
    )


def _sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def spread(slices: Sequence[Slice], count: int) -> list[Slice]:
    """Return at most `count` (two or more) at equal distances, from the first to the last."""
    if len(slices) <= count:
        return list(slices)
    return [slices[round(i * (len(slices) - 1) / (count - 1))] for i in range(count)]
