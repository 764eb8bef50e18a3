"""Builds of the product that are broken on purpose, which fuzzing must call broken."""

import importlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fuzzing.target import MEBIBYTES, Target
from fuzzing.targets import TARGETS

READERS = {
    "dicom": ("denoisebench.data.intake.dicom", "read"),
    "dicom folder": ("denoisebench.data.intake.readers", "read_batches"),
    "nifti": ("denoisebench.data.intake.nifti", "read"),
    "prepared data": ("denoisebench.data.store.layout", "read_record"),
    "manifest": ("denoisebench.data.intake.manifest", "read_manifest"),
    "expression": ("denoisebench.plugins.expression", "resolve"),
    "expression grammar": ("denoisebench.plugins.expression", "parse"),
    "toml": ("denoisebench.tomlfile", "read"),
    "toml grammar": ("denoisebench.tomlfile", "read"),
    "board": ("denoisebench.board.board", "read_result"),
    "page": ("denoisebench.board.page.site", "write_site"),
    "checkpoint": ("denoisebench.training.checkpoint", "load"),
    "resume": ("denoisebench.training.log", "cut"),
    "weights": ("denoisebench.scoring.opened", "build"),
    "submission": ("denoisebench.scoring.submission.check", "check"),
}
"""What is broken for each target: a function of the product that its reader calls."""


def broken(name: str, how: str) -> Target:
    """Return a target whose product is broken: see `FAULTS`."""
    target = TARGETS[name]

    def reader(folder: Path) -> Callable[[bytes], None]:
        module, function = READERS[name]
        place = importlib.import_module(module)
        fault = FAULTS[how]
        sound = getattr(place, function)
        setattr(place, function, lambda *words, **named: fault(sound, *words, **named))
        return target.reader(folder)

    return replace(
        target, reader=reader, seconds=0.5 if how in ("hang", "sleep") else target.seconds
    )


def _traceback(sound: Any, *words: Any, **named: Any) -> Any:
    raise KeyError("Rows")


def _hang(sound: Any, *words: Any, **named: Any) -> Any:
    while True:
        pass


def _sleep(sound: Any, *words: Any, **named: Any) -> Any:
    time.sleep(1.5)


def _growth(sound: Any, *words: Any, **named: Any) -> Any:
    held = b"x" * (MEBIBYTES + 100 << 20)
    found = sound(*words, **named)
    assert held
    return found


def _abort(sound: Any, *words: Any, **named: Any) -> Any:
    os.abort()


def _decoder_abort(sound: Any, *words: Any, **named: Any) -> Any:
    code = compile("import os; os.abort()", "site-packages/pylibjpeg/utils.py", "exec")
    exec(code, {})


def _wrong_digest(sound: Any, *words: Any, **named: Any) -> Any:
    return [replace(raw, digest="0" * 64) for raw in sound(*words, **named)]


def _other_weight(sound: Any, text: str) -> Any:
    return tuple(replace(term, weight=(term.weight or 1) + 1) for term in sound(text))


def _hides_the_others(sound: Any, path: Path) -> Any:
    from denoisebench.errors import UsageError

    if path.parent.name != "mutant":
        raise UsageError("a run that is sound is left out")
    return sound(path)


FAULTS: dict[str, Callable[..., Any]] = {
    "traceback": _traceback,
    "hang": _hang,
    "sleep": _sleep,
    "growth": _growth,
    "abort": _abort,
    "abort in a decoder": _decoder_abort,
    "wrong digest": _wrong_digest,
    "other weight": _other_weight,
    "hides the others": _hides_the_others,
}
