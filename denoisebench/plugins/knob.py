"""Knobs: keyword-only arguments of plug-ins, their values and the text of these."""

import ast
import json
import math
from dataclasses import dataclass

from denoisebench.errors import UsageError


@dataclass(frozen=True)
class Knob:
    """A keyword-only argument of a plug-in; `help` comes from the docstring's `Knobs:` section."""

    name: str
    default: object
    annotation: str
    help: str


def literal_text(value: object) -> str:
    """Return the canonical text of a knob's value; parsing it gives the value back."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple | list):
        inner = ", ".join(literal_text(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, float):
        return number_text(value)
    return repr(value)


def number_text(value: float) -> str:
    """Return the shortest of `%g` and `repr` that gives the number back; -0.0 is 0."""
    value += 0.0
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def fitted(plugin: str, knob: Knob, value: object) -> object:
    """Check a knob's value against its annotation, or its default where that is plain.

    Args:
        plugin: the plug-in's name, for the message.
        knob: what is set.
        value: a literal; lists become tuples, and whole numbers floats where a float is due.

    Raises:
        UsageError: the value is of another type, or none of a `Literal[…]` annotation's options.
    """
    value = frozen(value)
    if not _writable(value):  # a preset may hold what no expression can
        accepted = "a finite number, a printable text, True, False, None or a tuple of these"
        raise _misfit(plugin, knob, value, accepted)
    options, types = _accepted(knob)
    if options:
        if any(type(value) is type(option) and value == option for option in options):
            return value
        raise _misfit(plugin, knob, value, f"one of {', '.join(map(literal_text, options))}")
    if types and type(value) not in types and not (float in types and type(value) is int):
        words = " or ".join(_WORDS.get(kind, kind.__name__) for kind in types)
        raise _misfit(plugin, knob, value, words)
    try:
        if float in types and int not in types and type(value) is int:
            return float(value)
        if isinstance(value, tuple) and isinstance(knob.default, tuple | list):
            return _like(value, knob)
    except (TypeError, OverflowError):
        raise _misfit(plugin, knob, value, f"values like {literal_text(knob.default)}") from None
    return value


def _writable(value: object) -> bool:
    """Whether an expression can give the value, so that its canonical text is read again."""
    if isinstance(value, tuple):
        return all(map(_writable, value))
    if isinstance(value, str):
        return value.isprintable()
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, int)


_WORDS: dict[type, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    tuple: "a tuple",
    type(None): "None",
}


def _misfit(plugin: str, knob: Knob, value: object, accepted: str) -> UsageError:
    return UsageError(
        f"{plugin}({knob.name}={literal_text(value):.60}): {knob.name} accepts {accepted}; "
        f"its default is {literal_text(knob.default)}"
    )


def _accepted(knob: Knob) -> tuple[tuple[object, ...], tuple[type, ...]]:
    """Return the options of a `Literal[…]` annotation, or the plain types that a knob accepts."""
    names = {"bool": bool, "int": int, "float": float, "str": str, "None": type(None)}
    node = ast.parse(knob.annotation, mode="eval").body if knob.annotation else None
    members = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        members.append(node.right)
        node = node.left
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Literal"):
        chosen = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        options = tuple(item.value for item in chosen if isinstance(item, ast.Constant))
        if len(options) == len(chosen):
            return (*options, *((None,) if members else ())), ()
    members += [node] if node is not None else []
    types = [names.get(ast.unparse(member)) for member in reversed(members)]
    if types and None not in types:
        return (), tuple(kind for kind in types if kind is not None)
    if knob.default is None:
        return (), ()
    return (), (type(frozen(knob.default)),)


def frozen(value: object) -> object:
    """Return the value with tuples in place of its lists."""
    return tuple(frozen(item) for item in value) if isinstance(value, list | tuple) else value


def _like(value: tuple[object, ...], knob: Knob) -> tuple[object, ...]:
    """Make the items floats where all of the default's are; TypeError where they cannot be."""
    default = knob.default
    assert isinstance(default, tuple | list)
    if len(default) != len(value) and "..." not in knob.annotation:
        raise TypeError
    if not default or not all(type(item) is float for item in default):
        return value
    if any(type(item) not in (int, float) for item in value):
        raise TypeError
    return tuple(float(item) for item in value)  # type: ignore[arg-type]
