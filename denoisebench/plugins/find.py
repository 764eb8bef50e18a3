"""Find plug-ins: built-ins, installed packages, folders and files take one path to their cards."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from denoisebench.errors import UsageError
from denoisebench.plugins.card import KINDS, Card, read_cards

FOLDERS_VARIABLE = "DENOISEBENCH_PLUGINS"
ENTRY_POINTS = "denoisebench.plugins"
BUILT_INS = "denoisebench.registry"


@dataclass(frozen=True)
class Problem:
    """A file whose plug-ins cannot be listed or used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Catalogue:
    """All cards that were found, in the order of the kinds and then of the names."""

    cards: tuple[Card, ...]
    problems: tuple[Problem, ...] = ()

    def of(self, kind: str) -> tuple[Card, ...]:
        """Return the cards of one kind, by name."""
        return tuple(card for card in self.cards if card.kind == kind)

    def get(self, kind: str, name: str) -> Card:
        """Return one card, or raise UsageError with the nearest name."""
        for card in self.cards:
            if (card.kind, card.name) == (kind, name):
                return card
        raise UsageError(self._unknown(kind, name))

    def _unknown(self, kind: str, name: str) -> str:
        for problem in self.problems:
            if problem.path.stem == name:
                return f"no {kind} named {name!r}: its file cannot be read. {problem.reason}"
        near = nearest(name, [card.name for card in self.of(kind)])
        others = [card.kind for card in self.cards if card.name == name]
        hint = f"; nearest: {near}" if near else ""
        if others:
            hint = f"; {name} is a {others[0]}"
        listing = f"All {plural(kind)}: denoisebench list {plural(kind)}"
        shown = name if len(name) <= 60 else f"{name[:60]}…"
        return f"no {kind} named {shown!r}{hint}. {listing}"


def plural(kind: str) -> str:
    """Return the word that the command line uses for all plug-ins of a kind."""
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the name that is most like the one given, or an empty string."""
    from difflib import get_close_matches  # only a mistake pays for this import

    found = get_close_matches(name.lower(), list(names), n=1, cutoff=0.5)
    return found[0] if found else ""


@dataclass(frozen=True)
class _Source:
    """A file to read; `named` tells that the user named this very file."""

    path: Path
    module: str | None
    origin: str
    named: bool = False


def find(files: Sequence[Path] = ()) -> Catalogue:
    """Read the cards of all plug-ins in reach; no plug-in file is run.

    Later sources come after earlier ones: built-ins, installed packages with the entry point group
    `denoisebench.plugins`, folders in `$DENOISEBENCH_PLUGINS`, `files`.

    Args:
        files: plug-in files that the user named.

    Raises:
        UsageError: a named file is missing, unreadable or without a plug-in; or two plug-ins of one
            kind have one name and the later does not say `override=True`.
    """
    cards: dict[tuple[str, str], Card] = {}
    problems: list[Problem] = []
    seen: set[Path] = set()
    for source in _sources(files):
        if isinstance(source, Problem):
            problems.append(source)
            continue
        place = source.path.resolve()
        if place in seen:
            continue
        seen.add(place)
        try:
            read = read_cards(source.path, source.module, source.origin)
        except UsageError as error:
            if source.named:
                raise
            problems.append(Problem(source.path, str(error)))
            continue
        if source.named and not read:
            raise UsageError(
                f"{source.path} holds no plug-in; "
                'mark a function: from denoisebench import loss, then @loss("name") above it'
            )
        for card in read:
            _add(card, cards)
    order = {kind: place for place, kind in enumerate(KINDS)}
    ranked = sorted(cards.values(), key=lambda card: (order[card.kind], card.name))
    return Catalogue(tuple(ranked), tuple(problems))


def own_files(catalogue: Catalogue, files: Sequence[Path] = ()) -> list[Path]:
    """Return the user's own plug-in files in the order in which `find` takes them, each once.

    Args:
        catalogue: of `find(files)`; files that hold none of its plug-ins are left out.
        files: see `find`.
    """
    holding = {card.path.resolve() for card in catalogue.cards}
    loose = (
        s for s in _sources(files) if isinstance(s, _Source) and s.origin in ("folder", "file")
    )
    paths = dict.fromkeys(source.path.resolve() for source in loose)
    return [path for path in paths if path in holding]


def _add(card: Card, cards: dict[tuple[str, str], Card]) -> None:
    earlier = cards.get((card.kind, card.name))
    if earlier is not None and card.facts.get("override") is not True:
        raise UsageError(
            f"two {plural(card.kind)} are named {card.name!r}: {earlier.path}, line "
            f"{earlier.line}, and {card.path}, line {card.line}; "
            "rename one, or let the later say override=True"
        )
    cards[card.kind, card.name] = card


def _sources(files: Sequence[Path]) -> Iterator[_Source | Problem]:
    yield from _package(BUILT_INS, "built-in")
    yield from _entry_points()
    for text in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep):
        if not text.strip():
            continue
        folder = Path(text).expanduser()
        if folder.is_dir():
            yield from (_Source(path, None, "folder") for path in _files(folder))
        else:
            yield Problem(folder, f"{folder} is not a folder; ${FOLDERS_VARIABLE} names it")
    yield from (_Source(Path(path), None, "file", named=True) for path in files)


def _entry_points() -> Iterator[_Source | Problem]:
    from importlib.metadata import entry_points

    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.value):
        name = point.dist.name if point.dist else point.name
        yield from _package(point.module, f"package {name}")


def _package(dotted: str, origin: str) -> Iterator[_Source | Problem]:
    try:
        file, folders = _locate(dotted)
    except Exception as error:  # a package's own import machinery may raise anything
        reason = f"{origin}: {dotted} cannot be located: {error}"
        yield Problem(Path(dotted.replace(".", "/")), reason)
        return
    if file is not None:
        yield _Source(file, dotted, origin)
    for folder in folders:
        for path in _files(folder):
            parts = path.relative_to(folder).with_suffix("").parts
            yield _Source(path, ".".join((dotted, *parts)), origin)


def _locate(dotted: str) -> tuple[Path | None, list[Path]]:
    """Find a module's file or a package's folders as import would, without running any of it."""
    name, file = "", None
    folders: list[str] | None = None
    for part in dotted.split("."):
        name = f"{name}.{part}" if name else part
        try:
            specs = (finder.find_spec(name, folders) for finder in sys.meta_path)
            known = getattr(sys.modules.get(name), "__spec__", None)
            spec = known or next((spec for spec in specs if spec is not None), None)
        except KeyError:  # a namespace asks its parent, which is not imported
            inner = [os.path.join(folder, part) for folder in folders or []]
            file, folders = None, [folder for folder in inner if os.path.isdir(folder)]
            continue
        if spec is None:
            raise ModuleNotFoundError(f"no module named {name}")
        file = Path(spec.origin) if spec.has_location and spec.origin else None
        found = spec.submodule_search_locations
        folders = None if found is None else list(found)
    if file is None and folders is None:
        raise ModuleNotFoundError(f"{name} has no source file")
    return (file, []) if folders is None else (None, [Path(folder) for folder in folders])


def _files(folder: Path) -> Iterator[Path]:
    """Yield the plug-in files below a folder; hidden, private and test files are none."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(("_", ".")))
        for name in sorted(names):
            if name.endswith(".py") and not name.startswith(("_", ".", "test_")):
                yield Path(place, name)
