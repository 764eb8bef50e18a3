"""Cases that hypothesis draws from the grammar itself: most are sound, so the reader goes deep.

A case is the bytes that hypothesis draws from, so that a failing one can be replayed.
"""

import os
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from fuzzing.target import Target

BYTES = 2048  # what a case may draw; hypothesis ends one that wants more
# Not all of Unicode: the tables that hypothesis builds for it take 200 MiB.
LETTERS = string.printable + "éßЖ中\u00a0\u200b\u202e\u2028\udc80\ufeff\U0001f600\x00\x1b\x85"


def no_seeds(folder: Path) -> list[bytes]:
    """There are none: the grammar is the seed."""
    return [b""]


def case(random: Random, known: Sequence[bytes]) -> bytes:
    """Return bytes for hypothesis to draw from."""
    return random.randbytes(BYTES)


def _drawn(strategy: Any, read: Callable[[Any], None]) -> Callable[[bytes], None]:
    """Return what draws a value from bytes and reads it."""
    from hypothesis import HealthCheck, Phase, given, settings

    from denoisebench.errors import UsageError

    refused: list[UsageError] = []

    @settings(database=None, deadline=None, derandomize=True, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(strategy)
    def check(value: Any) -> None:
        try:
            read(value)
        except UsageError as error:
            refused.append(error)

    def reader(data: bytes) -> None:
        refused.clear()
        check.hypothesis.fuzz_one_input(data)
        if refused:
            raise refused[0]

    return reader


def expressions() -> Any:
    """Draw (kind, expression): real names and knobs, most values such as they accept."""
    from hypothesis import strategies as st

    from denoisebench.plugins.find import find
    from denoisebench.plugins.knob import literal_text

    numbers = st.one_of(
        st.integers(-10, 300).map(str),
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
        st.sampled_from(["1e-3", "1_000", "0x10", "1e400", "-0.0", "10" * 200, "1j", "00"]),
    )
    texts = st.text(LETTERS, max_size=8).map(literal_text)
    constants = st.sampled_from(
        ["True", "False", "None", "()", "(1,)", "[1, 2]", "x", "-(1)", "''"]
    )
    literals = st.recursive(
        st.one_of(numbers, texts, constants),
        lambda inner: st.lists(inner, max_size=3).map(lambda items: f"({', '.join(items)},)"),
        max_leaves=4,
    )

    @st.composite
    def term(draw: Any, card: Any) -> str:
        chosen = draw(st.lists(st.sampled_from(card.knobs), max_size=2)) if card.knobs else []
        knobs = [
            f"{knob.name}={draw(st.one_of(st.just(literal_text(knob.default)), literals))}"
            for knob in chosen
        ]
        weight = draw(st.one_of(st.just(""), numbers.map(lambda number: f"{number}*")))
        blank = draw(st.sampled_from(["", " "]))
        return f"{weight}{blank}{card.name}" + (f"({', '.join(knobs)})" if knobs else "")

    @st.composite
    def whole(draw: Any) -> tuple[str, str]:
        kind = draw(st.sampled_from(["loss", "loss", "generator", "metric", "baseline"]))
        cards = st.sampled_from(catalogue.of(kind))
        count = draw(st.integers(1, 3)) if kind == "loss" else 1
        terms = [draw(term(draw(cards))) for _ in range(count)]
        return kind, draw(st.sampled_from([" + ", "+"])).join(terms)

    catalogue = find(())
    return whole()


def expression_reader(folder: Path) -> Callable[[bytes], None]:
    """Resolve what the grammar drew; see `text.expression_reader`."""
    from fuzzing.target import named
    from fuzzing.text import expression_reader as reader

    read = reader(folder)
    return _drawn(expressions(), lambda drawn: read(named(drawn[0], os.fsencode(drawn[1]))))


def tables(folder: Path) -> Any:
    """Draw (kind, TOML): a task, a preset or a recipe with any of its values replaced."""
    import tomllib

    import tomli_w
    from hypothesis import strategies as st

    from fuzzing.target import split
    from fuzzing.text import toml_seeds

    letters = st.text(string.printable, max_size=6)
    scalars = st.one_of(
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        letters,
        st.dates(),
        st.datetimes(),
    )
    values = st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(letters, inner, max_size=3)
        ),
        max_leaves=5,
    )

    @st.composite
    def whole(draw: Any) -> tuple[str, bytes]:
        kind, text = split(draw(st.sampled_from(known)))
        table = tomllib.loads(text.decode())
        for name in draw(st.lists(st.sampled_from(sorted(table)), min_size=1, max_size=2)):
            table[name] = draw(values)
        if kind == "preset" and draw(st.booleans()):
            inner = st.dictionaries(st.sampled_from(["width", "norm", "window", "steps"]), values)
            names = st.sampled_from(["unet7", "ssim", "l1", "cgan"])
            table[draw(st.sampled_from(["knobs", "adjust"]))] = draw(st.dictionaries(names, inner))
        return kind, tomli_w.dumps(table).encode()

    known = toml_seeds(folder)
    return whole()


def toml_reader(folder: Path) -> Callable[[bytes], None]:
    """Load what the grammar drew; see `text.toml_reader`."""
    from fuzzing.target import named
    from fuzzing.text import toml_reader as reader

    read = reader(folder)
    return _drawn(tables(folder), lambda drawn: read(named(*drawn)))


EXPRESSION = Target(no_seeds, case, expression_reader)
TOML = Target(no_seeds, case, toml_reader)
