"""What benchmarks found, as a table of ratios: `python benchmarks/perf/table.py FILE.json …`.

Files are pytest-benchmark's (`--benchmark-json`); several of one machine make one table. A ratio is
how many times as long as ours the other takes, or, where it has to stay below its target, the part
or multiple that ours is of the other. `--strict` ends with 1 where a target is missed; without it a
busy machine breaks nothing, but the miss is said below the table.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


@dataclass(frozen=True)
class Row:
    """A benchmark, and what it was compared with."""

    name: str
    beside: str
    ratio: float | None
    spread: tuple[float, float] | None
    target: float | None
    at_most: bool
    seconds: float

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        if self.ratio is None or math.isnan(self.ratio):
            return False
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


def rows(found: dict[str, Any]) -> list[Row]:
    """Read the rows of a file of pytest-benchmark's, in the order of its tests."""
    return [
        Row(
            name=named(one["name"]),
            beside=one["extra_info"].get("beside", ""),
            ratio=one["extra_info"].get("ratio"),
            spread=one["extra_info"].get("spread"),
            target=one["extra_info"].get("target"),
            at_most=bool(one["extra_info"].get("at_most")),
            seconds=one["extra_info"].get("seconds", one["stats"]["median"]),
        )
        for one in found["benchmarks"]
    ]


def named(test: str) -> str:
    """`test_a_step_beside_a_bare_loop[small l1]` → `a step: small l1`."""
    name, _, case = test.removeprefix("test_").removesuffix("]").partition("[")
    what, _, _ = name.replace("_", " ").partition(" beside ")  # there is a column for that
    return what + (f": {case}" if case else "")


def number(value: float) -> str:
    """Three digits; as many places as they take."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def duration(seconds: float) -> str:
    size, unit = next((each for each in UNITS if seconds >= each[0]), UNITS[-1])
    return f"{number(seconds / size)} {unit}"


def machine(found: dict[str, Any]) -> str:
    """Say where and on what the figures were taken; no host, no person."""
    facts, commit = found["machine_info"], found["commit_info"]
    cpu = facts.get("cpu", {}).get("brand_raw") or facts.get("machine", "a CPU")
    cores = facts.get("cores") or facts.get("cpu", {}).get("count")
    parts = [f"{cpu}, {cores} cores, {facts.get('threads')} threads of torch"]
    parts += [facts["gpu"]] if facts.get("gpu") else []
    parts += [f"Python {facts['python_version']}, torch {facts.get('torch')}"]
    parts[-1] += f", NumPy {facts.get('numpy')}"
    changed = " with changes" if commit.get("dirty") else ""
    parts.append(f"{found['datetime'][:10]}, commit {str(commit.get('id'))[:9]}{changed}")
    return "\n".join(parts)


def verdict(row: Row) -> str:
    return {None: "", True: "[green]met[/]", False: "[bold red]missed[/]"}[row.met]


def table(lines: Iterable[Row]) -> Table:
    """Lay the rows out; those that were compared with nothing come last."""
    laid = Table(
        box=None,
        header_style="bold",
        pad_edge=False,
        caption="≤: ours as a multiple of what it stands beside; ≥: the other way round",
        caption_justify="left",
    )
    laid.add_column("benchmark", ratio=3)
    laid.add_column("beside", ratio=2)
    laid.add_column("ratio", justify="right", no_wrap=True)
    laid.add_column("quartiles", justify="right", no_wrap=True, style="dim")
    laid.add_column("target", justify="right", no_wrap=True)
    laid.add_column("", no_wrap=True)
    laid.add_column("median", justify="right", no_wrap=True)
    for row in sorted(lines, key=lambda row: row.ratio is None):
        target = "" if row.target is None else f"{'≤' if row.at_most else '≥'} {row.target:g}"
        laid.add_row(
            escape(row.name),
            escape(row.beside),
            "" if row.ratio is None else number(row.ratio),
            "–".join(map(number, row.spread)) if row.spread else "",
            target,
            verdict(row),
            duration(row.seconds),
        )
    return laid


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--strict", action="store_true", help="end with 1 if a target is missed")
    given = parser.parse_args()
    if absent := [str(path) for path in given.files if not path.is_file()]:
        parser.error(f"no results in {', '.join(absent)}; `make bench` writes some")
    files = [json.loads(path.read_text(encoding="utf-8")) for path in given.files]
    lines = [row for found in files for row in rows(found)]
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table(lines))
    console.print()
    for about in dict.fromkeys(map(machine, files)):
        console.print(about, highlight=False)
    promised, missed = ([row for row in lines if row.met is met] for met in (True, False))
    console.print(f"{len(promised)} targets met, {len(missed)} missed", style="bold")
    for row in missed:
        bound = f"{'at most' if row.at_most else 'at least'} {row.target:g}"
        got = "nothing" if row.ratio is None else number(row.ratio)
        console.print(f"  missed: {row.name}: {got}, {bound}", style="red", markup=False)
    return int(given.strict and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
