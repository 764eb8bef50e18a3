"""Cards: what a plug-in says of itself, read from its source with `ast`, never by running it."""

import ast
import json
import keyword
import math
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from denoisebench.errors import UsageError
from denoisebench.plugins.knob import Knob
from denoisebench.plugins.source import parse_source, read_source, source_digest, statements

KINDS = ("generator", "discriminator", "loss", "baseline", "metric")

_MARK_MODULES = ("denoisebench", "denoisebench.plugins.mark")
_SIGNATURES = {
    "generator": ((), "(*, knobs)"),
    "discriminator": ((), "(*, knobs)"),
    "loss": (("output", "target"), "(output, target, *, knobs)"),
    "baseline": (("noisy", "sigma"), "(noisy, sigma, *, knobs)"),
    "metric": (("output", "target"), "(output, target, *, knobs)"),
}
_PENALTY = (
    ("discriminator", "real", "fake", "condition"),
    "(discriminator, real, fake, condition, *, knobs)",
)

Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Card:
    """What a plug-in says of itself.

    `facts` is the rest of the decorator call; `module` is None for a file outside any package;
    `text` is the docstring of the file and then of the object; `digest` covers the source file and
    the sibling files that it imports, so that an edited plug-in is another plug-in.
    """

    kind: str
    name: str
    summary: str
    knobs: tuple[Knob, ...]
    facts: Mapping[str, object]
    path: Path
    line: int
    object_name: str
    module: str | None
    origin: str
    digest: str
    text: str = ""

    @property
    def weight(self) -> float:
        """The literature's weight of a loss beside an adversarial term."""
        value = self.facts.get("weight", 1)
        return float(value) if isinstance(value, int | float) else 1.0

    @property
    def adversarial(self) -> bool:
        """Whether a loss judges by a discriminator's logits."""
        return bool(self.facts.get("adversarial", False))

    @property
    def penalty(self) -> bool:
        """Whether a loss is a term of the critic's own, beside an adversarial one."""
        return bool(self.facts.get("penalty", False))

    @property
    def licence(self) -> str:
        """The licence that a plug-in states when it differs from ours, otherwise empty."""
        return str(self.facts.get("licence", ""))

    @property
    def version(self) -> int:
        """The version of a metric's definition; a change of its numbers raises it."""
        value = self.facts.get("version", 1)
        return value if isinstance(value, int) else 1

    @property
    def paper(self) -> str:
        """The fact `paper`, otherwise the first DOI or arXiv number in the docstrings, or empty."""
        if "paper" in self.facts:
            return str(self.facts["paper"])
        words = (word.strip("(),.:;[]") for word in self.text.split())
        return next((word for word in words if word.lower().startswith(("doi:", "arxiv:"))), "")

    def knob(self, name: str) -> Knob:
        """Return the knob of that name, or raise KeyError."""
        for knob in self.knobs:
            if knob.name == name:
                return knob
        raise KeyError(name)


