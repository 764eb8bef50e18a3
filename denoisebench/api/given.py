"""Plug-ins given as Python objects: a recipe names them, and their files say what they are."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

from denoisebench.errors import UsageError
from denoisebench.plugins.find import Catalogue, find

Plugin = str | Callable[..., object]
"""An expression, or a marked function or class that stands in a file."""


def named(
    things: dict[str, Plugin | None], files: Sequence[str | Path]
) -> tuple[dict[str, str | None], Catalogue, tuple[Path, ...]]:
    """Give plug-ins the names by which a recipe knows them.

    Args:
        things: kind → expression or object.
        files: with plug-ins of the user's own.
    Returns:
        The kinds with expressions; where they are looked up; and all files that it needs.
    Raises:
        UsageError: an object is not marked, or stands in no file.
    """
    paths = [Path(file) for file in files]
    known = find(paths)
    names: dict[str, str | None] = {}
    for kind, thing in things.items():
        if thing is None or isinstance(thing, str):
            names[kind] = thing
            continue
        names[kind], source = _marked(kind, thing)
        if source not in {path.resolve() for path in (*paths, *(c.path for c in known.cards))}:
            paths.append(source)
    return names, find(paths), tuple(paths)


def _marked(kind: str, thing: Callable[..., object]) -> tuple[str, Path]:
    called = getattr(thing, "__qualname__", type(thing).__name__)
    found, name = getattr(thing, "__denoisebench__", ("", ""))[:2]
    if found != kind:
        what = f"is marked as a {found}" if found else f"is not marked as a {kind}"
        raise UsageError(
            f"{called} {what}: a recipe names its {kind}, so give an expression, or a function "
            f'with @denoisebench.{kind}("name") above it in a file of its own; a module as it is '
            "can be scored: denoisebench.evaluate(module)"
        )
    try:
        source = inspect.getsourcefile(thing)
    except TypeError:
        source = None
    if getattr(thing, "__module__", None) == "__main__" or not source or not Path(source).is_file():
        raise UsageError(
            f"the {kind} {name!r} stands in a notebook or in the script that runs: a recipe is "
            "repeated from a file; write it to one (in a notebook: %%writefile my_plugins.py) and "
            f'give {name!r} with plugins=["my_plugins.py"]'
        )
    return str(name), Path(source).resolve()
