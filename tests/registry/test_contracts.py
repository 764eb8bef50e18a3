"""Every plug-in that comes with the house keeps every contract of its kind."""

import pytest

from denoisebench.plugins.card import Card
from denoisebench.plugins.contracts import check
from denoisebench.plugins.find import find

CARDS = find().cards


@pytest.mark.parametrize("card", CARDS, ids=lambda card: f"{card.kind}-{card.name}")
def test_a_built_in_keeps_its_contracts(card: Card) -> None:
    failed = [f"{o.name}: {o.message}; {o.mend}" for o in check(card) if not o.passed]
    assert failed == []
