"""Fuzz every reader of files for long: `python benchmarks/fuzz.py --cases 100000`.

A case passes when the answer is a result or one of our own errors. A traceback, a hang over 5 s and
growth over 500 MiB are failures; their inputs are written to --out, and `--replay FILE --target …`
reads one again. Native crashes of image decoders are counted apart: the product calls decoders in
child processes, where a crash costs one file.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fuzz"))

from fuzzing.harness import Fuzz, Tally
from fuzzing.targets import SHARES, TARGETS, shared_out

ROW = "{:<20}{:>9}{:>9}{:>9}{:>9}{:>10}{:>10}{:>9}{:>9}"


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
        (name,) = given.target
        tally = _fuzz(name, given).replay(given.replay)
        for failure in tally.failures:
            print(failure.reason)
        print(f"results {tally.results}, refused {tally.refused}", *tally.reasons, sep="\n")
        return bool(tally.failures)
    counts = shared_out(given.cases)
    if given.target:
        share = sum(SHARES[name] for name in given.target)
        counts = {name: given.cases * SHARES[name] // share for name in given.target}
    print(
        ROW.format(
            "target",
            "cases",
            "results",
            "refused",
            "crashed",
            "failures",
            "slowest",
            "growth",
            "time",
        )
    )
    tallies = []
    began = time.monotonic()
    for name, count in counts.items():
        started = time.monotonic()
        tallies.append(_fuzz(name, given).run(count // TARGETS[name].files))
        _print(tallies[-1], time.monotonic() - started)
    print(f"{sum(one.cases for one in tallies):,} cases, seed {given.seed}, "
          f"{sum(len(one.failures) for one in tallies)} failures, "
          f"{(time.monotonic() - began) / 60:.1f} min")  # fmt: skip
    for tally in tallies:
        for failure in tally.failures[:20]:
            last = [line for line in failure.reason.splitlines() if line.strip()][-1:]
            print(f"{tally.target} {failure.case}: {''.join(last):.150}\n  {failure.file}")
    return any(tally.failures for tally in tallies)


def _fuzz(name: str, given: argparse.Namespace) -> Fuzz:
    folder = given.out / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    return Fuzz(name, TARGETS[name], folder, given.seed)


def _print(tally: Tally, seconds: float) -> None:
    print(ROW.format(
        tally.target, tally.cases, tally.results, tally.refused, tally.crashed, len(tally.failures),
        f"{tally.seconds:.2f} s", f"{tally.growth >> 20} MiB", f"{seconds:.0f} s",
    ), flush=True)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
