"""Source files of plug-ins: read them, parse them, digest them; never run them."""

import ast
import hashlib
import warnings
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path, PurePath

from denoisebench.errors import UsageError

LARGEST_FILE = 200_000
"""Bytes; a larger file is not read. The largest plug-in we know has 20,000."""


def read_source(path: Path) -> bytes:
    """Return the bytes of a source file, or raise UsageError with the reason."""
    try:
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise UsageError(f"plug-in file {path} {what}; name a Python file")
        if path.stat().st_size > LARGEST_FILE:
            raise UsageError(f"{path} cannot be read: it has more than {LARGEST_FILE:,} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path} cannot be read: {reason}") from None


def parse_source(source: bytes, path: Path) -> ast.Module:
    """Parse a source file, or raise UsageError with the reason."""
    try:
        return _parse(source)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise UsageError(f"{path}{line}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or "it is nested too deeply"
        raise UsageError(f"{path} cannot be read: {reason}") from None


@lru_cache(maxsize=64)  # a file is parsed for its cards and again for its digest
def _parse(source: bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a plug-in's odd escapes; import will show them
        return ast.parse(source)


def missing_libraries(path: Path) -> tuple[str, ...]:
    """Return the libraries that a file imports at its top level and that are not installed.

    Nothing is imported to find out; an import inside `try` or a function is the file's own affair.
    """
    names: list[str] = []
    for node in parse_source(read_source(path), path).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.append(node.module)
    libraries = dict.fromkeys(name.partition(".")[0] for name in names)
    return tuple(name for name in libraries if not _installed(name))


@lru_cache(maxsize=256)
def _installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except (ImportError, ValueError):  # ValueError: `__main__` and other modules without a spec
        return True


def statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield all statements, nested ones too, and no expressions: a tenth of what walk yields."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        for block in ("cases", "finalbody", "orelse", "handlers", "body"):
            waiting += reversed(getattr(node, block, ()))


def source_files(path: Path, module: str | None = None) -> Iterator[tuple[Path, bytes]]:
    """Yield a source file and, transitively, the siblings that it imports, with their bytes.

    Siblings count when imported relatively, or by the name of the file's own package.
    """
    start = path.resolve()
    seen = {start}
    waiting = [start]
    while waiting:
        file = waiting.pop(0)
        content = read_source(file)
        yield file, content
        for sibling in sorted(_siblings(parse_source(content, file), file, start, module)):
            if sibling not in seen:
                seen.add(sibling)
                waiting.append(sibling)


def source_digest(path: Path, module: str | None = None) -> str:
    """Return the SHA-256 over a source file and the siblings that it imports; see `source_files`.

    Line ends do not count, nor does the folder that the files stand in.
    """
    total = hashlib.sha256()
    start = path.resolve()
    for file, source in source_files(path, module):
        content = source.replace(b"\r\n", b"\n")
        label = "" if file == start else _relative(file, start.parent)
        total.update(f"{label}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def _relative(file: Path, folder: Path) -> str:
    up = 0
    while not file.is_relative_to(folder):
        folder = folder.parent
        up += 1
    return "../" * up + PurePath(file.relative_to(folder)).as_posix()


def _siblings(tree: ast.Module, file: Path, start: Path, module: str | None) -> Iterator[Path]:
    package, root = _package(start, module)
    for node in statements(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = file.parent
            for _ in range(node.level - 1):
                folder = folder.parent
            yield from _files_of(folder, node.module or "", [alias.name for alias in node.names])
        elif isinstance(node, ast.ImportFrom) and node.module and package:
            if f"{node.module}.".startswith(f"{package}."):
                inner = node.module.removeprefix(package).lstrip(".")
                yield from _files_of(root, inner, [alias.name for alias in node.names])
        elif isinstance(node, ast.Import) and package:
            for alias in node.names:
                if alias.name.startswith(f"{package}."):
                    inner = alias.name.removeprefix(f"{package}.")
                    yield from _files_of(root, inner, [])


def _package(start: Path, module: str | None) -> tuple[str, Path]:
    """Say which absolute imports are a plug-in's own code: the package it is in, and its folder.

    Of a plug-in that comes with denoisebench, the folder it stands in.
    """
    if not module or module.startswith("denoisebench."):
        return (module or "").rpartition(".")[0], start.parent
    package, *inner = module.split(".")
    above = len(inner) - (start.stem != "__init__")
    return package, start.parents[above] if inner or start.stem == "__init__" else start.parent


def _files_of(folder: Path, dotted: str, names: list[str]) -> Iterator[Path]:
    place = folder.joinpath(*dotted.split(".")) if dotted else folder
    inner = [file for name in names for file in (_file_of(place / name),) if file]
    yield from inner
    if (dotted or len(inner) < len(names)) and (file := _file_of(place)):
        yield file


def _file_of(place: Path) -> Path | None:
    for file in (place.parent / f"{place.name}.py", place / "__init__.py"):
        if file.is_file():
            return file.resolve()
    return None
