"""Read a TOML file into a pydantic model, and say in one line what is wrong with it."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from denoisebench.bounded import read_text
from denoisebench.errors import UsageError

Model = TypeVar("Model", bound=BaseModel)

AT_MOST = 256 << 10  # bytes; the largest that comes with us has 3,000
MOST_DOTS = 100  # in a line: tomllib's time and memory grow with the square of a key's parts


def read(path: Path, model: type[Model]) -> Model:
    """Read a TOML file as `model`.

    Raises:
        UsageError: the file is not there, is not TOML, or does not fit; names file and field.
    """
    try:
        text = read_text(path, AT_MOST)
        if any(line.count(".") > MOST_DOTS for line in text.split("\n")):
            raise ValueError(f"a line has more than {MOST_DOTS} dots")
        values = tomllib.loads(text)
        _refuse_long(values)
    except UsageError:
        raise
    except (ValueError, RecursionError) as error:  # ValueError: TOML's, and of endless integers
        raise UsageError(f"cannot read {path}: {error!s:.200}") from None
    return validate(values, model, str(path))


def _refuse_long(values: object) -> None:
    """Raise ValueError for a whole number past 64 bits, which TOML has none of; Python has."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError("it has a whole number of more than 64 bits")
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value


def validate(values: object, model: type[Model], source: str) -> Model:
    """Check `values` against `model`; the first misfit is named as `source: field: what`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{source}: {misfit(error)}") from None


def misfit(error: ValidationError) -> str:
    """Put the first misfit of a validation error in one line."""
    first: Any = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    given = "" if first["type"] == "missing" else f", got {_brief(first['input'])}"
    return f"{field}: {message}{given}" if field else f"{message}"


def _brief(value: object) -> str:
    """Show a value that a stranger may have chosen: it can be deep, long, or not printable."""
    try:
        return f"{value!r:.80}"
    except (ValueError, RecursionError):
        return "something too large to show"
