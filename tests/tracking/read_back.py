"""Read what trackers wrote."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from denoisebench.training import log


def logged(folder: Path) -> list[log.Record]:
    return log.read(folder / "log.jsonl")


Curves = dict[str, list[tuple[int, float]]]


def tensorboard_curves(folder: Path) -> Curves:
    """Read curves as TensorBoard does; whatever stands twice is there twice."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(
        str(folder / "tensorboard"), size_guidance={"scalars": 0}, purge_orphaned_data=False
    ).Reload()
    return {
        tag: [(event.step, event.value) for event in reader.Scalars(tag)]
        for tag in reader.Tags()["scalars"]
    }


def wandb_records(file: Path) -> Iterator[Any]:
    """Yield what a W&B transaction log holds: LevelDB's log format after a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, whole = file.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if (left := 32768 - place % 32768) < 7:  # a block's end is not written to
            place += left
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # all of it, or its last part
            yield Record.FromString(whole)
            whole = b""


def wandb_curves(folder: Path) -> Curves:
    """Read curves of all W&B runs in a run's folder; whatever stands twice is there twice."""
    found: Curves = {}
    for file in sorted(folder.glob("wandb/*/run-*.wandb")):
        for record in wandb_records(file):
            if not record.HasField("history"):
                continue
            row = {item.key or item.nested_key[0]: json.loads(item.value_json)
                   for item in record.history.item}  # fmt: skip
            for tag, value in row.items():
                if not tag.startswith("_"):
                    found.setdefault(tag, []).append((row["_step"], value))
    return found
