"""What a child process that reads files does: pixels go into a shard, facts go back.

A child writes pixels itself, at the place it is told; what it answers is JSON, a line a file, so
that a child that a file took over sends no code, and its parent never holds a pixel.
"""

import base64
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from denoisebench import atomic
from denoisebench.data.intake import dicom, nifti
from denoisebench.data.intake.raw import NotCT, Raw
from denoisebench.data.leaks import thumbnail
from denoisebench.errors import Unavailable, UsageError


@dataclass(frozen=True, slots=True)
class Facts:
    """One slice without its pixels; who and which are the file's own and stay in this process.

    Attributes:
        patient_id, series_uid, frame, position_mm, spacing_mm, thickness_mm, digest: see
            `raw.Raw`.
        rows, columns: its size.
        offset: where in its shard the pixels begin, in bytes; 0 where none was asked for.
        thumbnail: see `leaks.thumbnail`; bytes in base64.
    """

    patient_id: str
    series_uid: str
    frame: int
    position_mm: float | None
    spacing_mm: tuple[float, float]
    thickness_mm: float
    digest: str
    rows: int
    columns: int
    offset: int
    thumbnail: str = ""

    @property
    def end(self) -> int:
        """Where in the shard its pixels end, in bytes."""
        return self.offset + 2 * self.rows * self.columns


Answer = list[Facts] | str  # the slices of a file, or the reason why there are none


@dataclass(frozen=True)
class Batch:
    """Files that one child reads one after the other.

    Attributes:
        paths: relative to the folder.
        shard: the file that takes their pixels, one slice after the other; None for nowhere.
        start: bytes at the shard's beginning that are left alone.
        who: answer patient_id and series_uid alone, one for each file, from its header.
    """

    paths: Sequence[str]
    shard: Path | None = None
    start: int = 0
    who: bool = False


def serve() -> None:
    """Answer batches on stdin, a line a file on stdout, until stdin ends: a child's whole life."""
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # C libraries print where they like
    os.dup2(nowhere, 2)
    _send(out, {"slices": []})
    for line in sys.stdin.buffer:
        folder, paths, shard, end, who = json.loads(line)
        batch = Batch(paths, None if shard is None else Path(shard), end, who)
        try:
            for answer in read_batch(Path(folder), batch):
                if isinstance(answer, str):
                    _send(out, {"reason": answer})
                else:
                    _send(out, {"slices": [asdict(facts) for facts in answer]})
        except (Unavailable, UsageError) as problem:
            _send(out, {"full": str(problem)})


def _send(pipe: IO[bytes], answer: object) -> None:
    pipe.write(json.dumps(answer).encode() + b"\n")
    pipe.flush()


def read_batch(folder: Path, batch: Batch) -> Iterator[Answer]:
    """Read a batch's files: an answer each.

    Raises:
        Unavailable: the shard cannot be written.
    """
    with contextlib.ExitStack() as stack:
        pixels: FileIO | None = None
        end = batch.start
        if batch.shard is not None:
            with atomic.told(batch.shard):
                pixels = stack.enter_context(open(batch.shard, "r+b", 0, opener=_private))
                pixels.truncate(end)
                pixels.seek(end)
        for path in batch.paths:
            if batch.who:
                who = ("", "") if _is_nifti(Path(path)) else dicom.identity(folder / path)
                yield [Facts(*who, 1, None, (0, 0), 0, "", 0, 0, 0)]
                continue
            answer = _answer(folder / path, pixels, end)
            if not isinstance(answer, str) and answer:
                end = answer[-1].end
            yield answer


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o600)


def _answer(path: Path, pixels: FileIO | None, end: int) -> Answer:
    found: list[Facts] = []
    try:
        for raw in (nifti if _is_nifti(path) else dicom).slices(path):
            facts = _facts(raw, end)
            if pixels is not None:
                with atomic.told(Path(str(pixels.name))):
                    _append(pixels, raw.hu)
                end = facts.end
            found.append(facts)
    except NotCT as refusal:
        if pixels is not None and found:
            with atomic.told(Path(str(pixels.name))):
                pixels.truncate(found[0].offset)
                pixels.seek(found[0].offset)
        return refusal.reason
    return found


def _append(pixels: FileIO, hu: NDArray[np.int16]) -> None:
    """Write without a buffer, which a full disk would make fail again when it is closed."""
    left = np.ascontiguousarray(hu, "<i2").data.cast("B")
    while left:
        left = left[pixels.write(left) :]


def _is_nifti(path: Path) -> bool:
    return path.name.lower().endswith((".nii", ".nii.gz"))


def _facts(raw: Raw, offset: int) -> Facts:
    rows, columns = raw.hu.shape
    return Facts(
        raw.patient_id, raw.series_uid, raw.frame, raw.position_mm, raw.spacing_mm,
        raw.thickness_mm, raw.digest, rows, columns, offset,
        base64.b64encode(thumbnail(raw.hu).astype("<i2").tobytes()).decode(),
    )  # fmt: skip
