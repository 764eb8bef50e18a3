"""What is fuzzed: where its cases come from, and how the product reads one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

SECONDS = 5.0
MEBIBYTES = 500


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes:
        seeds: make the sound inputs that mutants come from, in a folder of scratch.
        case: draw a case from the seeds.
        reader: called once a process with a folder of scratch; returns what reads a case as the
            commands do. It returns where there is a result, and raises one of the product's own
            errors where it is refused; anything else that it raises is a failure.
        decoders: modules whose native crash costs a file and no more, since the product reads
            such files in a child process.
        files: how many files one case holds; each counts.
        seconds: that a case may take.
    """

    seeds: Callable[[Path], list[bytes]]
    case: Callable[[Random, Sequence[bytes]], bytes]
    reader: Callable[[Path], Callable[[bytes], None]]
    decoders: tuple[str, ...] = ()
    files: int = 1
    seconds: float = SECONDS


def named(name: str, data: bytes) -> bytes:
    """Put a name before a case: which of several files it stands for."""
    return name.encode() + b"\n" + data


def split(case: bytes) -> tuple[str, bytes]:
    """Take the name off again."""
    name, _, data = case.partition(b"\n")
    return name.decode(), data


def accepted(function: Callable[..., Any], *words: Any) -> Any:
    """Call what must not refuse: it is given what the product itself wrote."""
    from denoisebench.errors import UsageError

    try:
        return function(*words)
    except UsageError as error:
        raise AssertionError(f"refuses what it wrote: {error}") from error


def by_name(
    change: Callable[[Random, str, Sequence[bytes]], bytes],
) -> Callable[[Random, Sequence[bytes]], bytes]:
    """Mutate what follows the name, among the seeds of that name."""

    def case(random: Random, seeds: Sequence[bytes]) -> bytes:
        name, _ = split(random.choice(seeds))
        own = [data for other, data in map(split, seeds) if other == name]
        return named(name, change(random, name, own))

    return case
