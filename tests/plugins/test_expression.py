"""Expressions: what reads, what resolves, and where the caret points when it does not."""

import random
from pathlib import Path

import pytest

from denoisebench.errors import UsageError
from denoisebench.plugins.card import Card, Knob
from denoisebench.plugins.expression import Part, canonical, parse, resolve
from denoisebench.plugins.find import Catalogue


def card(kind: str, name: str, knobs: tuple[Knob, ...] = (), **facts: object) -> Card:
    path = Path(f"{name}.py")
    return Card(kind, name, "", knobs, facts, path, 1, name, None, "file", "0" * 64)


KNOBS = (
    Knob("window", 11, "int", ""),
    Knob("sigma", 1.5, "float", ""),
    Knob("pad", True, "bool", ""),
    Knob("mode", "same", "", ""),
    Knob("norm", "batch", "Literal['batch', 'none'] | None", ""),
    Knob("size", None, "", ""),
    Knob("bound", 3, "int | None", ""),
    Knob("window_hu", (-160.0, 240.0), "tuple[float, float]", ""),
    Knob("scales", (1, 2), "tuple[int, ...]", ""),
)
CATALOGUE = Catalogue(
    (
        card("generator", "unet7", (Knob("width", 64, "int", ""), Knob("norm", "group", "", ""))),
        card("loss", "cgan", adversarial=True),
        card("loss", "lsgan", adversarial=True),
        card("loss", "l1", weight=100),
        card("loss", "mse"),
        card("loss", "r1", penalty=True, weight=10),
        card("loss", "ssim", KNOBS, weight=10),
    )
)


def read(text: str, kind: str = "loss", **defaults: dict[str, object]) -> str:
    return canonical(resolve(text, kind, CATALOGUE, defaults))


def complaint(text: str) -> tuple[str, str, int]:
    """Return message, shown text and the caret's column."""
    with pytest.raises(UsageError) as caught:
        parse(text)
    message, shown, caret = str(caught.value).split("\n")
    assert caret.strip(" \u3000") == "^"
    return message, shown, caret.index("^")


def test_terms_come_as_written() -> None:
    first, second, third = parse("cgan + 100*l1 + 1e-1 * ssim(window=7, mode='a')")
    assert (first.weight, first.name, first.knobs, first.column) == (None, "cgan", (), 0)
    assert (second.weight, second.name, second.column) == (100.0, "l1", 7)
    assert (third.weight, third.name) == (0.1, "ssim")
    assert third.knobs == (("window", 7), ("mode", "a"))


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("1e-3", 1e-3),
        ("-2.5", -2.5),
        ("0x10", 16),
        ("True", True),
        ("None", None),
        ("'é'", "é"),
        ('"a" "b"', "ab"),
        ("'\"'", '"'),
        (r"'\\'", "\\"),
        (r"'\d'", "\\d"),
        ("()", ()),
        ("(1,)", (1,)),
        ("[1, -2.0, 'x', None, (True, [])]", (1, -2.0, "x", None, (True, ()))),
    ],
)
def test_literals_are_read_and_written_again(literal: str, value: object) -> None:
    ((name, found),) = parse(f"x(a={literal})")[0].knobs
    assert (name, found, type(found)) == ("a", value, type(value))
    again = Part(card("loss", "x"), 1.0, {"a": value}).text
    assert parse(again)[0].knobs == (("a", value),)


