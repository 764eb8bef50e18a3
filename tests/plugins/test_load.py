"""A plug-in's file is run when the plug-in is used, and only then."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from denoisebench.errors import UsageError
from denoisebench.plugins.card import Card, read_cards
from denoisebench.plugins.expression import Part
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build, load

Write = Callable[..., Path]

BASELINE = """
    from denoisebench import baseline
    {top}

    @baseline("mine")
    def mine(noisy, sigma, *, factor: float = 1.0):
        "Multiply."
        return noisy * factor * {value}
    """


def the_card(write: Write, top: str = "", value: object = 1, name: str = "mine.py") -> Card:
    (card,) = read_cards(write(name, BASELINE.format(top=top, value=value)))
    return card


def test_a_function_comes_with_its_knobs_set(write: Write) -> None:
    made = build(Part(the_card(write), 1.0, {"factor": 3.0}))
    assert isinstance(made, partial)
    assert made(2.0, 50.0) == 6.0


def test_a_siblings_relative_import_works_and_sys_path_stays(write: Write) -> None:
    write("folder/_shared.py", "FOUR = 4")
    before = list(sys.path)
    card = the_card(write, "from ._shared import FOUR", "FOUR", "folder/mine.py")
    assert load(card)(1.0, 50.0) == 4.0
    assert sys.path == before
    assert "_shared" not in sys.modules


def test_a_file_may_have_any_name(write: Write) -> None:
    assert load(the_card(write, name="my-loss 2.0.py"))(1.0, 50.0) == 1.0


def test_a_file_is_run_once_and_again_when_edited(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    first = load(the_card(write, value=1))
    assert load(the_card(write, value=1)) is first
    path = the_card(write, value=1).path
    seconds = path.stat().st_mtime
    edited = the_card(write, value=2)
    os.utime(path, (seconds, seconds))  # same time and size: a bytecode cache would not notice
    assert load(edited)(1.0, 50.0) == 2.0
    assert first(1.0, 50.0) == 1.0


def test_two_files_of_one_name_and_content_are_two_modules(write: Write) -> None:
    one, two = the_card(write, name="a/mine.py"), the_card(write, name="b/mine.py")
    assert load(one).__module__ != load(two).__module__


@pytest.mark.parametrize(
    ("top", "reason"),
    [
        (
            "import no_such_package",
            "ModuleNotFoundError: No module named 'no_such_package' (line 2)",
        ),
        ("from ._absent import x", "ModuleNotFoundError"),
        ("raise SystemExit", "SystemExit (line 2)"),
        ("raise ValueError('first\\nsecond')", "ValueError: first second (line 2)"),
        ("assert False", "AssertionError (line 2)"),
    ],
)
def test_a_file_that_cannot_be_imported_is_answered_in_one_line(
    write: Write, top: str, reason: str
) -> None:
    card = the_card(write, top)
    with pytest.raises(UsageError) as caught:
        load(card)
    message = str(caught.value)
    assert message.startswith(f"plug-in {card.path} cannot be imported: ")
    assert reason in message
    assert "\n" not in message
    with pytest.raises(UsageError, match="cannot be imported"):  # no half-made module is left
        load(card)


def test_what_the_card_promised_has_to_be_there(write: Write) -> None:
    source = BASELINE.format(top="", value=1)
    (card,) = read_cards(write("gone.py", source + "\n    mine = 3"))
    with pytest.raises(UsageError, match="holds no baseline 'mine' once imported"):
        load(card)
    (card,) = read_cards(write("unmarked.py", source + "\n    def mine(): ..."))
    with pytest.raises(UsageError, match="holds no baseline 'mine' once imported"):
        load(card)


def test_a_package_file_is_imported_by_its_name() -> None:
    card = find().get("baseline", "noisy")
    assert load(card).__module__ == "denoisebench.registry.baselines.noisy"


def test_kinds_are_built_as_what_they_are(write: Write) -> None:
    source = """
        from denoisebench import generator, loss

        @generator("net", parameters=0)
        def net(*, width: int = 4):
            "A network."
            if width < 0:
                raise ValueError("width is 0 or more, got -1")
            return ["network", width]

        @loss("gan", adversarial=True)
        class Gan:
            "A loss."
            def __init__(self, *, margin: float = 1.0):
                self.margin = margin
        """
    net, gan = read_cards(write("kinds.py", source))
    assert build(Part(net, 1.0, {"width": 8})) == ["network", 8]
    assert build(Part(gan, 1.0, {"margin": 2.0})).margin == 2.0
    with pytest.raises(UsageError, match=r"net\(width=-1\) cannot be built: width is 0 or more"):
        build(Part(net, 1.0, {"width": -1}))


def test_a_plugins_own_mistake_keeps_its_traceback(write: Write) -> None:
    source = """
        from denoisebench import generator
        @generator("net", parameters=0)
        def net():
            "A network."
            return {}["absent"]
        """
    (card,) = read_cards(write("net.py", source))
    with pytest.raises(KeyError):
        build(Part(card, 1.0, {}))
