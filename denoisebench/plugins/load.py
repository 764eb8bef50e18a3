"""Load plug-ins: the only place where a plug-in's file is run."""

import hashlib
import importlib
import sys
import traceback
from collections.abc import Callable
from functools import partial
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from types import CodeType, ModuleType
from typing import Any

from denoisebench.errors import UsageError
from denoisebench.plugins.card import Card
from denoisebench.plugins.expression import Part

_TORCH_KINDS = ("generator", "discriminator", "loss", "metric")


def load(card: Card) -> Callable[..., Any]:
    """Import a plug-in's file and return the marked function or class.

    Raises:
        UsageError: the file cannot be imported, or does not hold what its card says.
    """
    if card.kind in _TORCH_KINDS:
        from denoisebench import compat

        compat.prepare()
    try:
        module = importlib.import_module(card.module) if card.module else _import_file(card)
    except (Exception, SystemExit) as error:
        reason = _reason(error, card)
        raise UsageError(f"plug-in {card.path} cannot be imported: {reason}") from error
    found = getattr(module, card.object_name, None)
    mark = getattr(found, "__denoisebench__", (None, None))
    if not callable(found) or mark[:2] != (card.kind, card.name):
        raise UsageError(
            f"plug-in {card.path} holds no {card.kind} {card.name!r} once imported; "
            f"keep the mark outermost, and the name {card.object_name} for what it marks"
        )
    plugin: Callable[..., Any] = found
    return plugin


def build(part: Part) -> Any:
    """Make what a part names: a network, an object, or a function with its knobs set.

    Raises:
        UsageError: as `load`, or the plug-in refuses a knob's value with a ValueError.
    """
    plugin = load(part.card)
    knobs = dict(part.knobs)
    network = part.card.kind in ("generator", "discriminator")
    if not (network or part.card.adversarial or part.card.facts.get("learns")):
        return partial(plugin, **knobs)
    try:
        return plugin(**knobs)
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(f"{part.bare} cannot be built: {error}") from error


class _FreshLoader(SourceFileLoader):
    """Compile from source each time: a cache dated to the second would hide a quick edit."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def _import_file(card: Card) -> ModuleType:
    """Import a file outside any package, as a member of a package of its own.

    The package stands for the file's folder, so that relative imports of siblings work and
    `sys.path` stays as it is. Its name holds the digest: an edited file is another module.
    """
    path = card.path.resolve()
    key = hashlib.sha256(f"{path}\0{card.digest}".encode()).hexdigest()[:16]
    package = f"_denoisebench_plugin_{key}"
    stem = "".join(c if c.isidentifier() or c.isdigit() else "_" for c in path.stem)
    name = f"{package}.{stem}"
    if name in sys.modules:
        return sys.modules[name]
    if package not in sys.modules:
        folder = ModuleSpec(package, None, is_package=True)
        folder.submodule_search_locations = [str(path.parent)]
        sys.modules[package] = module_from_spec(folder)
    spec = spec_from_file_location(name, path, loader=_FreshLoader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _reason(error: BaseException, card: Card) -> str:
    """One line: the error, and the plug-in's own line that led to it."""
    message = " ".join(str(error).split())
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(card.path) or frame.filename == str(card.path.resolve())
    ]
    place = f" (line {lines[-1]})" if lines else ""
    name = type(error).__name__
    return f"{name}: {message}{place}" if message else f"{name}{place}"
