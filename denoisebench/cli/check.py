"""denoisebench check."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import UsageError

if TYPE_CHECKING:
    from denoisebench.plugins.expression import Part
    from denoisebench.plugins.find import Catalogue

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "known": ("!", "yellow"),
         "skipped": ("-", "yellow")}  # fmt: skip


@click.command()
@click.argument("what", metavar="NAME|FILE", nargs=-1, required=True)
@options.plugin
@options.as_json
def check(what: tuple[str, ...], plugins: tuple[Path, ...], as_json: bool) -> int:
    """Hold plug-ins to the contracts of their kind; say what fails, and how to mend it.

    NAME may set knobs, "unet7(norm='batch')"; FILE stands for every plug-in in it.
    """
    from denoisebench.plugins.find import find

    files = [Path(text) for text in what if text.endswith(".py")]
    catalogue = find([*plugins, *files])
    parts = [part for text in what for part in _parts(text, catalogue)]

    from denoisebench.plugins import contracts

    failed = 0
    answers: list[dict[str, Any]] = []
    for part in parts:
        outcomes = contracts.check(part)
        failed += sum(not outcome.passed for outcome in outcomes)
        answers.append(
            {
                "kind": part.card.kind,
                "name": part.bare,
                "file": str(part.card.path),
                "contracts": [vars(outcome) for outcome in outcomes],
            }
        )
    if as_json:
        click.echo(json.dumps(answers, indent=1))
    else:
        _print(answers)
    return 1 if failed else 0


def _parts(text: str, catalogue: "Catalogue") -> list["Part"]:
    """The plug-ins that a file holds, or those that a name with knobs stands for."""
    from denoisebench.plugins.expression import Part, alone, parse
    from denoisebench.plugins.find import nearest

    if text.endswith(".py"):
        place = Path(text).resolve()
        return [Part(c, 1.0, {}) for c in catalogue.cards if c.path.resolve() == place]
    (term, *others) = parse(text)
    if others or term.weight is not None:
        raise UsageError(f"check takes one plug-in at a time, got {text!r}")
    cards = [card for card in catalogue.cards if card.name == term.name]
    if not cards:
        near = nearest(term.name, [card.name for card in catalogue.cards])
        hint = f"; nearest: {near}" if near else ""
        raise UsageError(f"no plug-in named {term.name!r}{hint}. All: denoisebench list")
    parts: list[Part] = []
    refused: list[UsageError] = []
    for card in cards:  # a loss and a metric may share a name, and not all knobs
        try:
            parts.append(alone(card, term))
        except UsageError as error:
            refused.append(error)
    if not parts:
        raise refused[0]
    return parts


def _print(answers: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True, highlight=False)
    for answer in answers:
        outcomes = answer["contracts"]
        good = sum(outcome["status"] != "failed" for outcome in outcomes)
        console.print(
            f"[bold]{escape(answer['name'])}[/] · {answer['kind']} · {good} of {len(outcomes)} kept"
        )
        for outcome in outcomes:
            sign, colour = MARKS[outcome["status"]]
            console.print(f"  [{colour}]{sign}[/] {outcome['name'].replace('_', ' ')}")
            if outcome["message"]:
                console.print(f"      {escape(outcome['message'])}")
            if outcome["mend"]:
                console.print(f"      mend: {escape(outcome['mend'])}")
