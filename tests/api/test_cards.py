import subprocess
import sys

import pytest

import denoisebench as db


def test_cards_are_listed_by_kind_and_show_what_they_are(small):
    cards = db.list("generator", plugins=small["plugins"])
    assert {card.kind for card in cards} == {"generator"}
    assert {"unet7", "tiny"} <= {card.name for card in cards}
    assert db.list("generators", plugins=small["plugins"]) == cards
    assert len(db.list()) > len(db.list("loss")) > 0
    assert "Two convolutions." in repr(cards)
    assert "| tiny | generator | Two convolutions. |" in cards._repr_markdown_()


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(db.UsageError, match=r"nothing is called 'los'; nearest: loss\. Lists"):
        db.list("los")


def test_names_are_there_for_whoever_looks_and_cost_nothing_until_they_are_used():
    script = (
        "import sys, denoisebench as db\n"
        "assert {'train', 'evaluate', 'leaderboard', 'load', 'list', 'Run'} <= set(dir(db))\n"
        "db.list('generator')\n"
        "assert not {'torch', 'numpy'} & set(sys.modules), 'torch'\n"
        "from denoisebench import *\n"
        "assert list is __builtins__.list and train is db.train\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
