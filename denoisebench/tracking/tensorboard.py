"""TensorBoard: event files in `tensorboard/` of the run's folder.

`tensorboard --logdir runs` shows all runs of a folder. Its own writer would put this host's name
into the name of the file.
"""

import struct
import time
from collections.abc import Sequence
from pathlib import Path

import tomli_w
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import hparams, text

from denoisebench.scoring.result import Result
from denoisebench.tracking.values import curves, scores
from denoisebench.training.log import Record
from denoisebench.training.recipe import Recipe


class TensorBoard:
    """Writes what the log holds, anew for each process: earlier files go when the new one stands.

    A reader that is open meanwhile forgets them at the mark of a session that begins at step 0.
    """

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        place = folder / "tensorboard"
        place.mkdir(parents=True, exist_ok=True)
        self._recipe = recipe
        self._earlier = list(place.glob("events.out.tfevents.*"))
        self._writer = RecordWriter((place / f"events.out.tfevents.{time.time_ns()}").open("wb"))
        self._write(Event(file_version="brain.Event:2"))
        self._write(Event(session_log=SessionLog(status=SessionLog.START)))
        self._write(Event(summary=_text("recipe", _indented(tomli_w.dumps(_values(recipe))))))
        self._writer.flush()

    def lines(self, records: Sequence[Record]) -> None:
        """Write curves at the steps of the log, and at the times of training."""
        now = time.time()
        for record in records:
            values = [Summary.Value(tag=t, simple_value=v) for t, v in curves(record).items()]
            event = Event(step=record.step, summary=Summary(value=values))
            self._write(event, now - (records[-1].seconds - record.seconds))
        self._writer.flush()
        while self._earlier:
            self._earlier.pop().unlink(missing_ok=True)

    def result(self, result: Result, preview: Path | None) -> None:
        """Write the scores, beside the recipe for comparisons of runs, and the picture."""
        step, found = result.train_steps, scores(result)
        values = [Summary.Value(tag=tag, simple_value=mean) for tag, mean in found.items()]
        if preview:
            values.append(Summary.Value(tag="preview", image=_image(preview.read_bytes())))
        said = _text("status", f"{result.status}: {result.reason}" if result.reason else "done")
        compared = hparams(_values(self._recipe), found)  # type: ignore[no-untyped-call]
        for summary in (*compared, said, Summary(value=values)):
            self._write(Event(step=step, summary=summary))
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _write(self, event: Event, when: float | None = None) -> None:
        event.wall_time = time.time() if when is None else when
        self._writer.write(event.SerializeToString())


def _values(recipe: Recipe) -> dict[str, object]:
    """The recipe's fields and its hash; digests of plug-ins are part of that."""
    return {"hash": recipe.hash, **recipe.model_dump(exclude_none=True, exclude={"plugins"})}


def _text(tag: str, content: str) -> Summary:
    return text(tag, content)  # type: ignore[no-untyped-call]


def _indented(code: str) -> str:
    """Mark text as code, for a page that takes it for Markdown."""
    return "".join(f"    {line}\n" for line in code.splitlines())


def _image(png: bytes) -> Summary.Image:
    width, height = struct.unpack(">II", png[16:24])  # of the PNG's first chunk
    return Summary.Image(encoded_image_string=png, width=width, height=height, colorspace=3)
