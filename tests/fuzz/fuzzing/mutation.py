"""Mutants of bytes, of lines and of trees of values; a function of the random source alone."""

import json
import re
from collections.abc import Sequence
from datetime import date
from random import Random
from typing import Any

WORDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
TOKENS = (
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x1b[31m", b"\xe2\x80\xae", b"\r",
    b"\n\n", b'"', b"'", b",", b"NaN", b"-Infinity", b"inf", b"1e999", b"-0", b"9" * 5000,
    b"0x" + b"f" * 5000, b"[" * 5000, b"{" * 300, b'{"a":' * 5000, b"((" * 120, b"-" * 3000,
    b"null", b"true", b"\\ud800", b"=1+1", b"../", b"%s%n",
)  # fmt: skip
SCALARS: tuple[Any, ...] = (
    True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.0, -0.0, 0.5, 1e308, -1e308,
    5e-324, float("nan"), float("inf"), float("-inf"), "", "nan", "1", "\x1b]0;x\x07", "\u202e",
    "../../x", "a" * 3000, "é\U0001f600", "<b>", "=1+1", "psnr", "cgan + l1", "done", [], {}, [[]],
    {"": {}},
)  # fmt: skip
JSON_ONLY: tuple[Any, ...] = (None, "\ud800", "\0")
TOML_ONLY: tuple[Any, ...] = (date(2017, 1, 1),)


def mutated(random: Random, seeds: Sequence[bytes], tokens: Sequence[bytes] = TOKENS) -> bytes:
    """Return a mutant of one of the seeds, by one to four changes."""
    data = bytearray(random.choice(seeds))
    for _ in range(random.choice((1, 1, 2, 4))):
        _change(random, data, seeds, tokens)
    return bytes(data)


def _change(
    random: Random, data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes]
) -> None:
    start = random.randrange(len(data) + 1)
    # most blocks are short, so that headers are hit in one place
    end = min(len(data), start + random.choice((1, 2, 4, 8, 16, 64, 512)))
    kind = random.randrange(9)
    if kind == 0 and start < len(data):
        data[start] ^= 1 << random.randrange(8)
    elif kind == 1:
        data[start:end] = random.randbytes(end - start)
    elif kind == 2:
        del data[start:end]
    elif kind == 3:
        data[start:start] = data[start:end] * random.choice((1, 1, 2, 50))
    elif kind == 4:
        data[start:start] = random.choice(tokens)
    elif kind == 5:
        del data[start:]
    elif kind == 6:
        other = random.choice(seeds)
        data[start:] = other[
            min(len(other), random.choice((start, random.randrange(len(other) + 1)))) :
        ]
    elif kind == 7:
        size, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
        word = random.choice(WORDS) & (256**size - 1)
        data[start : start + size] = word.to_bytes(size, order)
    else:
        numbers = list(re.finditer(rb"\d+", bytes(data)))[:400]
        if numbers:
            place = random.choice(numbers)
            data[place.start() : place.end()] = random.choice(tokens)


def changed_values(random: Random, tree: Any, extra: Sequence[Any]) -> Any:
    """Return a tree of dicts, lists and scalars with one or two of its places changed.

    Args:
        random: decides.
        tree: left as it is.
        extra: values beside SCALARS, as the format knows them.
    """
    for _ in range(random.choice((1, 1, 2))):
        places = list(_places(tree))
        path = random.choice(places)
        tree = _with(tree, path, lambda old: _other(random, old, extra))
    return tree


def _places(tree: Any, path: tuple[Any, ...] = ()) -> Any:
    yield path
    items = tree.items() if isinstance(tree, dict) else ()
    items = enumerate(tree) if isinstance(tree, list) else items
    for key, value in items:
        yield from _places(value, (*path, key))


def _with(tree: Any, path: tuple[Any, ...], change: Any) -> Any:
    if not path:
        return change(tree)
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = _with(copy[path[0]], path[1:], change)
    return copy


def _other(random: Random, old: Any, extra: Sequence[Any]) -> Any:
    if isinstance(old, dict) and old and random.random() < 0.6:
        kept = dict(old)
        if random.random() < 0.5:
            del kept[random.choice(list(kept))]
        else:
            key = random.choice(("", "x", "\x1b[2J", "a" * 300, *list(old)))
            kept[key] = random.choice((*SCALARS, *extra, old))
        return kept
    if isinstance(old, list) and old and random.random() < 0.6:
        return random.choice((old * 2, old[1:], [*old, random.choice((*SCALARS, *extra))]))
    return random.choice((*SCALARS, *extra))


def json_bytes(values: Any) -> bytes:
    """Write values as JSON."""
    try:
        return json.dumps(values).encode()
    except ValueError:  # a whole number of more digits than Python writes
        return b"9" * 5000
