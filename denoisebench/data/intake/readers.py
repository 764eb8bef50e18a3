"""Child processes that read files, and write the pixels they find into shards.

Each file is read by a child: a decoder that crashes or hangs on a hostile file costs that file, and
what C libraries print goes nowhere. The children are plain interpreters rather than
`multiprocessing`, which would run a caller's unguarded script again in each of them. What they do
stands in `child`.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Self

from denoisebench.data.intake.child import Answer, Batch, Facts, read_batch
from denoisebench.errors import Unavailable
from denoisebench.workers import cores

Progress = Callable[[int, int], None]  # files done, files in all

SECONDS_PER_FILE = 60.0  # a 512² slice takes 0.03
SECONDS_PER_MIB = 1.0  # a large Enhanced CT on a slow disk
MOST_WORKERS = 64
LONGEST_ANSWER = 256 << 20  # bytes; a slice takes a thousand
FILES_PER_WORKER = 4  # starting one costs as much as reading about 10 files


def read_batches(
    folder: Path,
    batches: Sequence[Batch],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[int, list[Answer]]]:
    """Read all files of all batches; yield each batch's number and answers as it is finished.

    Args:
        folder: what paths are relative to.
        batches: each is read by one child; give more than there are cores.
        workers: child processes; None for one a core, 0 to read in this process.
        progress: called in this thread after each file.

    Raises:
        Unavailable: a shard cannot be written; the disk is full, say.
    """
    total, done = sum(len(batch.paths) for batch in batches), 0
    count = cores() if workers is None else workers
    count = min(count, MOST_WORKERS, len(batches), -(-total // FILES_PER_WORKER))
    events: SimpleQueue[tuple[int, list[Answer] | BaseException] | None] = SimpleQueue()
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(_Reader(child=count > 0)) for _ in range(max(count, 1))]
        pool = ThreadPoolExecutor(len(readers), "read")
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        for reader in readers:  # before the pool is waited for, its children must end
            stack.callback(reader.close)
        idle: SimpleQueue[_Reader] = SimpleQueue()
        for reader in readers:
            idle.put(reader)

        def work(number: int, batch: Batch) -> None:
            reader = idle.get()
            try:
                answers = []
                for answer in reader.read(folder, batch):
                    answers.append(answer)
                    events.put(None)
                events.put((number, answers))
            except BaseException as problem:
                events.put((number, problem))
            finally:
                idle.put(reader)

        for number, batch in enumerate(batches):
            pool.submit(work, number, batch)
        unfinished = len(batches)
        while unfinished:
            event = events.get()
            if event is None:
                done += 1
                if progress is not None:
                    progress(done, total)
                continue
            number, answers = event
            if isinstance(answers, BaseException):
                raise answers
            unfinished -= 1
            yield number, answers


def read_files(
    folder: Path,
    paths: Sequence[str],
    *,
    who: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Answer]:
    """Read files and keep no pixel: what each holds, in the order given. See `Batch`."""
    step = max(1, min(64, -(-len(paths) // (4 * cores()))))
    parts = [paths[start : start + step] for start in range(0, len(paths), step)]
    batches = [Batch(part, who=who) for part in parts]
    found = dict(read_batches(folder, batches, workers=workers, progress=progress))
    return [answer for number in range(len(batches)) for answer in found[number]]


class _Reader:
    """A child process that reads batches; started at its first file, and again after a crash."""

    # What the child runs: it looks for packages where this process does, nowhere else.
    CODE = (
        "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline());"
        "from denoisebench.data.intake.child import serve; serve()"
    )
    here = threading.Lock()  # for reading in this process, one file at a time

    def __init__(self, *, child: bool) -> None:
        self.wanted = child
        self.child: subprocess.Popen[bytes] | None = None
        self.closed = threading.Event()
        self.deadline = float("inf")
        self.slow = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()
        self._end()

    def close(self) -> None:
        """End the child; whoever waits for its answers gets none."""
        self.closed.set()
        child = self.child
        if child is not None:
            child.kill()

    def read(self, folder: Path, batch: Batch) -> Iterator[Answer]:
        """Yield an answer a file; a child that ends without one costs that file."""
        end, left = batch.start, list(batch.paths)
        while left:
            if not (self.wanted and self._start()):
                if self.closed.is_set():
                    raise InterruptedError
                with _Reader.here:
                    for answer in read_batch(folder, replace(batch, paths=left, start=end)):
                        if self.closed.is_set():
                            raise InterruptedError
                        yield answer
                return
            shard = None if batch.shard is None else str(batch.shard)
            question = [str(folder), left, shard, end, batch.who]
            for answer in self._ask(question, folder, left):
                left = left[1:]
                if not isinstance(answer, str) and answer:
                    end = answer[-1].end
                yield answer
            if self.closed.is_set():
                raise InterruptedError
            if left:  # the child is gone
                self._end()
                left = left[1:]
                yield "its decoder took too long" if self.slow else "its decoder crashed"

    def _ask(self, question: object, folder: Path, paths: Sequence[str]) -> Iterator[Answer]:
        """Yield the child's answers until the last, or until it is gone."""
        child = self.child
        assert child is not None
        assert child.stdin is not None
        assert child.stdout is not None
        self.slow, finished = False, threading.Event()
        watchdog = threading.Thread(target=self._watch, args=(child, finished), daemon=True)
        try:
            self._grant(folder, paths[0])
            watchdog.start()
            child.stdin.write(json.dumps(question).encode() + b"\n")
            child.stdin.flush()
            for number in range(len(paths)):
                answer = _receive(child.stdout)
                if number + 1 < len(paths):
                    self._grant(folder, paths[number + 1])
                yield answer
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return
        finally:
            self.deadline = float("inf")
            finished.set()

    def _grant(self, folder: Path, path: str) -> None:
        seconds = SECONDS_PER_FILE
        with contextlib.suppress(OSError):
            seconds += SECONDS_PER_MIB * os.stat(folder / path).st_size / (1 << 20)
        self.deadline = time.monotonic() + seconds

    def _watch(self, child: "subprocess.Popen[bytes]", finished: threading.Event) -> None:
        while not finished.wait(0.25):
            if time.monotonic() > self.deadline:
                self.slow = True
                child.kill()
                return

    def _start(self) -> bool:
        """Start the child; False where this machine cannot start one."""
        if self.child is not None:
            return True
        if self.closed.is_set() or not sys.executable or getattr(sys, "frozen", False):
            return False
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONWARNINGS", None)
        try:
            self.child = subprocess.Popen(
                [sys.executable, "-P", "-c", self.CODE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl-C is ours to pass on
            )
            if self.closed.is_set():  # since it was asked: `close` found no child to end
                self.child.kill()
            assert self.child.stdin is not None
            assert self.child.stdout is not None
            self.child.stdin.write(json.dumps(sys.path).encode() + b"\n")
            self.child.stdin.flush()
            if _receive(self.child.stdout) == []:
                return True
        except (OSError, EOFError, ValueError):
            pass
        self._end()
        self.wanted = False
        return False

    def _end(self) -> None:
        child, self.child = self.child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        child.wait()


def _receive(pipe: IO[bytes]) -> Answer:
    line = pipe.readline(LONGEST_ANSWER)
    if not line.endswith(b"\n"):
        raise EOFError
    answer = json.loads(line)
    if "full" in answer:
        raise Unavailable(str(answer["full"]))
    if "reason" in answer:
        return str(answer["reason"])
    slices = answer["slices"]
    return [Facts(**{**facts, "spacing_mm": tuple(facts["spacing_mm"])}) for facts in slices]
