"""Boards for a terminal, for documents, for machines, for papers: all from the same cells.

`latex`, `html`, `model_card` and `bibtex` are modules of their own, imported by who needs them.
"""

from denoisebench.board.render.commonmark import markdown
from denoisebench.board.render.frame import notes, title
from denoisebench.board.render.terminal import print_tables, table
from denoisebench.board.render.values import as_csv, as_json, as_rows

__all__ = [
    "as_csv",
    "as_json",
    "as_rows",
    "markdown",
    "notes",
    "print_tables",
    "table",
    "title",
]
