"""Several values in one word: `unet7(norm="batch"),resunet`, and seeds as `0..2`."""

import io
import re
import tokenize

from denoisebench.errors import UsageError
from denoisebench.plugins.expression import parse

LONGEST = 20_000
"""Characters of a list; a longer one is refused unread."""
MOST_SEEDS = 1000


def expressions(text: str) -> tuple[str, ...]:
    """Take expressions apart at the commas that stand outside parentheses and quotes.

    Raises:
        UsageError: one is empty or malformed; see `expression.parse`.
    """
    if len(text) > LONGEST:
        raise UsageError(
            f"a list of expressions has {len(text):,} characters; {LONGEST:,} are accepted"
        )
    found = [one.strip() for one in _apart(text)]
    for one in found:
        parse(one)
    return tuple(found)


def _apart(text: str) -> list[str]:
    if not text.isprintable() or not text.strip():
        return [text]  # the expression's reader says what is wrong
    commas, depth = [-1], 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text.lstrip()).readline):
            if token.type == tokenize.OP:
                depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.string, 0)
                if token.string == "," and depth == 0:
                    commas.append(token.start[1])
    except (tokenize.TokenError, SyntaxError):
        return [text]
    text = text.lstrip()
    return [text[a + 1 : b] for a, b in zip(commas, [*commas[1:], len(text)], strict=True)]


def seeds(text: str) -> tuple[int, ...]:
    """Read whole numbers and ranges of them: `3`, `0,1,5`, `0..2`.

    Raises:
        UsageError: something else, a range that runs backwards, or more than `MOST_SEEDS`.
    """
    found: list[int] = []
    for word in text.split(","):
        match = re.fullmatch(r"(\d{1,19})(?:\.\.(\d{1,19}))?", word.strip(), re.ASCII)
        if match is None:
            raise UsageError(
                f"{word.strip()!r:.60} is no seed; write whole numbers and ranges: 3, 0,1,5, 0..2"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UsageError(f"the range of seeds {word.strip()!r} is empty; write {last}..{first}")
        if len(found) + last - first >= MOST_SEEDS:
            raise UsageError(f"{text!r:.60} are more than {MOST_SEEDS:,} seeds")
        found += range(first, last + 1)
    return tuple(dict.fromkeys(found))
