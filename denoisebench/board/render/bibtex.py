"""BibTeX of the papers behind a board: of its methods, its metrics and its task's references."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from bibtexparser.entrypoint import parse_string, write_string
from bibtexparser.library import Library
from bibtexparser.model import Entry as Paper
from bibtexparser.model import Field
from bibtexparser.writer import BibtexFormat

from denoisebench.board.render.latex import escape
from denoisebench.board.render.plain import plain
from denoisebench.board.seeds import Entry
from denoisebench.errors import UsageError
from denoisebench.home import registry_folder
from denoisebench.plugins.card import Card
from denoisebench.plugins.expression import parse
from denoisebench.plugins.find import Catalogue
from denoisebench.scoring.result import Result
from denoisebench.task import load_task, task_names
from denoisebench.training.recipe import Recipe

_NUMBER = re.compile(r"\b(doi|arxiv):\s*([^\s,;]+)", re.IGNORECASE)


def bibtex(entries: Sequence[Entry], catalogue: Catalogue) -> str:
    """Write the papers that the cards of all plug-ins behind some runs name, each once.

    A paper that no entry of `registry/papers.bib` is for, as of a plug-in from elsewhere, is told
    in its card's own words.

    Args:
        entries: see `denoisebench.board.board.collect`.
        catalogue: where the cards are looked up; a plug-in that is not in it is left out.
    """
    found: dict[str, Paper] = {}
    cards = {(card.kind, card.name): card for card in catalogue.cards}
    named = dict.fromkeys(name for entry in entries for name in _plugins(entry))
    for card in (cards[name] for name in named if name in cards):
        found |= {paper.key: paper for paper in papers(card)}
    return written([found[key] for key in sorted(found)])


def written(papers: Sequence[Paper]) -> str:
    """Write entries as BibTeX."""
    layout = BibtexFormat()  # type: ignore[no-untyped-call]
    layout.indent = "  "
    layout.block_separator = "\n"
    layout.trailing_comma = True
    return write_string(Library([*papers]), bibtex_format=layout)


def papers(card: Card) -> list[Paper]:
    """Return the papers that a card names; one in its own words where it is known by no number."""
    known = published()
    numbers = list(dict.fromkeys(paper_numbers(f"{card.facts.get('paper', '')} {card.text}")))
    found = [known[number] for number in numbers if number in known]
    unknown = [number for number in numbers if number not in known]
    if unknown or (card.paper and not numbers):
        found.append(_foreign(card, unknown))
    return found


def paper_numbers(text: str) -> Iterator[str]:
    """Yield `doi:10.…` and `arxiv:…` as a text names them, in lower case."""
    for found in _NUMBER.finditer(text):
        number = found[2].rstrip(".:]")
        while number.endswith(")") and number.count(")") > number.count("("):
            number = number[:-1].rstrip(".:]")
        yield f"{found[1]}:{number}".lower()


@cache
def published() -> dict[str, Paper]:
    """Read `registry/papers.bib`: number, as `paper_numbers` yields it → entry."""
    text = (registry_folder() / "papers.bib").read_text(encoding="utf-8")
    library = parse_string(text)
    found = {}
    for paper in library.entries:
        fields = {field.key: str(field.value) for field in paper.fields}
        if "doi" in fields:
            found[f"doi:{fields['doi']}".lower()] = paper
        if "eprint" in fields:
            found[f"arxiv:{fields['eprint']}".lower()] = paper
    return found


def _foreign(card: Card, numbers: Sequence[str]) -> Paper:
    fields = {"title": f"{card.name}: {card.summary}"}
    if card.facts.get("paper"):
        fields["note"] = card.paper
    for number in numbers:
        kind, _, value = number.partition(":")
        fields.setdefault("doi" if kind == "doi" else "eprint", value)
    key = re.sub(r"[^a-z0-9]+", "-", f"{card.kind} {card.name}".lower()).strip("-")
    return Paper("misc", key, [Field(name, escape(plain(text))) for name, text in fields.items()])


def _plugins(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield kind and name of each plug-in behind a run."""
    result = entry.result
    yield from (("baseline", name) for name in _references(result))
    yield from (("metric", name) for text in result.metrics for name in _names(text))
    if result.kind == "baseline":
        yield from (("baseline", name) for name in _names(result.method))
        return
    recipe = _recipe(entry)
    if recipe is not None:
        for plugin in recipe.plugins:
            kind, _, name = plugin.partition(" ")
            yield kind, name
        return
    generator, _, losses = result.method.partition(" · ")
    yield from (("generator", name) for name in _names(generator))
    yield from (("loss", name) for name in _names(losses))


def _recipe(entry: Entry) -> Recipe | None:
    """The run's recipe, which names the discriminator too; None where there is none to read."""
    if entry.path is None:
        return None
    try:
        return Recipe.read(entry.path / "recipe.toml")
    except UsageError:
        return None


def _names(text: str) -> Iterable[str]:
    try:
        return [term.name for term in parse(text)]
    except UsageError:
        return []


def _references(result: Result) -> Sequence[str]:
    # A result is no reason to open a file: a task of its own names its papers in its rows.
    return load_task(result.task).references if result.task in task_names() else ()
