"""`denoisebench.list`: the cards of plug-ins, read without running one."""

from collections.abc import Sequence
from pathlib import Path

from denoisebench.errors import UsageError
from denoisebench.plugins.card import KINDS, Card
from denoisebench.plugins.find import find, nearest, plural


class Cards(tuple[Card, ...]):
    """Cards in the order of their kinds and names; each has `name`, `summary`, `knobs`, `facts`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(f"{card.kind:<14}{card.name:<18}{card.summary}" for card in self)

    def _repr_markdown_(self) -> str:
        from denoisebench.board.render.commonmark import escape
        from denoisebench.board.render.plain import plain

        rows = [("name", "kind", "what it is", "knobs"), ("---",) * 4]
        for card in self:
            knobs = ", ".join(f"{knob.name}={knob.default!r}" for knob in card.knobs)
            cells = (card.name, card.kind, card.summary, knobs)
            rows.append(tuple(escape(plain(cell)) for cell in cells))  # type: ignore[arg-type]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def list(kind: str | None = None, *, plugins: Sequence[str | Path] = ()) -> Cards:
    """Give the cards of all plug-ins in reach, or of one kind; none of them is run.

    Args:
        kind: generator, discriminator, loss, baseline or metric.
        plugins: Python files with plug-ins of your own.
    Raises:
        UsageError: there is no such kind.
    """
    if kind is not None and kind not in KINDS and kind not in map(plural, KINDS):
        near = nearest(kind, KINDS)
        raise UsageError(
            f"nothing is called {kind!r}{f'; nearest: {near}' if near else ''}. "
            f"Lists: {', '.join(KINDS)}"
        )
    cards = find([Path(file) for file in plugins]).cards
    return Cards(card for card in cards if kind in (None, card.kind, plural(card.kind)))
