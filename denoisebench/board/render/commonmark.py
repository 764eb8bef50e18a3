"""Boards as Markdown, for GitHub, mkdocs and whoever else reads tables with bars."""

import re
from collections.abc import Sequence

from denoisebench.board.board import Board
from denoisebench.board.render.frame import WORDS, Frame, Table, frame

# CommonMark undoes a backslash before any mark, Python-Markdown before some only; both read
# references, so those stand where a mark could open a tag, a cell, a formula or a link.
_ESCAPES = str.maketrans(
    {letter: f"\\{letter}" for letter in "\\`*_{}[]#!"}
    | {letter: f"&#{ord(letter)};" for letter in "<>&|~$^="}
)
_LINK = re.compile(r"(?<=[A-Za-z]):(?=//)|(?<=www)\.|@", re.IGNORECASE)
_OPENING = re.compile(r"^(\d*)([-+.):])(?=[-\s]|$)")


def markdown(boards: Sequence[Board]) -> str:
    """Render boards as Markdown tables."""
    return "\n\n".join(f"### {section(frame(board))}" for board in boards) + "\n"


def section(shown: Frame) -> str:
    """Render what a board says; the title stands first, and opens neither a list nor a heading."""
    parts = [_line(shown.title)]
    for table in shown.tables:
        parts += [f"{_line(table.title)}:"] if table.title else []
        parts.append(grid(table))
    parts += ["\n".join(f"- {_line(note)}" for note in shown.notes)] if shown.notes else []
    return "\n\n".join(parts)


def grid(table: Table) -> str:
    """Render one table."""
    bar = ["---" if name in WORDS else "---:" for name in table.header]
    rows = [table.header, *table.rows]
    lines = ["| " + " | ".join(map(escape, row)) + " |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join(bar) + " |", *lines[1:]])


def escape(text: str) -> str:
    """Write text so that Markdown shows it as it is, within a line."""
    return _LINK.sub(lambda found: f"&#{ord(found[0])};", text.translate(_ESCAPES))


def _line(text: str) -> str:
    """Write text that begins a line: it opens no list."""
    safe = escape(text)
    return _OPENING.sub(lambda found: f"{found[1]}&#{ord(found[2])};", safe)