@pytest.mark.parametrize("number", [0.1, 1 / 3, 1e-300, 123456.789, 1e22, 100.0, 2.5e-7])
def test_weights_survive_the_canonical_text(number: float) -> None:
    text = read(f"{number!r}*l1")
    assert parse(text)[0].weight == number


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("l1-l1", 2, "only '+' joins terms"),
        ("(l1) - (l1)", 5, "only '+' joins terms"),
        ("cgan + l1 / 2", 10, "only '+' joins terms"),
        ("l1*100", 3, "the weight stands before the name"),
        ("cgan + ssim(window=7)*2", 22, "the weight stands before the name"),
        ("100*100*l1", 4, "one weight"),
        ("2*l1*3", 2, "one weight"),
        ("2*(l1+l1)", 3, "belongs to one name"),
        ("-1*l1", 0, "greater than 0, got -1"),
        ("cgan + -1*l1", 7, "greater than 0, got -1"),
        ("0*l1", 0, "greater than 0, got 0"),
        ("1e999*l1", 0, "finite number greater than 0, got 1e999"),
        ("1e-999*l1", 0, "greater than 0"),
        ("9" * 400 + "*l1", 0, "finite number"),
        ("2j*l1", 0, "plain number"),
        ("True*l1", 0, "plain number"),
        ("a*l1", 0, "plain number"),
        ("100", 0, "a weight needs a name"),
        ("l1 + 100", 5, "a weight needs a name"),
        ("torch.l1", 5, "no dots"),
        ("2*a.b.c", 5, "no dots"),
        ("a.b(c=1)", 1, "no dots"),
        ("ssim(7)", 5, "given by name"),
        ("ssim(*x)", 5, "given by name"),
        ("ssim(a=1, 7)", 10, "given by name"),
        ("ssim(a=(1, 2), 7, b=3)", 15, "given by name"),
        ("ssim(**knobs)", 5, "'**' has no place"),
        ("ssim(a=1, a=2)", 10, "'a' is given twice"),
        ("ssim(a=f(1))", 7, "a knob's value is"),
        ("ssim(a=b)", 7, "a knob's value is"),
        ("ssim(a=1 + 1)", 7, "a knob's value is"),
        ("ssim(a=-(-1))", 7, "a knob's value is"),
        ("ssim(a={1: 2})", 7, "a knob's value is"),
        ("ssim(a=b'x')", 7, "a knob's value is"),
        ("ssim(a=1j)", 7, "a knob's value is"),
        ("ssim(a=...)", 7, "a knob's value is"),
        ("ssim(a=f'{x}')", 7, "a knob's value is"),
        ("ssim(a=(1, b))", 11, "a knob's value is"),
        ("ssim(a=1e999)", 7, "must be finite"),
        (r"ssim(a='\x1b[31m')", 7, "must be printable"),
        (r"ssim(a='\ud800')", 7, "must be printable"),
        ("ssim(a=", 4, "'(' was never closed"),
        ("ssim(a='", 7, "unterminated string"),
        ("l1)", 2, "unmatched ')'"),
        ("ssim(a=)", 7, "cannot be read"),
        ("l1 ssim", 3, "cannot be read"),
        ("l1 +", 4, "ends too soon"),
        ("l1 + ", 4, "ends too soon"),
        ("l1, ssim", 2, "a name is expected"),
        ("l1; ssim", 2, "cannot be read"),
        ("l1[0]", 2, "a name is expected"),
        ("l1()()", 4, "a name is expected"),
        ("None", 0, "a name is expected"),
        ("lambda: l1", 0, "a name is expected"),
        ("l1 := 3", 3, "cannot be read"),
        ("l1 # ssim", 3, "'#' has no place"),
        ("(l1) # (", 5, "'#' has no place"),
        ("l1\0", 2, "U+0000"),
        ("l1 +\nssim", 4, "U+000A"),
        ("l1\t+ ssim", 2, "U+0009"),
        ("\x1b[31ml1", 0, "U+001B"),
        ("l1\u202e", 2, "U+202E"),
        ("\ud800", 0, "U+D800"),
        ("é + 2*l1 - ß", 9, "only '+' joins terms"),
        ("ψψψ + ssim(a=)", 13, "cannot be read"),
        ("日本 + l1*3", 8, "the weight stands before the name"),
        ("ssim(a='日本😀') - l1", 14, "only '+' joins terms"),
        ("  l1 - x", 5, "only '+' joins terms"),
    ],
)
def test_a_malformed_expression_is_answered_with_a_caret(
    text: str, column: int, message: str
) -> None:
    said, shown, caret = complaint(text)
    assert message in said
    assert caret == column
    assert len(shown) <= 100


