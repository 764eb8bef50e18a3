"""Expressions: the text that names plug-ins with weights and knobs.

    expression = term ("+" term)*
    term       = [number "*"] name ["(" knob "=" literal ("," knob "=" literal)* ")"]

This is a subset of Python's own grammar, so `ast.parse` reads it and tells the column of a mistake.
Nothing is evaluated.
"""

import ast
import math
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from denoisebench.errors import UsageError
from denoisebench.plugins.card import Card
from denoisebench.plugins.find import Catalogue, nearest
from denoisebench.plugins.knob import fitted, literal_text, number_text

LONGEST = 2000
"""Characters; a longer expression is refused unread."""

_SHOWN = 100  # characters of a long expression shown above the caret
_BY_NAME = "a knob is given by name: ssim(window=7)"
_FORM = "write [weight*]name[(knob=value, …)] + …, for example cgan + 100*l1"


@dataclass(frozen=True)
class Term:
    """One term as written; `weight` is None where none was given, `column` counts from 0."""

    weight: float | None
    name: str
    knobs: tuple[tuple[str, object], ...]
    column: int


@dataclass(frozen=True)
class Part:
    """A resolved term; `knobs` are those that differ from the card's defaults, in its order.

    `given` names the knobs that the text set, to whatever value.
    """

    card: Card
    weight: float
    knobs: Mapping[str, object]
    given: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def text(self) -> str:
        """The canonical text of the term, with a weight of 1 left out."""
        return self.bare if self.weight == 1 else f"{number_text(self.weight)}*{self.bare}"

    @property
    def bare(self) -> str:
        """The canonical text of the term without its weight."""
        if not self.knobs:
            return self.card.name
        knobs = ", ".join(f"{name}={literal_text(value)}" for name, value in self.knobs.items())
        return f"{self.card.name}({knobs})"


def parse(text: str) -> tuple[Term, ...]:
    """Read an expression.

    Raises:
        UsageError: it is malformed: the message, the text and a caret below the place, a line each.
    """
    return _Reader(text).terms()


def resolve(
    text: str,
    kind: str,
    catalogue: Catalogue,
    defaults: Mapping[str, Mapping[str, object]] | None = None,
) -> tuple[Part, ...]:
    """Turn an expression into cards with weights and knobs.

    The parts come in canonical order, the adversarial one first, penalties of the critic last, and
    by name between, so that two spellings of one objective are one recipe and add up in one order.

    Args:
        text: the expression.
        kind: the kind of plug-in that its names stand for.
        catalogue: where the names are looked up.
        defaults: name → knobs that hold unless the expression sets them, from a preset. The parts
            then carry them, so canonical text is resolved again without them.

    Raises:
        UsageError: malformed, an unknown name or knob, a value of the wrong type, a weight where
            none is accepted, two adversarial terms, a penalty without one, or one term twice.
    """
    terms = parse(text)
    cards = [catalogue.get(kind, term.name) for term in terms]
    if kind != "loss" and (len(terms) > 1 or terms[0].weight is not None):
        raise UsageError(
            f"{_brief(text)} is no {kind}: a {kind} is one name with knobs, without weight or '+'"
        )
    adversarial = [card.name for card in cards if card.adversarial]
    if len(adversarial) > 1:
        raise UsageError(
            f"{_brief(text)} has two adversarial terms, {' and '.join(adversarial)}; "
            "one is accepted"
        )
    penalties = [card.name for card in cards if card.penalty]
    if penalties and not adversarial:
        raise UsageError(
            f"{_brief(text)} has no critic for {' and '.join(penalties)} to hold back; "
            "add a GAN term such as cgan, or leave it out"
        )
    parts = []
    for term, card in zip(terms, cards, strict=True):
        weight = term.weight
        if weight is None:
            weight = card.weight if adversarial and not card.adversarial else 1.0
        given = {**(defaults or {}).get(card.name, {}), **dict(term.knobs)}
        parts.append(Part(card, weight, _checked_knobs(card, given), frozenset(given)))
    parts.sort(key=_place)
    for one, other in pairwise(parts):
        if one.bare == other.bare:
            raise UsageError(f"{_brief(text)} has {one.bare} twice; give it once with one weight")
    written = len(canonical(parts))
    if written > LONGEST:
        raise UsageError(
            f"{_brief(text)} has {written:,} characters with its knobs; {LONGEST:,} are accepted"
        )
    return tuple(parts)


def alone(card: Card, term: Term) -> Part:
    """Give a card the knobs of a term, whatever an expression would need beside it; weight 1.

    Raises:
        UsageError: an unknown knob, or a value of the wrong type.
    """
    given = dict(term.knobs)
    return Part(card, 1.0, _checked_knobs(card, given), frozenset(given))


