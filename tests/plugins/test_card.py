"""Cards are read from the source, with all that stands there, and nothing runs."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from denoisebench.errors import UsageError
from denoisebench.plugins.card import read_cards

Write = Callable[..., Path]

FULL = '''
    """Charbonnier: L1 that is smooth at zero (Charbonnier, 1994, doi:10.1109/ICIP.1994.413553)."""

    from torch import Tensor

    from denoisebench import loss


    @loss("charbonnier", weight=100, licence="BSD")
    def smooth(output: Tensor, target: Tensor, *, eps: float = 1e-3, mode="mean") -> Tensor:
        """Mean of sqrt(difference² + eps²) - eps over the batch; 0 at equality.

        Knobs:
            eps: where the curve turns from square to straight,
                in units of [-1, 1].
            mode: "mean" or: "sum".

        Returns:
            eps: is not described here.
        """
        return ((output - target).square() + eps**2).sqrt().mean() - eps
    '''


def test_a_card_holds_what_the_source_says(write: Write) -> None:
    path = write("mine.py", FULL)
    (card,) = read_cards(path)
    assert (card.kind, card.name, card.object_name) == ("loss", "charbonnier", "smooth")
    assert card.summary == "Mean of sqrt(difference² + eps²) - eps over the batch; 0 at equality."
    assert (card.path, card.line, card.module, card.origin) == (path, 9, None, "file")
    assert card.facts == {"weight": 100, "licence": "BSD"}
    assert (card.weight, card.adversarial, card.licence, card.version) == (100.0, False, "BSD", 1)
    assert card.paper == "doi:10.1109/ICIP.1994.413553"
    eps, mode = card.knobs
    assert (eps.name, eps.default, eps.annotation) == ("eps", 1e-3, "float")
    assert eps.help == "where the curve turns from square to straight, in units of [-1, 1]."
    assert (mode.default, mode.annotation, mode.help) == ("mean", "", '"mean" or: "sum".')
    assert card.knob("mode") is mode


def test_reading_runs_nothing(write: Write) -> None:
    path = write(
        "loud.py",
        """
        import no_such_package
        from denoisebench import loss
        raise SystemExit("run")
        @loss("loud")
        def loud(output, target): ...
        """,
    )
    assert [card.name for card in read_cards(path)] == ["loud"]


def test_a_class_has_the_knobs_of_its_init(write: Write) -> None:
    path = write(
        "gan.py",
        '''
        from denoisebench import loss
        @loss("gan", adversarial=True)
        class Gan:
            """A loss.

            Knobs:
                margin: how far.
            """
            def __init__(self, *, margin: float = 1.0, tau: float = -2.0) -> None:
                """Set up.

                Knobs:
                    tau: how fast.
                """
        @loss("bare", adversarial=True)
        class Bare:
            """Another."""
        ''',
    )
    gan, bare = read_cards(path)
    assert gan.adversarial
    assert [(k.name, k.default, k.help) for k in gan.knobs] == [
        ("margin", 1.0, "how far."),
        ("tau", -2.0, "how fast."),
    ]
    assert bare.knobs == ()


@pytest.mark.parametrize(
    ("imported", "mark"),
    [
        ("from denoisebench import metric", "metric"),
        ("from denoisebench import metric as m", "m"),
        ("from denoisebench import *", "metric"),
        ("import denoisebench", "denoisebench.metric"),
        ("import denoisebench as db", "db.metric"),
        ("from denoisebench.plugins.mark import metric", "metric"),
        ("try:\n    from denoisebench import metric\nexcept ImportError: pass", "metric"),
    ],
)
def test_a_mark_is_known_by_where_it_was_imported_from(
    write: Write, imported: str, mark: str
) -> None:
    path = write("m.py", f"{imported}\n@{mark}('m', better='lower')\ndef m(output, target): ...\n")
    assert [(card.kind, card.name) for card in read_cards(path)] == [("metric", "m")]


def test_marks_of_other_packages_are_none_of_ours(write: Write) -> None:
    path = write(
        "other.py",
        """
        import denoisebench
        from elsewhere import loss
        @loss("x", anything=print)
        def x(a): ...
        """,
    )
    assert read_cards(path) == []


def test_a_file_that_never_names_us_is_not_parsed(write: Write) -> None:
    assert read_cards(write("odd.py", "this is not Python")) == []


HEAD = "from denoisebench import baseline, generator, loss, metric\n"


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("@loss\ndef x(output, target): ...", 2, 'the mark needs a name: @loss("x")'),
        ("@loss()\ndef x(output, target): ...", 2, "with one name"),
        ("@loss('a', 'b')\ndef x(output, target): ...", 2, "with one name"),
        ("@loss('a', **{})\ndef x(output, target): ...", 2, "with one name"),
        ("NAME = 'a'\n@loss(NAME)\ndef x(output, target): ...", 3, "name of a loss must be a lit"),
        ("@loss(3)\ndef x(output, target): ...", 2, "Python identifier in quotes, got 3"),
        ("@loss('a b')\ndef x(output, target): ...", 2, "got 'a b'"),
        ("@loss('lambda')\ndef x(output, target): ...", 2, "got 'lambda'"),
        ("@loss('\uff4c1')\ndef x(output, target): ...", 2, "identifier in quotes"),
        ("@loss('a', weight=10 * 10)\ndef x(output, target): ...", 2, "got '10 * 10'"),
        ("@loss('a', weight=-1)\ndef x(output, target): ...", 2, "greater than 0, got -1"),
        ("@loss('a', weight=True)\ndef x(output, target): ...", 2, "greater than 0, got True"),
        ("@loss('a', weight=1e999)\ndef x(output, target): ...", 2, "greater than 0, got inf"),
        ("@loss('a')\ndef x(output, target, *, k=f()): ...", 3, "'k' must be a literal, got 'f()'"),
        ("@loss('a')\ndef x(output, target, *, k): ...", 3, "the knob 'k' needs a default"),
        ("@loss('a')\ndef x(output, target, k=1): ...", 3, "(output, target, *, knobs)"),
        ("@loss('a')\ndef x(output, target, **k): ...", 3, "(output, target, *, knobs)"),
        ("@loss('a')\ndef x(output): ...", 3, "must take (output, target, *, knobs)"),
        ("@baseline('a')\ndef x(noisy): ...", 3, "must take (noisy, sigma, *, knobs)"),
        ("@generator('a')\ndef x(width=3): ...", 3, "must take (*, knobs)"),
        ("@generator('a')\ndef x(*width): ...", 3, "must take (*, knobs)"),
        ("@loss('a', adversarial=True)\ndef x(): ...", 3, "a class with critic and generator"),
        ("@loss('a')\nclass X: ...", 3, "a class needs adversarial=True"),
        (
            "@loss('a', penalty=True)\ndef x(output, target): ...",
            3,
            "must take (discriminator, real, fake, condition, *, knobs)",
        ),
        ("@loss('a', penalty=True)\nclass X: ...", 3, "a penalty is a function (discriminator,"),
        (
            "@loss('a', penalty=True, adversarial=True)\nclass X: ...",
            3,
            "a loss is one or neither",
        ),
        ("@baseline('a')\nclass X: ...", 3, "a class needs learns=True"),
        (
            "@baseline('a', learns=True)\ndef x(noisy, sigma): ...",
            3,
            "a class with the methods fit and __call__",
        ),
        ("@metric('a', better='lower')\nclass X: ...", 3, "a metric is a function"),
        (
            "@metric('a')\ndef x(output, target): ...",
            2,
            'better="higher" or better="lower", got None',
        ),
        ("@generator('a', multiple=0)\ndef x(): ...", 2, "a whole number from 1, got 0"),
        (
            "@baseline('a', tune={'h': 0.4})\ndef x(noisy, sigma): ...",
            2,
            "tune maps names of knobs",
        ),
        ("@loss('a', papers={1, 2})\ndef x(output, target): ...", 2, "facts are text, numbers"),
        ("@generator('a')\nclass X:\n  def __init__(self, w=1): ...", 4, "(self, *, knobs)"),
        ("@loss('a')\nasync def x(output, target): ...", 3, "a plain function or class"),
        ("if True:\n  @loss('a')\n  def x(output, target): ...", 4, "at the top level"),
        ("def f():\n  @loss('a')\n  def x(output, target): ...", 4, "at the top level"),
        ("@loss('a')\n@metric('b')\ndef x(output, target): ...", 3, "has two marks"),
        ("@loss('a'\ndef x(output, target): ...", 2, "'(' was never closed"),
    ],
)
def test_a_mark_that_cannot_be_read_is_refused_with_its_line(
    write: Write, source: str, line: int, reason: str
) -> None:
    path = write("bad.py", HEAD + source)
    with pytest.raises(UsageError) as caught:
        read_cards(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line {line}: ")
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"import denoisebench\0", "null bytes"),
        (b"name = 'denoisebench \xff'", "utf-8"),
        (b"# -*- coding: no-such -*- denoisebench", "encoding"),
        (b"denoisebench = " + b"(" * 5000, "nested"),
        (b"denoisebench = " + b"-" * 100_000 + b"1", "deeply"),
        (b"#denoisebench" + b"#" * 200_000, "200,000 bytes"),
    ],
)
def test_a_hostile_file_is_refused_in_one_line(write: Write, content: bytes, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_cards(write("hostile.py", content))
    message = str(caught.value)
    assert "hostile.py" in message
    assert reason in message
    assert "\n" not in message


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_cards(tmp_path / "none.py")
    with pytest.raises(UsageError, match="is not a file"):
        read_cards(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        read_cards(Path("a\0b.py"))


PLUGIN = "from denoisebench import loss\n{}\n@loss('a')\ndef a(output, target): ...\n"


def digest(path: Path, module: str | None = None) -> str:
    return read_cards(path, module)[0].digest


@pytest.mark.parametrize(
    ("imported", "sibling"),
    [
        ("from ._shared import f", "_shared.py"),
        ("from . import _shared", "_shared.py"),
        ("from ._shared import f", "_shared/__init__.py"),
        ("from ._inner.deep import f", "_inner/deep.py"),
        ("from .. import up", "../up.py"),
        ("from ..up import f", "../up.py"),
        ("def g():\n  from ._shared import f", "_shared.py"),
        ("from .first import f", "second.py"),
        ("import package.losses._shared", "_shared.py"),
        ("from package.losses._shared import f", "_shared.py"),
        ("from package.losses import _shared", "_shared.py"),
    ],
)
def test_an_edited_sibling_changes_the_digest(write: Write, imported: str, sibling: str) -> None:
    path = write("losses/a.py", PLUGIN.format(imported))
    write("losses/first.py", "from .second import g")  # leads on to second.py
    module = "package.losses.a"
    write(f"losses/{sibling}", "f = 1")
    before = digest(path, module)
    assert digest(path, module) == before
    write(f"losses/{sibling}", "f = 2")
    assert digest(path, module) != before


def test_what_is_not_imported_changes_no_digest(write: Write) -> None:
    path = write("losses/a.py", PLUGIN.format("from . import _shared, absent\nimport sys"))
    write("losses/_shared.py", "f = 1")
    before = digest(path)
    write("losses/other.py", "f = 1")
    write("losses/sys.py", "f = 1")
    write("losses/__pycache__/absent.pyc", b"")
    assert digest(path) == before


def test_the_digest_depends_on_no_folder_and_no_line_ends(write: Write) -> None:
    source = PLUGIN.format("from ._shared import f")
    digests = set()
    for folder, ends in (("one", "\n"), ("two/deeper", "\r\n")):
        path = write(f"{folder}/a.py", source.replace("\n", ends).encode())
        write(f"{folder}/_shared.py", f"f = 1{ends}".encode())
        digests.add(digest(path))
    assert len(digests) == 1


def test_siblings_that_import_each_other_end(write: Write) -> None:
    path = write("a.py", PLUGIN.format("from . import b"))
    write("b.py", "from . import a, b")
    assert len(digest(path)) == 64


def test_cards_can_be_sent_to_another_process(write: Write) -> None:
    import pickle

    (card,) = read_cards(write("mine.py", FULL))
    assert pickle.loads(pickle.dumps(card)) == card


def test_odd_escapes_give_no_warning(write: Write) -> None:
    path = write("a.py", PLUGIN.format(r"PATTERN = '\d'"))
    assert read_cards(path)  # a warning is an error here
    assert str(path) not in sys.modules
