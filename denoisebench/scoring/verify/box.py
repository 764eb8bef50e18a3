"""A child process seen from outside: noisy slices go in, pixels come out, and nothing else.

What comes back is read as float32 of the shape that went in; it is never unpickled, and no length
in it is believed.
"""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from denoisebench.errors import UsageError
from denoisebench.scoring.verify.child import READY

Image = NDArray[np.float64]
# -I: no PYTHON* variable, no folder of the user's, not the current folder
CHILD = (sys.executable, "-I", "-B", "-m", "denoisebench.scoring.verify.child")
KEPT = ("SYSTEMROOT", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_WAIT_POLICY")
START_SECONDS = 600.0  # imports, weights, and what a baseline learns
SECONDS = 600.0  # for a slice; BM3D's slower profile takes some 60


class Misbehaved(Exception):
    """A child gave no answer that could be a slice; the message says what it did, in one clause.

    `words` is the last line it said on stderr, for the person at the terminal and no file.
    """

    words = ""


@dataclass(frozen=True)
class Order:
    """What a child is told before the first slice.

    Attributes:
        kind: "generator" or "baseline".
        method: expression of one plug-in.
        task: fields of the task.
        device: where it runs.
        files: weights and recipe, copied into the child's folder.
        plugins: files that the user named, copied too.
        learning: clean training slices, for a baseline that learns.
        threads: of its numeric libraries.
        seconds: for each slice.
    """

    kind: str
    method: str
    task: dict[str, Any]
    device: str = "cpu"
    files: tuple[Path, ...] = ()
    plugins: tuple[Path, ...] = ()
    learning: tuple[Image, ...] = ()
    threads: int = 1
    seconds: float = SECONDS


class Box:
    """A child in an empty folder, with an empty cache, a bare environment, and pipes only."""

    def __init__(self, order: Order, command: Sequence[str] = CHILD) -> None:
        self.order, self.command = order, command
        self.said = deque[bytes](maxlen=4)
        self.confined = False

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="denoisebench-verify-"))
        for path in (*self.order.files, *self.order.plugins):
            shutil.copyfile(path, self.folder / path.name)
        (self.folder / "home").mkdir()
        self.child = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self._environment(),
            close_fds=True,
            start_new_session=True,
        )
        self.listener = threading.Thread(
            target=self._listen, args=(self.child.stderr,), daemon=True
        )
        self.listener.start()
        try:
            self._start()
        except BaseException as problem:
            self.__exit__(type(problem), problem)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        problem: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """End the child, and take its folder away."""
        self._kill()
        self.listener.join(1.0)
        if isinstance(problem, Misbehaved):
            problem.words = self._last_words()
        for pipe in (self.child.stdin, self.child.stdout, self.child.stderr):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self.child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def denoise(self, noisy: Image) -> Image:
        """Show one slice and read the answer.

        Args:
            noisy: (H, W) grey levels.
        Returns:
            (H, W) float64, finite.
        Raises:
            Misbehaved: there is no such answer.
        """
        with self._limit(self.order.seconds):
            self._send(struct.pack("<II", *noisy.shape), noisy.astype("<f8").tobytes())
            data = self._read(4 * noisy.size)
        image = np.frombuffer(data, "<f4").reshape(noisy.shape).astype(np.float64)
        if not np.all(np.isfinite(image)):
            raise Misbehaved("gave pixels that are not finite")
        return image

    def finish(self) -> None:
        """Say that no slice is left; the child must have nothing more to say either."""
        with self._limit(self.order.seconds):
            assert self.child.stdin is not None
            assert self.child.stdout is not None
            with suppress(OSError):
                self.child.stdin.close()
            if self.child.stdout.read(1):
                raise Misbehaved("answered with more than the slices it was shown")

    def _start(self) -> None:
        order = self.order
        told = {
            "kind": order.kind,
            "method": order.method,
            "task": order.task,
            "device": order.device,
            "plugins": [path.name for path in order.plugins],
            "learning": len(order.learning),
        }
        with self._limit(START_SECONDS):
            self._send(json.dumps(told).encode() + b"\n")
            for clean in order.learning:
                self._send(struct.pack("<II", *clean.shape), clean.astype("<f8").tobytes())
            ready = self._read(len(READY[True]))
        if ready not in READY.values():
            raise Misbehaved("did not start as it should")
        self.confined = ready == READY[True]

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return {
            **kept,
            **dict.fromkeys(threads, str(self.order.threads)),
            "DENOISEBENCH_HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder),
            "LC_ALL": "C.UTF-8",
        }

    def _send(self, *blocks: bytes) -> None:
        assert self.child.stdin is not None
        try:
            for block in blocks:
                self.child.stdin.write(block)
            self.child.stdin.flush()
        except OSError:
            raise Misbehaved(self._ended()) from None

    def _read(self, size: int) -> bytes:
        assert self.child.stdout is not None
        data = self.child.stdout.read(size)
        if len(data) < size:
            raise Misbehaved(self._ended())
        return data

    def _ended(self) -> str:
        return "took too long" if self.late.is_set() else "ended before its answer was whole"

    @contextmanager
    def _limit(self, seconds: float) -> Iterator[None]:
        """Kill the child when what is inside takes too long: its pipes end, and so does this."""
        self.late = threading.Event()

        def give_up() -> None:
            self.late.set()
            self._kill()

        watchdog = threading.Timer(seconds, give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def _kill(self) -> None:
        """End the child and all that it started in its session."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.child.pid, signal.SIGKILL)
        self.child.kill()

    def _listen(self, pipe: IO[bytes]) -> None:
        """Keep the end of what it says on stderr; the pipe never fills."""
        with suppress(OSError, ValueError):
            while block := pipe.read1(4096):  # type: ignore[attr-defined]
                self.said.append(block)

    def _last_words(self) -> str:
        """The last line on stderr, at most 200 characters that can be printed."""
        lines = b"".join(self.said).decode("utf-8", "replace").strip().splitlines()
        return "".join(c for c in lines[-1][:200] if c.isprintable()) if lines else ""


def distinct(plugins: Sequence[Path]) -> tuple[Path, ...]:
    """Return plug-in files that can stand in one folder.

    Raises:
        UsageError: two have one name.
    """
    if len({path.name for path in plugins}) < len(plugins):
        raise UsageError("two --plugin files have one name; rename one")
    return tuple(plugins)
