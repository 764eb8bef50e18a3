"""log.jsonl: one line a report, without gap or repeat across resumes."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from denoisebench import atomic


@dataclass(frozen=True)
class Record:
    """A report of the loop.

    Attributes:
        step: steps done.
        progress: share of the budget that is spent, 0-1.
        seconds: of training so far, all sessions together.
        learning_rate: of the step just done.
        images_per_second: crops, since the last report.
        losses: each term by its label, unweighted, averaged since the last report.
        validation_psnr: of the weights that would be scored, in dB; None where not measured.
        health: how the game with the critic stands (see `health.Health`), where both are measured.
    """

    step: int
    progress: float
    seconds: float
    learning_rate: float
    images_per_second: float
    losses: dict[str, float]
    validation_psnr: float | None
    health: dict[str, Any] | None = None


_RECORD = TypeAdapter(Record)
Reporter = Callable[[Record], None]


def append(path: Path, record: Record) -> None:
    """Add a line; it is on the disk before a checkpoint that counts on it."""
    line = json.dumps(asdict(record), allow_nan=False) + "\n"
    with atomic.told(path), path.open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> list[Record]:
    """Read the log; a line that a crash left half-written, or that is none of ours, ends it."""
    records: list[Record] = []
    if path.exists():
        for line in path.read_bytes().splitlines():
            try:
                records.append(_RECORD.validate_json(line))
            except ValidationError:
                break
    return records


def cut(path: Path, step: int) -> None:
    """Drop the lines after `step`: a killed run had gone on past its checkpoint."""
    kept = [json.dumps(asdict(record)) + "\n" for record in read(path) if record.step <= step]
    atomic.write_text(path, "".join(kept))
