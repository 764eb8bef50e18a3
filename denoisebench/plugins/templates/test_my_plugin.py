"""my_plugin keeps what a KIND promises."""

from pathlib import Path

import pytest

from denoisebench.plugins.contracts import Outcome, check
from denoisebench.plugins.find import find

CARD = find([Path(__file__).with_name("my_plugin.py")]).get("KIND", "my_plugin")


@pytest.mark.parametrize("outcome", check(CARD), ids=lambda outcome: outcome.name)
def test_it_keeps_its_contracts(outcome: Outcome) -> None:
    assert outcome.passed, f"{outcome.message}; {outcome.mend}"


# The contracts know nothing of your formula. Add a value that you worked out by hand.