@pytest.mark.parametrize(
    "text",
    [
        "x" * 2001,
        "(" * 1000 + "l1" + ")" * 1000,
        "x(a=" + "[" * 900 + "]" * 900 + ")",
        "-" * 1990 + "1*l1",
        "not " * 490 + "x",
        "lambda:" * 280 + "1",
        "a." * 990 + "b",
        "f(" * 600,
        "{" * 1999,
        "l1 if " * 300 + "x",
        "9" * 1990 + "*l1",
    ],
)
def test_a_hostile_expression_is_answered_too(text: str) -> None:
    message, shown, _ = complaint(text)
    assert len(message) < 200
    assert len(shown) <= 100


def test_a_deep_expression_is_answered_from_a_deep_stack_too() -> None:
    def from_below(frames: int) -> object:
        return from_below(frames - 1) if frames else parse("-" * 1990 + "1*l1")

    with pytest.raises(UsageError):  # where the stack is shallow it reads, and is no weight
        from_below(500)


def test_a_long_sum_is_no_deep_tree() -> None:
    assert len(parse("+".join(["l1"] * 600))) == 600


def test_the_caret_keeps_its_place_in_a_long_text() -> None:
    text = "+".join(["abc"] * 100) + "-x"
    _, shown, caret = complaint(text)
    assert shown[caret] == "-"
    assert shown[caret + 1 :] == "x"


def test_a_wide_character_has_a_wide_blank_above_the_caret() -> None:
    with pytest.raises(UsageError) as caught:
        parse("日 - l1")
    assert str(caught.value).split("\n")[2] == "\u3000 ^"


def test_any_text_is_an_expression_or_a_complaint() -> None:
    source = random.Random(2017)
    pieces = [*"+*-([)',.é日\0\\#={}", "l1", "cgan", "ssim(", "100", "1e9", "window=7", "None"]
    read_ = 0
    for _ in range(5000):
        text = " "[: source.randint(0, 1)].join(source.choices(pieces, k=source.randint(1, 8)))
        try:
            terms = parse(text)
        except UsageError as error:
            lines = str(error).count("\n") + 1
        else:
            read_ += 1
            lines = 3
            assert all(term.name in text[term.column :] for term in terms), text
        assert lines == 3, text
    assert read_ > 100  # the pieces do make expressions


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("l1", "l1"),
        (" l1 ", "l1"),
        ("1*l1", "l1"),
        ("((l1)) + (mse)", "l1 + mse"),
        ("cgan+l1", "cgan + 100*l1"),
        ("l1+cgan", "cgan + 100*l1"),
        ("cgan+100*l1", "cgan + 100*l1"),
        ("cgan+1*l1", "cgan + 1*l1"),
        ("cgan+mse", "cgan + mse"),
        ("0.5*cgan+l1", "0.5*cgan + 100*l1"),
        ("ssim + mse + l1", "l1 + mse + ssim"),
        ("r1+cgan", "cgan + 10*r1"),
        ("r1 + cgan + ssim + l1", "cgan + 100*l1 + 10*ssim + 10*r1"),
        ("cgan + 1*r1 + 2*l1", "cgan + 2*l1 + 1*r1"),
        ("cgan + ssim(window=7)", "cgan + 10*ssim(window=7)"),
        ("ssim(window=11)", "ssim"),
        ("ssim()", "ssim"),
        ("ssim(mode='x', window=7)", 'ssim(window=7, mode="x")'),
        ("ssim(sigma=2)", "ssim(sigma=2)"),
        ("ssim(window_hu=[-160, 240])", "ssim"),
        ("ssim(window_hu=(0, 1))", "ssim(window_hu=(0, 1))"),
        ("ssim(scales=[1])", "ssim(scales=(1,))"),
        ("ssim(size='any')", 'ssim(size="any")'),
        ("ssim(bound=None, norm=None)", "ssim(norm=None, bound=None)"),
        ("ssim(window=7) + ssim", "ssim + ssim(window=7)"),
        ("1e6*l1 + 0.30000000000000004*mse", "1e+06*l1 + 0.30000000000000004*mse"),
    ],
)
def test_the_canonical_text_is_one_for_all_spellings(text: str, shown: str) -> None:
    assert read(text) == shown
    assert read(shown) == shown
    again = resolve(shown, "loss", CATALOGUE)
    assert again == resolve(text, "loss", CATALOGUE)