def _place(part: Part) -> tuple[bool, bool, str, str]:
    return not part.card.adversarial, part.card.penalty, part.card.name, part.bare


def canonical(parts: Sequence[Part]) -> str:
    """Return the text that every table shows; resolving it gives the same parts.

    A weight of 1 is left out unless that would call for the card's own weight beside an
    adversarial term: `cgan + 1*l1`.
    """
    adversarial = any(part.card.adversarial for part in parts)
    return " + ".join(
        f"1*{part.bare}"
        if adversarial and part.weight == 1 != part.card.weight and not part.card.adversarial
        else part.text
        for part in parts
    )


class _Reader:
    """One reading of one text; what every complaint needs is the text and its tree."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.start = len(text) - len(text.lstrip())  # ast refuses an indented expression

    def terms(self) -> tuple[Term, ...]:
        tree = self.tree()
        operands: list[ast.expr] = []
        waiting: list[ast.expr] = [tree]
        while waiting:  # a loop, since a long sum is a deep tree
            node = waiting.pop()
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                waiting += [node.right, node.left]
            else:
                operands.append(node)
        return tuple(self.term(node) for node in operands)

    def tree(self) -> ast.expr:
        text = self.text
        if not text.strip():
            raise self.wrong(f"the expression is empty; {_FORM}", 0)
        if len(text) > LONGEST:
            raise self.wrong(
                f"the expression has {len(text):,} characters; {LONGEST:,} are accepted", 0
            )
        for column, character in enumerate(text):
            if not character.isprintable() and not (character == "\t" and column < self.start):
                raise self.wrong(f"the character U+{ord(character):04X} has no place here", column)
        try:
            tree = _parsed(text[self.start :])
        except SyntaxError as error:
            raise self.wrong_syntax(error) from None
        except (RecursionError, MemoryError, ValueError):
            raise self.wrong(f"the expression is nested too deeply; {_FORM}", 0) from None
        rest = text[self.end(tree) :]
        if rest.strip(" )"):  # Python takes the rest for a comment
            raise self.wrong(f"'#' has no place here; {_FORM}", len(text) - len(rest.lstrip(" )")))
        return tree

    def term(self, node: ast.expr) -> Term:
        weight: float | None = None
        column = self.column(node)
        if isinstance(node, ast.BinOp):
            if not isinstance(node.op, ast.Mult):
                raise self.wrong(f"only '+' joins terms; {_FORM}", self.operator(node))
            weight, node = self.weight(node), node.right
        if isinstance(node, ast.Call):
            name, knobs = self.name(node.func), self.knobs(node)
        else:
            name, knobs = self.name(node), ()
        return Term(weight, name, knobs, column)

    def weight(self, product: ast.BinOp) -> float:
        left, right = product.left, product.right
        if isinstance(left, ast.Name | ast.Call) and _plain_number(right) is not None:
            raise self.wrong("the weight stands before the name: 100*l1", self.column(right))
        if isinstance(left, ast.BinOp):
            raise self.wrong("a term has one weight: 100*l1", self.column(left.right))
        if isinstance(right, ast.BinOp):
            raise self.wrong("a weight belongs to one name: 100*l1 + 100*ssim", self.column(right))
        value = _plain_number(left)
        if value is None:
            raise self.wrong("a weight is a plain number: 100*l1", self.column(left))
        try:
            weight = float(value)
        except OverflowError:
            weight = math.inf
        if not 0 < weight < math.inf:
            shown = self.text[self.column(left) : self.end(left)]
            reason = f"a weight is a finite number greater than 0, got {shown:.20}"
            raise self.wrong(reason, self.column(left))
        return weight

    def name(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            dot = self.text.index(".", self.end(node.value))
            raise self.wrong("a name has no dots", dot)
        if _plain_number(node) is not None:
            raise self.wrong("a weight needs a name after it: 100*l1", self.column(node))
        column = self.column(node)
        if isinstance(node, ast.Call):
            column = self.end(node)
        elif isinstance(node, ast.Subscript):
            column = self.end(node.value)
        elif isinstance(node, ast.Tuple) and node.elts:
            column = self.end(node.elts[0])
        raise self.wrong(f"a name is expected here; {_FORM}", column)

    def knobs(self, call: ast.Call) -> tuple[tuple[str, object], ...]:
        if call.args:
            raise self.wrong(_BY_NAME, self.column(call.args[0]))
        knobs: dict[str, object] = {}
        for knob in call.keywords:
            if knob.arg is None:
                raise self.wrong(
                    "a knob is given by name, '**' has no place here", self.column(knob)
                )
            if knob.arg in knobs:
                raise self.wrong(f"the knob {knob.arg!r} is given twice", self.column(knob))
            knobs[knob.arg] = self.literal(knob.value)
        return tuple(knobs.items())

    def literal(self, node: ast.expr) -> object:
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(self.literal(item) for item in node.elts)
        value = _plain_number(node)
        if value is not None:
            if isinstance(value, float) and not math.isfinite(value):
                raise self.wrong("a knob's number must be finite", self.column(node))
            return value
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not node.value.isprintable():
                raise self.wrong("a knob's text must be printable", self.column(node))
            return node.value
        if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool)):
            return node.value
        accepted = "a number, a text in quotes, True, False, None or a tuple of these"
        raise self.wrong(f"a knob's value is {accepted}", self.column(node))

    def wrong_syntax(self, error: SyntaxError) -> UsageError:
        """Say what Python says where it says it well; offsets count characters from 1."""
        reason = error.msg.partition(" (detected at")[0]
        column = self.start + (error.offset or 0) - 1
        if reason.startswith("positional argument"):
            return self.wrong(_BY_NAME, self.misplaced(column))
        if not error.offset:
            return self.wrong(f"the expression ends too soon; {_FORM}", len(self.text.rstrip()))
        if not reason.startswith(("'", "unmatched", "unterminated", "too many nested")):
            reason = "this cannot be read"
        return self.wrong(f"{reason}; {_FORM}", column)

    def misplaced(self, otherwise: int) -> int:
        """The column of the first value after a knob: Python points to the end of the call."""
        first = otherwise
        for column, character in enumerate(self.text):
            if character in ",)":
                try:
                    _parsed(self.text[self.start : column] + ")")
                    first = column + 1
                except SyntaxError as error:
                    if error.msg.startswith("positional argument"):
                        break
        return first + len(self.text[first:]) - len(self.text[first:].lstrip())

    def column(self, node: ast.expr | ast.keyword) -> int:
        return self.start + self.characters(node.col_offset)

    def end(self, node: ast.expr) -> int:
        return self.start + self.characters(node.end_col_offset or 0)

    def characters(self, count: int) -> int:
        """Turn a count of UTF-8 bytes, which is what ast gives, into characters."""
        return len(self.text[self.start :].encode()[:count].decode(errors="ignore"))

    def operator(self, node: ast.BinOp) -> int:
        """The column of an operator: the first character between the operands but a bracket."""
        column = self.end(node.left)
        while self.text[column] in " )":
            column += 1
        return column

    def wrong(self, reason: str, column: int) -> UsageError:
        """The complaint: the reason, the text around the place, and a caret below it."""
        column = max(0, min(column, len(self.text)))
        first = max(0, min(column - _SHOWN // 2, len(self.text) - _SHOWN))
        shown = "".join(c if c.isprintable() else "�" for c in self.text[first : first + _SHOWN])
        before = "".join(_blank(character) for character in shown[: column - first])
        return UsageError(f"{reason}\n{shown}\n{before}^")


def _parsed(text: str) -> ast.expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd escapes in strings
        return ast.parse(text, mode="eval").body


def _brief(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _blank(character: str) -> str:
    """A blank as wide as the character on a terminal."""
    return "\u3000" if unicodedata.east_asian_width(character) in "WF" else " "


def _plain_number(node: ast.expr) -> int | float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = node.operand
        value = _plain_number(inner) if isinstance(inner, ast.Constant) else None
        return -value if value is not None and isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]
    return None


def _checked_knobs(card: Card, given: Mapping[str, object]) -> dict[str, object]:
    known = {knob.name: knob for knob in card.knobs}
    for name in given:
        if name not in known:
            raise UsageError(_unknown_knob(card, name))
    values = {name: fitted(card.name, known[name], value) for name, value in given.items()}
    return {
        name: values[name]
        for name, knob in known.items()
        if name in values and literal_text(values[name]) != literal_text(knob.default)
    }


def _unknown_knob(card: Card, name: str) -> str:
    if not card.knobs:
        return f"{card.name} takes no knobs, got {name!r}"
    near = nearest(name, [knob.name for knob in card.knobs])
    listing = ", ".join(f"{knob.name}={literal_text(knob.default)}" for knob in card.knobs)
    hint = f"; nearest: {near}" if near else ""
    return f"{card.name} has no knob {name!r}{hint}. Knobs of {card.name}: {listing}"
