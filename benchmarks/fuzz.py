"""Fuzz every reader of files for long: `python benchmarks/fuzz.py --cases 100000`.

A case passes when the answer is a result or one of our own errors. A traceback, a hang over 5 s and
growth over 500 MiB are failures; their inputs are written to --out, and `--target NAME --replay
FILE` reads one again. Native crashes of image decoders are counted apart: the product calls
decoders in child processes, where a crash costs one file.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fuzz"))

from fuzzing.harness import Fuzz, Tally
from fuzzing.targets import SHARES, TARGETS, shared_out

ROW = "{:<20}{:>9}{:>9}{:>9}{:>9}{:>10}{:>10}{:>9}{:>9}"
HEAD = ("target", "cases", "results", "refused", "crashed", "failures", "slowest", "growth", "time")
MOST_SHOWN = 20  # failures of a target


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--cases", type=int, default=5000)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--target", choices=TARGETS, action="append")
    words.add_argument("--out", type=Path, default=Path("fuzz"))
    words.add_argument("--replay", type=Path, metavar="FILE")
    given = words.parse_args()
    if given.replay:
        if not given.target:
            words.error("--replay FILE needs --target: which reader it is for")
        return replay(given.replay, _fuzz(given.target[0], given.seed, given.out))
    counts = shared_out(given.cases)
    if given.target:
        share = sum(SHARES[name] for name in given.target)
        counts = {name: given.cases * SHARES[name] // share for name in given.target}
    _say(ROW.format(*HEAD))
    tallies = []
    began = time.monotonic()
    for name, count in counts.items():
        started = time.monotonic()
        tallies.append(_fuzz(name, given.seed, given.out).run(count // TARGETS[name].files))
        _say(_row(tallies[-1], time.monotonic() - started))
    cases, failures = sum(one.cases for one in tallies), sum(len(one.failures) for one in tallies)
    minutes = (time.monotonic() - began) / 60
    _say(f"{cases:,} cases, seed {given.seed}, {failures} failures, {minutes:.1f} min")
    for tally in tallies:
        for failure in tally.failures[:MOST_SHOWN]:
            last = [line for line in failure.reason.splitlines() if line.strip()][-1:]
            _say(f"{tally.target} {failure.case}: {''.join(last):.150}\n  {failure.file}")
    return 1 if failures else 0


def replay(file: Path, fuzz: Fuzz) -> int:
    """Read a failing input again and say how it goes."""
    tally = fuzz.replay(file)
    for failure in tally.failures:
        _say(failure.reason)
    for reason in tally.reasons:
        _say(f"refused: {reason}")
    _say(f"results {tally.results}, refused {tally.refused}, failures {len(tally.failures)}")
    return 1 if tally.failures else 0


def _fuzz(name: str, seed: int, out: Path) -> Fuzz:
    folder = out / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    return Fuzz(name, TARGETS[name], folder, seed)


def _row(tally: Tally, seconds: float) -> str:
    return ROW.format(
        tally.target, tally.cases, tally.results, tally.refused, tally.crashed, len(tally.failures),
        f"{tally.seconds:.2f} s", f"{tally.growth >> 20} MiB", f"{seconds:.0f} s",
    )  # fmt: skip


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
