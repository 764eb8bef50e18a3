"""Write the catalogue page from the cards when the documentation is built."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from denoisebench.plugins.card import Card
from denoisebench.plugins.expression import Part
from denoisebench.plugins.find import find, plural

SIDE = 512


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add catalogue.md, which is no file of the repository."""
    files.append(File.generated(config, "catalogue.md", content=page()))
    return files


def page() -> str:
    """All built-in cards, a table a kind."""
    parts = [
        "# Catalogue",
        "What comes with denoisebench, from the cards of the plug-ins themselves. "
        f"Multiply-accumulates (MACs) are for one slice of {SIDE}² with default knobs. "
        "`denoisebench info NAME` says more.",
    ]
    for kind in ("generator", "discriminator", "loss", "baseline", "metric"):
        cards = [card for card in find().of(kind) if card.origin == "built-in"]
        parts += [f"## {plural(kind).capitalize()}", table(kind, cards)]
    return "\n\n".join(parts) + "\n"


def table(kind: str, cards: list[Card]) -> str:
    """One Markdown table."""
    heads = {
        "generator": ("parameters", "MACs"),
        "discriminator": ("parameters", "MACs"),
        "loss": ("weight", "role"),
        "baseline": ("tuned", "licence"),
        "metric": ("unit", "better"),
    }[kind]
    rows = [("name", "what it is", "knobs", *heads, "paper"), ("---",) * (len(heads) + 4)]
    for card in cards:
        knobs = ", ".join(f"`{knob.name}={knob.default!r}`" for knob in card.knobs)
        rows.append((f"`{card.name}`", card.summary, knobs, *facts(card), link(card.paper)))
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows
    )


def facts(card: Card) -> tuple[str, str]:
    """The two columns that differ from kind to kind."""
    if card.kind in ("generator", "discriminator"):
        from denoisebench.scoring.cost import macs

        return (
            f"{card.facts['parameters']:,}",
            f"{macs(Part(card, 1.0, {}), (SIDE, SIDE)) / 1e9:,.1f} G",
        )
    if card.kind == "loss":
        role = "GAN" if card.adversarial else "penalty" if card.facts.get("penalty") else "pixel"
        return f"{card.weight:g}" if role != "GAN" else "", role
    if card.kind == "baseline":
        return ", ".join(f"`{name}`" for name in card.facts.get("tune", {})), card.licence
    return str(card.facts.get("unit", "")), str(card.facts["better"])


def link(paper: str) -> str:
    """Link a DOI or an arXiv number."""
    kind, _, number = paper.partition(":")
    hosts = {"doi": "https://doi.org/", "arxiv": "https://arxiv.org/abs/"}
    return f"[{paper}]({hosts[kind.lower()]}{number})" if kind.lower() in hosts else ""