def test_a_float_knob_takes_a_whole_number_as_a_float() -> None:
    (part,) = resolve("ssim(sigma=2, window_hu=(0, 1))", "loss", CATALOGUE)
    assert [type(part.knobs["sigma"])] == [float]
    assert [type(item) for item in part.knobs["window_hu"]] == [float, float]


def test_a_preset_gives_knobs_that_the_expression_may_set_again() -> None:
    preset: dict[str, dict[str, object]] = {"unet7": {"width": 32, "norm": "none"}}
    assert read("unet7", "generator", **preset) == 'unet7(width=32, norm="none")'
    assert read("unet7(width=64)", "generator", **preset) == 'unet7(norm="none")'
    with pytest.raises(UsageError, match="no knob 'depth'"):
        read("unet7", "generator", unet7={"depth": 3})


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("l11", "loss", "no loss named 'l11'; nearest: l1. All losses: denoisebench list losses"),
        ("qqqqq", "loss", "no loss named 'qqqqq'. All losses: denoisebench list losses"),
        ("q" * 2000, "loss", f"no loss named '{'q' * 60}…'. All losses"),
        ("unet7", "loss", "no loss named 'unet7'; unet7 is a generator. All losses"),
        ("unet", "generator", "nearest: unet7. All generators: denoisebench list generators"),
        (
            "ssim(windw=3)",
            "loss",
            "ssim has no knob 'windw'; nearest: window. Knobs of ssim: window",
        ),
        ("l1(eps=1)", "loss", "l1 takes no knobs, got 'eps'"),
        ("cgan+lsgan", "loss", "'cgan+lsgan' has two adversarial terms, cgan and lsgan"),
        ("l1+2*l1", "loss", "has l1 twice"),
        ("cgan + r1 + 5*r1", "loss", "has r1 twice"),
        ("l1 + r1", "loss", "'l1 + r1' has no critic for r1 to hold back; add a GAN term such as"),
        ("r1", "loss", "'r1' has no critic for r1 to hold back"),
        ("ssim + ssim(window=11)", "loss", "has ssim twice"),
        ("2*unet7", "generator", "without weight or '+'"),
        ("unet7+unet7", "generator", "without weight or '+'"),
        ("ssim(window=7.0)", "loss", "window accepts a whole number; its default is 11"),
        ("ssim(window=True)", "loss", "window accepts a whole number"),
        ("ssim(window='7')", "loss", "window accepts a whole number"),
        ("ssim(sigma='a')", "loss", "sigma accepts a number; its default is 1.5"),
        ("ssim(sigma=False)", "loss", "sigma accepts a number"),
        ("ssim(pad=1)", "loss", "pad accepts True or False"),
        ("ssim(mode=None)", "loss", "mode accepts a text in quotes"),
        ("ssim(norm='Batch')", "loss", 'norm accepts one of "batch", "none", None'),
        ("ssim(bound=1.5)", "loss", "bound accepts a whole number or None"),
        ("ssim(window_hu=3)", "loss", "window_hu accepts a tuple"),
        ("ssim(window_hu=(1, 2, 3))", "loss", "window_hu accepts values like (-160, 240)"),
        ("ssim(window_hu=('a', 'b'))", "loss", "window_hu accepts values like"),
        (f"ssim(sigma={'9' * 400})", "loss", "sigma accepts values like 1.5"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_one_line(text: str, kind: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text, kind)
    said = str(caught.value)
    assert message in said
    assert "\n" not in said
    assert len(said) < 400
