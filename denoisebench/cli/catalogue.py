"""denoisebench list and denoisebench info: cards, read without running a plug-in."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import UsageError

if TYPE_CHECKING:
    from denoisebench.plugins.card import Card

SECTIONS = ("generators", "discriminators", "losses", "baselines", "metrics", "tasks", "presets")


@click.command("list")
@click.argument("what", required=False, metavar=f"[{'|'.join(SECTIONS)}]")
@options.plugin
@options.as_json
def list_(what: str | None, plugins: tuple[Path, ...], as_json: bool) -> None:
    """List plug-ins, tasks and presets, or one kind of them."""
    from denoisebench.plugins.find import find, nearest

    if what is not None and what not in SECTIONS:
        near = nearest(what, SECTIONS)
        raise UsageError(
            f"nothing is called {what!r}{f'; nearest: {near}' if near else ''}. "
            f"Lists: {', '.join(SECTIONS)}"
        )
    catalogue = find(plugins)
    sections = {name: _entries(name, catalogue.cards) for name in SECTIONS if what in (None, name)}
    problems = [{"file": str(p.path), "reason": p.reason} for p in catalogue.problems]
    if as_json:
        click.echo(json.dumps({**sections, "problems": problems}, indent=1))
        return
    _print_lists(sections)
    for problem in problems:
        click.echo(f"cannot be used: {problem['file']}: {problem['reason']}", err=True)


@click.command()
@click.argument("name")
@click.argument("kind", required=False)
@options.plugin
@options.as_json
def info(name: str, kind: str | None, plugins: tuple[Path, ...], as_json: bool) -> None:
    """Say all about one plug-in, task or preset.

    KIND (generator, loss, metric, …) decides where two kinds share a name.
    """
    from denoisebench.plugins.find import find, nearest, plural

    found: list[dict[str, Any]] = []
    names: list[str] = []
    cards = find(plugins).cards
    for section in SECTIONS:
        entries = _entries(section, cards)
        names += [entry["name"] for entry in entries]
        if kind in (None, section) or (kind is not None and plural(kind) == section):
            found += [entry for entry in entries if entry["name"] == name]
    if not found:
        near = nearest(name, names)
        what = kind or "plug-in, task or preset"
        raise UsageError(
            f"no {what} named {name!r}{f'; nearest: {near}' if near else ''}. "
            "All: denoisebench list"
        )
    if as_json:
        click.echo(json.dumps(found[0] if len(found) == 1 else found, indent=1))
        return
    _print_infos(found)


def _entries(section: str, cards: Sequence["Card"]) -> list[dict[str, Any]]:
    if section in ("tasks", "presets"):
        return _toml_entries(section)
    from denoisebench.plugins.find import plural

    return [_entry(card) for card in cards if plural(card.kind) == section]


def _entry(card: "Card") -> dict[str, Any]:
    from denoisebench.plugins.source import missing_libraries

    entry: dict[str, Any] = {"name": card.name, "kind": card.kind, "summary": card.summary}
    entry |= {key: value for key, value in card.facts.items() if key != "override"}
    entry["knobs"] = [
        {"name": k.name, "default": k.default, "type": k.annotation, "help": k.help}
        for k in card.knobs
    ]
    entry["needs"] = list(missing_libraries(card.path))
    source = {"paper": card.paper, "origin": card.origin, "file": str(card.path), "line": card.line}
    return entry | source | {"digest": card.digest}


def _toml_entries(section: str) -> list[dict[str, Any]]:
    import tomllib

    from denoisebench.home import registry_folder

    found = []
    for path in sorted((registry_folder() / section).glob("*.toml")):
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        found.append({"name": path.stem, "kind": section.removesuffix("s"), **values})
    return found


def _print_lists(sections: dict[str, list[dict[str, Any]]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console() if Console().is_terminal else Console(width=120)
    for section, entries in sections.items():
        grid = Table(title=section, title_justify="left", title_style="bold", box=None)
        grid.add_column(style="cyan", min_width=18)
        grid.add_column()
        for entry in entries:
            licence = f" [{entry['licence']}]" if entry.get("licence") else ""
            origin = entry.get("origin", "built-in")
            where = "" if origin == "built-in" else f" ({origin})"
            needs = ", ".join(entry.get("needs", ()))
            absent = f" (needs {needs}, which is not installed)" if needs else ""
            facts = f"{licence}{where}{absent}"
            grid.add_row(escape(entry["name"]), escape(f"{entry['summary']}{facts}"))
        console.print(grid)


def _print_infos(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True, highlight=False)
    for entry in found:
        console.print(f"[bold cyan]{escape(entry['name'])}[/] · {entry['kind']}")
        console.print(escape(entry["summary"]))
        shown = {k: v for k, v in entry.items() if k not in ("name", "kind", "summary", "knobs")}
        for key, value in shown.items():
            text = f"{value:,}" if isinstance(value, int) and key == "parameters" else str(value)
            console.print(f"  {escape(key):<14} {escape(text)}") if text else None
        for knob in entry.get("knobs") or ():
            kind = f": {knob['type']}" if knob["type"] else ""
            head = f"{knob['name']}{kind} = {knob['default']!r}"
            console.print(f"  knob {escape(head)}\n       {escape(knob['help'])}")
