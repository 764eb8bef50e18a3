"""A warm process that shows readers hostile files, each in a fork of its own, and measures them.

A question is a line of JSON on stdin: a reader's name and its arguments. The answer is a line on
stdout: the error that came (none, where the file was read), what was said, the seconds, and how far
the fork's memory rose above what this process has when nothing is read yet.
"""

import io
import json
import os
import re
import resource
import signal
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import torch

from denoisebench.cli import main as cli
from denoisebench.data.intake import dicom, manifest
from denoisebench.plugins.card import read_cards
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.scoring import denoisers, opened, run, tune  # noqa: F401  # warm
from denoisebench.scoring.weights import store
from denoisebench.training import checkpoint

MOST_SECONDS, MOST_BYTES = 30, 8 << 30  # so that a reader that fails the test fails alone


def command(*words: str) -> None:
    """Run a command; its exit code and all that it said are the error."""
    said = io.StringIO()
    sys.argv = ["denoisebench", *words]
    with redirect_stderr(said), redirect_stdout(said):
        try:
            cli.main()
        except SystemExit as ended:
            if ended.code:
                raise RuntimeError(f"{ended.code} {said.getvalue()}") from None


def weights(path: str) -> None:
    """Load a network's weights as audit, verify and publish do."""
    (part,) = resolve("dncnn", "generator", find())
    opened.Opened(Path(path), None, part, Ellipsis, None).generator(torch.device("cpu"))


def baseline(text: str) -> None:
    """Look for a cached output of `noisy`; the cache folder is the environment's."""
    import numpy as np

    (part,) = resolve(text, "baseline", find())
    denoisers.cached(part, 50.0, np.zeros((64, 64)))


READERS = {
    "command": command,
    "checkpoint": lambda path: checkpoint.load(Path(path), torch.device("cpu")),
    "weights": weights,
    "fetched weights": store.load_weights,
    "card": lambda path: read_cards(Path(path)),
    "expression": lambda kind, text: resolve(text, kind, find()),
    "DICOM": lambda path: dicom.read(Path(path)),
    "manifest": lambda path: manifest.read_manifest(Path(path)),
    "baseline": baseline,
}


def memory(what: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{what}:\s+(\d+) kB", text, re.MULTILINE)[1]) << 10


def answer(reader: str, arguments: list[str]) -> dict:
    before, began, error, said = memory("VmRSS"), time.process_time(), None, ""
    try:
        READERS[reader](*arguments)
    except BaseException as problem:
        error, said = type(problem).__name__, str(problem)
    seconds = time.process_time() - began
    return {
        "error": error,
        "said": said[:2000],
        "seconds": seconds,
        "grown": memory("VmHWM") - before,
    }


def main() -> None:
    for line in sys.stdin:
        reader, *arguments = json.loads(line)
        out, into = os.pipe()
        if not (child := os.fork()):
            resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
            signal.alarm(MOST_SECONDS)
            os.write(into, json.dumps(answer(reader, arguments)).encode())
            os._exit(0)
        os.close(into)
        with os.fdopen(out, "rb") as pipe:
            found = pipe.read()
        os.waitpid(child, 0)
        died = {"error": "died", "said": "", "seconds": MOST_SECONDS, "grown": MOST_BYTES}
        sys.stdout.write((found.decode() or json.dumps(died)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    torch.set_num_threads(1)  # no thread runs when this process forks
    main()
