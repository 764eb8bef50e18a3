"""What must not leave this machine in a text: places, names, identifiers of images."""

import getpass
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from denoisebench.scoring.result import Score

GENERIC = {"root", "user", "users", "admin", "ubuntu", "debian", "runner", "docker", "test",
           "localhost", "host", "none", "nobody"}  # fmt: skip
SHORTEST = 4  # of a name: shorter ones are words of any text

SHAPES = (
    ("an absolute path", re.compile(r"""(?<![^\s"'`(=\[,;<>|])(?:/[\w.@+-]+){2,}/?""")),
    ("an absolute path", re.compile(r"(?<![A-Za-z])[A-Za-z]:\\+[\w.]|\\\\\\\\?[\w.]+\\")),
    ("a path in a home folder", re.compile(r"(?<![\w~])~\w*/[\w.]")),
    ("a UID", re.compile(r"(?<![\w.])(?:1\.2\.840|2\.25)\.\d+")),
    ("a UID", re.compile(r"(?<![\w.])[0-2](?:\.\d+){6,}(?![\w.])")),
)
SLICE = re.compile(r"[0-9a-f]{16}")
PATIENT = re.compile(r"[0-9a-f]{12}|phantom-\d{3,}")


def found_in(text: str, own: Sequence[tuple[str, str]]) -> str | None:
    """Say what a text gives away; None where nothing is found.

    Args:
        text: of a file.
        own: see `own_names`.
    """
    for what, name in own:
        if re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", text, re.IGNORECASE):
            return f"{what} {name!r}"
    for what, shape in SHAPES:
        if match := shape.search(text):
            return f"{what} {match.group()!r:.80}"
    return None


def discreet(text: str) -> str:
    """Take paths and UIDs out of a sentence that somebody's plug-in or a library wrote."""
    for _, shape in SHAPES:
        text = shape.sub("…", text)
    return re.sub(r"…(?:\.\d+)+", "…", text)  # a shape tells a UID by its beginning


def own_names() -> tuple[tuple[str, str], ...]:
    """Return what this machine's user, home folder and host are called, as (what, name)."""
    return tuple(dict.fromkeys(_names()))


def _names() -> Iterator[tuple[str, str]]:
    candidates: list[tuple[str, str]] = []
    with suppress(RuntimeError, OSError):
        home = Path.home()
        yield "the home folder", str(home)
        candidates.append(("the home folder's name", home.name))
    with suppress(OSError, KeyError, ImportError):
        candidates.append(("the user's name", getpass.getuser()))
    candidates.append(("this host's name", socket.gethostname()))
    candidates.append(("this host's name", socket.gethostname().partition(".")[0]))
    for what, name in candidates:
        if len(name) >= SHORTEST and name.lower() not in GENERIC:
            yield what, name


def not_pseudonymous(scores: Sequence[Score]) -> str | None:
    """Say which slice or patient in scores.csv is not one that a data set made up."""
    for score in scores:
        if not SLICE.fullmatch(score.slice):
            return f"slice {score.slice!r:.60} is not 16 digits of a digest"
        if not PATIENT.fullmatch(score.patient):
            return f"patient {score.patient!r:.60} is not a pseudonym of 12 digits"
    return None