class _Unreadable(Exception):
    """A mark that no card can be read from; `line` tells where."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def read_cards(path: Path, module: str | None = None, origin: str = "file") -> list[Card]:
    """Read the cards of one source file without running it.

    Args:
        path: a Python file.
        module: its dotted import name; None for a file outside any package.
        origin: where it was found: "built-in", "file", "folder" or "package NAME".

    Returns:
        One card for each marked function or class, in the order of the file.

    Raises:
        UsageError: the file is missing, is not Python, or holds a mark that is not literal.
    """
    source = read_source(path)
    if b"denoisebench" not in source:  # a mark has to be imported, so this file holds none
        return []
    tree = parse_source(source, path)
    try:
        marked = list(_marked(tree))
        if not marked:
            return []
        digest = source_digest(path, module)
        return [
            _card(definition, call, kind, tree, path, module, origin, digest)
            for definition, call, kind in marked
        ]
    except _Unreadable as error:
        raise UsageError(f"{path}, line {error.line}: {error}") from None
    except RecursionError:
        raise UsageError(f"{path} cannot be read: it is nested too deeply") from None


def _marked(tree: ast.Module) -> Iterator[tuple[Definition, ast.Call, str]]:
    names, modules = _imported_marks(tree)
    top = {id(node) for node in tree.body}
    for node in statements(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        marks = []
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            kind = _kind(called, names, modules)
            if kind is None:
                continue
            if not isinstance(decorator, ast.Call):
                reason = f'the mark needs a name: @{kind}("{node.name}")'
                raise _Unreadable(decorator.lineno, reason)
            marks.append((decorator, kind))
        if not marks:
            continue
        if id(node) not in top or isinstance(node, ast.AsyncFunctionDef):
            reason = f"{node.name} must be a plain function or class at the top level of its file"
            raise _Unreadable(node.lineno, reason)
        if len(marks) > 1:
            raise _Unreadable(marks[1][0].lineno, f"{node.name} has two marks; one is accepted")
        yield node, *marks[0]


def _imported_marks(tree: ast.Module) -> tuple[dict[str, str], set[str]]:
    names: dict[str, str] = {}
    modules: set[str] = set()
    for node in statements(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module in _MARK_MODULES:
            for alias in node.names:
                kinds = KINDS if alias.name == "*" else (alias.name,)
                names |= {alias.asname or kind: kind for kind in kinds if kind in KINDS}
        elif isinstance(node, ast.Import):
            modules |= {a.asname or a.name for a in node.names if a.name in _MARK_MODULES}
    return names, modules


def _kind(called: ast.expr, names: Mapping[str, str], modules: set[str]) -> str | None:
    if isinstance(called, ast.Name):
        return names.get(called.id)
    if isinstance(called, ast.Attribute) and called.attr in KINDS:
        return called.attr if ast.unparse(called.value) in modules else None
    return None


def _card(
    definition: Definition,
    call: ast.Call,
    kind: str,
    tree: ast.Module,
    path: Path,
    module: str | None,
    origin: str,
    digest: str,
) -> Card:
    name, facts = _name_and_facts(call, kind)
    own = ast.get_docstring(definition) or ""
    about = ast.get_docstring(tree) or ""
    arguments, inner = _arguments(definition, kind, facts)
    documented = _documented_knobs(f"{own}\n{inner}")
    return Card(
        kind=kind,
        name=name,
        summary=(own or about).partition("\n")[0].strip(),
        knobs=tuple(_knobs(arguments, documented)) if arguments else (),
        facts=facts,
        path=path,
        line=definition.lineno,
        object_name=definition.name,
        module=module,
        origin=origin,
        digest=digest,
        text="\n\n".join(part for part in (about, own) if part),
    )


def _name_and_facts(call: ast.Call, kind: str) -> tuple[str, dict[str, object]]:
    if len(call.args) != 1 or any(keyword_.arg is None for keyword_ in call.keywords):
        reason = f'write @{kind}("name", fact=value, …) with one name and every fact spelled out'
        raise _Unreadable(call.lineno, reason)
    name = _literal(call.args[0], f"the name of a {kind}")
    if not isinstance(name, str) or not _is_name(name):
        reason = f"a {kind}'s name is a Python identifier in quotes, got {name!r}"
        raise _Unreadable(call.lineno, reason)
    facts = {k.arg: _literal(k.value, f"the fact {k.arg!r}") for k in call.keywords if k.arg}
    weight = facts.get("weight", 1)
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    endless = isinstance(weight, int) and abs(weight) > sys.float_info.max  # repr refuses those
    if endless or not number or not 0 < weight < math.inf:  # type: ignore[operator]
        got = "one too large" if endless else repr(weight)
        raise _Unreadable(call.lineno, f"weight is a number greater than 0, got {got}")
    wrong = _misfit(kind, facts)
    if wrong:
        raise _Unreadable(call.lineno, wrong)
    return name, facts


def _misfit(kind: str, facts: Mapping[str, object]) -> str:
    """Say which fact is not what its kind needs: better now than after a training."""
    if kind == "metric" and facts.get("better") not in ("higher", "lower"):
        return f'a metric says better="higher" or better="lower", got {facts.get("better")!r}'
    multiple = facts.get("multiple", 1)
    if not isinstance(multiple, int) or isinstance(multiple, bool) or multiple < 1:
        return f"multiple is a whole number from 1, got {multiple!r}"
    tune = facts.get("tune", {})
    if not isinstance(tune, Mapping) or not all(isinstance(v, list | tuple) for v in tune.values()):
        return f"tune maps names of knobs to the values that are tried, got {tune!r}"
    try:
        json.dumps(facts)
    except (TypeError, ValueError):
        return "facts are text, numbers, true, false, None, and lists or maps of these"
    return ""


def _is_name(text: str) -> bool:
    # Python reads identifiers in this normal form, so no expression could hold another spelling.
    normal = unicodedata.normalize("NFKC", text) == text
    return normal and text.isidentifier() and not keyword.iskeyword(text)


def _literal(node: ast.expr, what: str) -> object:
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError):
        reason = f"{what} must be a literal, got {ast.unparse(node)[:60]!r}"
        raise _Unreadable(node.lineno, reason) from None
    return value


def _arguments(
    definition: Definition, kind: str, facts: Mapping[str, object]
) -> tuple[ast.arguments | None, str]:
    """Return the arguments that hold the knobs, and the docstring of `__init__` if there is one."""
    adversarial = kind == "loss" and bool(facts.get("adversarial"))
    penalty = kind == "loss" and bool(facts.get("penalty"))
    if adversarial and penalty:
        reason = f"{definition.name} says adversarial and penalty; a loss is one or neither"
        raise _Unreadable(definition.lineno, reason)
    wanted, form = _PENALTY if penalty else _SIGNATURES[kind]
    learns = kind == "baseline" and bool(facts.get("learns"))
    if isinstance(definition, ast.FunctionDef):
        if learns:
            reason = f"{definition.name} learns: a class with the methods fit and __call__"
            raise _Unreadable(definition.lineno, reason)
        if adversarial:
            reason = f"{definition.name} is adversarial: a class with critic and generator methods"
            raise _Unreadable(definition.lineno, reason)
        given, function = len(wanted), definition
    elif adversarial or learns or not wanted:
        initialisers = [
            node
            for node in definition.body
            if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        ]
        if not initialisers:
            return None, ""
        given, form, function = 1, "__init__(self, *, knobs)", initialisers[0]
    else:
        hints = {"loss": "" if penalty else "adversarial=True", "baseline": "learns=True"}
        hint = f"; a class needs {hints[kind]}" if hints.get(kind) else ""
        reason = f"a {'penalty' if penalty else kind} is a function {form}{hint}"
        raise _Unreadable(definition.lineno, reason)
    arguments = function.args
    plain = len(arguments.posonlyargs) + len(arguments.args)
    if plain != given or arguments.vararg or arguments.kwarg or arguments.defaults:
        reason = f"{definition.name} must take {form}: knobs are named and stand after the `*`"
        raise _Unreadable(function.lineno, reason)
    return arguments, (ast.get_docstring(function) or "") if function is not definition else ""


def _knobs(arguments: ast.arguments, documented: Mapping[str, str]) -> Iterator[Knob]:
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is None:
            raise _Unreadable(argument.lineno, f"the knob {argument.arg!r} needs a default")
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        value = _literal(default, f"the default of the knob {argument.arg!r}")
        yield Knob(argument.arg, value, annotation, documented.get(argument.arg, ""))


def _documented_knobs(docstring: str) -> dict[str, str]:
    """Read `name: help` or `name, name: help` under `Knobs:`; deeper lines go on."""
    found: dict[str, str] = {}
    names: list[str] = []
    section: int | None = None  # the column of the heading
    entry = 0  # the column of the names
    for line in docstring.splitlines():
        column = len(line) - len(line.lstrip())
        words = line.strip()
        if words == "Knobs:":
            section, names = column, []
        elif section is None or not words:
            continue
        elif column <= section:
            section = None
        elif not names or column <= entry:
            head, _, help_ = words.partition(":")
            names, entry = [name.strip(" `") for name in head.split(",")], column
            found |= dict.fromkeys(names, help_.strip())
        else:
            found |= {name: f"{found[name]} {words}".strip() for name in names}
    return found
