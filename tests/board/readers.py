"""Readers of each format, as strict as those of the world outside."""

import csv
import io
import re
import unicodedata
from html.parser import HTMLParser

import pyte
import yaml
from pylatexenc.latex2text import (
    LatexNodes2Text,
    MacroTextSpec,
    get_default_latex_context_db,
)
from pylatexenc.latexwalker import (
    LatexCharsNode,
    LatexCommentNode,
    LatexEnvironmentNode,
    LatexGroupNode,
    LatexMacroNode,
    LatexMathNode,
    LatexSpecialsNode,
    LatexWalker,
)

LATEX_MACROS = {
    "begin", "end", "centering", "small", "caption", "toprule", "midrule", "bottomrule", "par",
    "footnotesize", "\\", "ensuremath", "pm", "texttt",
    "#", "$", "%", "&", "_",
    "textbackslash", "textasciitilde", "textasciicircum", "textasciigrave", "textquotedbl",
    "textless", "textgreater", "textbar", "textbraceleft", "textbraceright", "textperiodcentered",
    "textuparrow", "textdownarrow", "ldots",
}  # fmt: skip


class Page(HTMLParser):
    """The elements of a page with their attributes, its cells and its other texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.tables: list[list[list[str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.texts = [found.strip() for found in self.texts]
        self.tables = [[[cell.strip() for cell in row] for row in rows] for rows in self.tables]

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, tuple(attributes)))
        self._open = [*self._open, tag] if tag != "meta" else self._open
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("h1", "h2", "h3", "li", "p", "caption", "title"):
            self.texts.append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        inner = self._open[-1] if self._open else ""
        if inner in ("td", "th"):
            self.tables[-1][-1][-1] += data
        elif self.texts and inner != "style":
            self.texts[-1] += data

    def handle_comment(self, data):
        self.elements.append(("comment", ()))

    def handle_pi(self, data):
        self.elements.append(("instruction", ()))

    def unknown_decl(self, data):
        self.elements.append(("declaration", ()))


def spreadsheet(text: str) -> list[list[str]]:
    """The cells of a CSV; AssertionError where a spreadsheet would compute one."""
    rows = list(csv.reader(io.StringIO(text)))
    for cell in (cell for row in rows for cell in row):
        assert not any(unicodedata.category(letter) in ("Cc", "Cf") for letter in cell)
        for part in cell.split(";"):
            bare = unicodedata.normalize("NFKC", part).lstrip(" \"'`")
            is_formula = bare[:1] in tuple("=+-@|%") and not re.fullmatch(r"-?[\d.e+-]+", cell)
            assert not is_formula or part.startswith("'"), part
    return rows


def latex_shape(text: str, known: set[str] = LATEX_MACROS) -> list[str]:
    """What LaTeX would do, in its order; AssertionError at a macro that is none of ours."""
    found: list[str] = []
    nodes, _, _ = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()

    def walk(nodes):
        for node in nodes or ():
            if isinstance(node, LatexMacroNode):
                assert node.macroname in known, node.macroname
                if node.macroname in ("caption", "\\", "toprule", "midrule", "bottomrule", "par"):
                    found.append(node.macroname)
                walk(node.nodeargd.argnlist if node.nodeargd else ())
            elif isinstance(node, LatexEnvironmentNode):
                found.append(f"begin {node.environmentname}")
                walk(node.nodelist)
                found.append(f"end {node.environmentname}")
            elif isinstance(node, LatexGroupNode):
                walk(node.nodelist)
            elif isinstance(node, LatexMathNode):
                assert node.latex_verbatim() == "$-$", node.latex_verbatim()
            elif isinstance(node, LatexSpecialsNode):
                assert node.specials_chars in ("&", "--", "---", "''", "``"), node.specials_chars
                if node.specials_chars == "&":
                    found.append("&")
            elif isinstance(node, LatexCommentNode):
                assert text.startswith(f"%{node.comment}"), node.comment
            elif isinstance(node, LatexCharsNode):
                assert not set(node.chars) & set("&#$%_^~\\{}"), node.chars
                assert node.chars.isascii()

    walk(nodes)
    return found


def latex_text(text: str) -> str:
    """What LaTeX would print; letters written by their number are read back."""
    signs = {"textquotedbl": '"', "textbar": "|", "textless": "<", "textgreater": ">",
             "textbraceleft": "{", "textbraceright": "}", "textasciicircum": "^",
             "textasciitilde": "~", "textasciigrave": "`"}  # fmt: skip
    known = get_default_latex_context_db()
    own = [MacroTextSpec(name, sign) for name, sign in signs.items()]
    own.append(MacroTextSpec("texttt", _numbered))
    known.add_context_category("ours", macros=own, prepend=True)
    return LatexNodes2Text(latex_context=known).latex_to_text(text)


def _numbered(node):
    (letter,) = node.nodeargd.argnlist
    return chr(int(letter.latex_verbatim().strip("{}").removeprefix("U+"), 16))


def screen(text: str, columns: int) -> list[str]:
    """What stands on a terminal after a text; AssertionError where it did more than that."""
    lines = text.count("\n") + 1
    terminal = pyte.Screen(columns, lines)
    terminal.set_mode(pyte.modes.LNM)
    modes = set(terminal.mode)
    pyte.Stream(terminal).feed(text)
    assert (terminal.title, terminal.icon_name, terminal.mode) == ("", "", modes)
    plain = terminal.default_char._replace(data="")
    styles = {cell._replace(data="") for row in terminal.buffer.values() for cell in row.values()}
    assert styles <= {plain}
    return [line.rstrip() for line in terminal.display]


def front_matter(text: str) -> tuple[dict, str]:
    """The metadata of a model card, and what comes after."""
    head, rest = text.removeprefix("---\n").split("\n---\n", 1)
    return yaml.safe_load(head), rest
