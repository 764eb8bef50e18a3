"""Run cases in workers, survive what they do, and count how they went."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzzing.target import Target

WORKER = Path(__file__).with_name("worker.py")
BATCH = 2000  # cases a worker: a fresh one now and then keeps slow leaks apart from growth


@dataclass(frozen=True)
class Failure:
    """A case that got no answer of ours; `reason` holds the traceback or the stack."""

    case: int | None
    reason: str
    file: Path | None


@dataclass
class Tally:
    """How the cases of a target went.

    Attributes:
        results, refused: answers.
        crashed: native crashes of decoders that the product calls in a child process.
        seconds: the slowest case, and which.
        growth: of a worker over what it began with, the most, in bytes.
    """

    target: str
    cases: int = 0
    results: int = 0
    refused: int = 0
    crashed: int = 0
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0
    slowest: int | None = None
    growth: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Fuzz:
    """What all cases of one target share.

    Attributes:
        name, target: which.
        folder: of scratch; failing inputs are written to `failing` below it.
        seed: of the mutants.
        broken: a reader of `broken.py` in place of the product's.
    """

    name: str
    target: Target
    folder: Path
    seed: int = 0
    broken: str = ""

    def run(self, cases: int) -> Tally:
        """Read `cases` mutants."""
        self.make_seeds()
        tally = Tally(self.name)
        for first in range(0, cases, BATCH):
            self._read(list(range(first, min(cases, first + BATCH))), tally)
        return tally

    def replay(self, file: Path) -> Tally:
        """Read one input again."""
        self.make_seeds()
        tally = Tally(self.name)
        self._count([None], self._answers({"replay": str(file.resolve())}), tally)
        return tally

    def data(self, case: int) -> bytes:
        """Return the input of a case."""
        seeds = [path.read_bytes() for path in sorted(self.seeds.iterdir())]
        return self.target.case(Random(f"{self.name}/{self.seed}/{case}"), seeds)

    @property
    def seeds(self) -> Path:
        """Where the sound inputs are."""
        return self.folder / "seeds"

    def make_seeds(self) -> None:
        """Write the sound inputs that mutants come from."""
        if self.seeds.exists():
            return
        beside = self.folder / "making"
        shutil.rmtree(beside, ignore_errors=True)
        (beside / "scratch").mkdir(parents=True)
        (beside / "seeds").mkdir()
        for number, seed in enumerate(self.target.seeds(beside / "scratch")):
            (beside / "seeds" / f"{number:03}").write_bytes(seed)
        (beside / "seeds").rename(self.seeds)

    def _read(self, numbers: list[int], tally: Tally) -> None:
        while numbers:
            done = self._count(numbers, self._answers({"numbers": numbers}), tally)
            numbers = numbers[done:]

    def _count(self, numbers: list, answers: Iterator[dict], tally: Tally) -> int:
        """Count answers; one that is missing because its worker ended is the next number's."""
        done = 0
        for answer in answers:
            if "ended" in answer:
                if done < len(numbers):
                    self._count_end(numbers[done], answer["ended"], tally)
                    done += 1
                break
            self._count_answer(answer, tally)
            done += 1
        return done

    def _count_answer(self, answer: dict, tally: Tally) -> None:
        tally.cases += self.target.files
        tally.growth = max(tally.growth, answer["growth"])
        if answer["seconds"] > tally.seconds:
            tally.seconds, tally.slowest = answer["seconds"], answer["case"]
        if answer["outcome"] == "result":
            tally.results += self.target.files
        elif answer["outcome"] == "refused":
            tally.refused += self.target.files
            tally.reasons[answer["reason"]] = tally.reasons.get(answer["reason"], 0) + 1
        else:
            self._fail(answer["case"], answer["reason"], tally)

    def _count_end(self, number: int | None, reason: str, tally: Tally) -> None:
        if "Timeout (" in reason and number is not None:
            # other work on the machine may have held it up: the time of its own counts
            again = list(self._answers({"numbers": [number], "patient": True}))
            if "ended" not in again[0]:
                self._count_answer(again[0], tally)
                return
        tally.cases += self.target.files
        if reason.startswith("signal") and _in(reason, self.target.decoders):
            tally.crashed += self.target.files
        else:
            self._fail(number, reason, tally)

    def _fail(self, number: int | None, reason: str, tally: Tally) -> None:
        file = None
        if number is not None:
            file = self.folder / "failing" / f"{self.name.replace(' ', '-')}-{self.seed}-{number}"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(self.data(number))
            file.with_name(file.name + ".txt").write_text(reason)
        tally.failures.append(Failure(number, reason, file))

    def _answers(self, what: dict) -> Iterator[dict]:
        """Start a worker; its answers, and {"ended": why} where it ended before its last case."""
        crashes = self.folder / "crashes.txt"
        order = {
            "target": self.name, "seed": self.seed, "seeds": str(self.seeds), "broken": self.broken,
            "scratch": str(self.folder / "scratch"), "crashes": str(crashes), "patient": False,
            **what,
        }  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment["DENOISEBENCH_HOME"] = str(self.folder / "home")
        environment["HYPOTHESIS_STORAGE_DIRECTORY"] = str(self.folder / "hypothesis")
        told = 0
        with (
            (self.folder / "stderr.txt").open("w") as errors,
            subprocess.Popen(
                [sys.executable, str(WORKER), json.dumps(order)],
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
            ) as child,
        ):
            assert child.stdout is not None
            for line in child.stdout:
                told += 1
                yield json.loads(line)
        if told == len(what.get("numbers", [None])):
            return
        stack = crashes.read_text() if crashes.exists() else ""
        if child.returncode == 0:
            return  # it left after a case that grew
        how = f"signal {-child.returncode}" if child.returncode < 0 else f"exit {child.returncode}"
        if not stack and not told:
            stack = (self.folder / "stderr.txt").read_text()[-3000:]
        yield {"ended": f"{how}\n{stack[-6000:]}"}


def _in(stack: str, modules: tuple[str, ...]) -> bool:
    """Whether the innermost frames of a stack are those of a decoder."""
    frames = [line for line in stack.splitlines() if line.strip().startswith("File ")][:6]
    return any(module in frame for frame in frames for module in modules)
