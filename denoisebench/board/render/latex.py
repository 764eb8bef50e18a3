"""Boards as LaTeX tables for a paper."""

import re
from collections.abc import Sequence

from pylatexenc.latexencode import (
    RULE_CALLABLE,
    RULE_DICT,
    RULE_REGEX,
    UnicodeToLatexConversionRule,
    UnicodeToLatexEncoder,
    get_builtin_conversion_rules,
)

from denoisebench.board.board import Board
from denoisebench.board.render.frame import WORDS, Table, frame

HEAD = "% Needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}."

# BibTeX counts braces even behind a backslash, so here they have names; the rest stand for other
# signs in some fonts.
_NAMED = {
    "{": r"\textbraceleft",
    "}": r"\textbraceright",
    "<": r"\textless",
    ">": r"\textgreater",
    "|": r"\textbar",
    '"': r"\textquotedbl",
    "`": r"\textasciigrave",
}
_RUNS = [(re.compile(r"([-',])(?=\1)"), r"\1{}")]  # two of them would be another sign
_MINUS = re.compile(r"(?<![^\s\[])-(?=\d)")
_SCRIPTS = ((0x20, 0x148), (0x14A, 0x17F), (0x391, 0x3C9))  # Latin and Greek
_SIGNS = "–—‘’“”•…←↑→↓∂∇∈∑√∞∫≈≠≤≥"


def _foreign(text: str, place: int) -> tuple[int, str] | None:
    """Write by its number what LaTeX's own macros cannot write."""
    number = ord(text[place])
    if text[place] in _SIGNS or any(first <= number <= last for first, last in _SCRIPTS):
        return None
    return 1, rf"\texttt{{U+{number:04X}}}"


_ENCODER = UnicodeToLatexEncoder(
    conversion_rules=[
        UnicodeToLatexConversionRule(RULE_DICT, {ord(k): v for k, v in _NAMED.items()}),
        UnicodeToLatexConversionRule(RULE_REGEX, _RUNS),
        UnicodeToLatexConversionRule(RULE_CALLABLE, _foreign),
        *get_builtin_conversion_rules("defaults"),
    ],
    replacement_latex_protection="braces-after-macro",
    unknown_char_policy="unihex",
    unknown_char_warning=False,
)


def escape(text: str) -> str:
    """Write text so that LaTeX prints it as it is; ASCII, and braces that BibTeX can count."""
    latex: str = _ENCODER.unicode_to_latex(text)
    return latex


def latex(boards: Sequence[Board]) -> str:
    """Render boards as floating tables; a document takes them in with \\input."""
    parts = [HEAD]
    for board in boards:
        shown = frame(board)
        for number, table in enumerate(shown.tables):
            caption = ": ".join(part for part in (shown.title, table.title) if part)
            notes = shown.notes if number == 0 else ()
            parts.append(_float(table, caption, notes))
    return "\n\n".join(parts) + "\n"


def _float(table: Table, caption: str, notes: Sequence[str]) -> str:
    columns = "".join("l" if name in WORDS else "r" for name in table.header)
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{escape(caption)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _row(table.header),
        r"\midrule",
        *map(_row, table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\footnotesize {escape(note)}" for note in notes),
        r"\end{table}",
    ]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    # The braces end what came before: \\ takes a bracket or a star that follows it for its own.
    return "{}" + " & ".join(_MINUS.sub("$-$", escape(cell)) for cell in cells) + r" \\"
