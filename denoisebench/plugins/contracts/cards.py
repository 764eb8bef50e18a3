"""What a card promises, whatever the kind: nothing here runs more than building does."""

from collections.abc import Mapping
from typing import Any

from denoisebench.errors import UsageError
from denoisebench.plugins.card import Card
from denoisebench.plugins.contracts import ANY, contract, kind_of, names
from denoisebench.plugins.expression import Part
from denoisebench.plugins.knob import fitted, literal_text


@contract(ANY, mend="write one line that says what it computes, and where that was published")
def has_a_summary(card: Card) -> None:
    """The docstring's first line says what the plug-in is."""
    assert card.summary, f"{card.object_name} has no docstring"
    assert not card.summary.endswith(":"), f"the docstring begins with {card.summary!r}"


@contract(ANY, mend='describe each knob in a "Knobs:" section of the docstring, a line each')
def documents_its_knobs(card: Card) -> None:
    """Each knob has a line under `Knobs:`."""
    silent = [knob.name for knob in card.knobs if not knob.help]
    assert not silent, f"no line under Knobs: for {', '.join(silent)}"


@contract(ANY, mend="make annotation and default agree, so that users may type the default")
def accepts_its_own_defaults(card: Card) -> None:
    """Each knob's default is a value that an expression may give it."""
    for knob in card.knobs:
        try:
            fitted(card.name, knob, knob.default)
        except UsageError as error:
            raise AssertionError(str(error)) from None


@contract(ANY, mend="known maps names of contracts to reasons; a contract is named as it fails")
def knows_contracts_that_exist(card: Card) -> None:
    """What the card lists as known to fail are contracts, each with a reason."""
    known = card.facts.get("known", {})
    assert isinstance(known, Mapping), f"known maps contracts to reasons, got {known!r}"
    every = names(kind_of(card))
    unknown = [name for name in known if name not in every]
    assert not unknown, f"no contract named {', '.join(map(repr, unknown))}"
    silent = [name for name, reason in known.items() if not str(reason).strip()]
    assert not silent, f"no reason for {', '.join(silent)}"


@contract(ANY, mend="return an nn.Module, or for an adversarial loss have critic and generator")
def can_be_built(built: Any) -> None:
    """The file can be imported, and makes with its knobs what its kind is."""
    assert built is not None, "nothing was made"


@contract("generator", "discriminator", mend="say parameters=N in the mark, for the default knobs")
def has_the_parameters_it_says(part: Part, network: Any) -> None:
    """The card's count is the network's, with default knobs."""
    if part.knobs:
        return
    count = sum(parameter.numel() for parameter in network.parameters())
    said = part.card.facts.get("parameters")
    assert said == count, f"has {count:_} parameters, the card says {literal_text(said)}"


@contract("metric", mend='say unit="dB", better="higher" and version=1 in the mark')
def says_how_to_read_it(card: Card) -> None:
    """The card has a unit (empty where there is none), a direction and a version."""
    unit, better, version = (card.facts.get(name) for name in ("unit", "better", "version"))
    assert isinstance(unit, str), f"unit is a text, got {unit!r}"
    assert better in ("higher", "lower"), f'better is "higher" or "lower", got {better!r}'
    assert type(version) is int, f"version is a whole number, got {version!r}"
    assert version >= 1, f"version starts at 1, got {version}"


@contract("baseline", mend="tune maps names of knobs to lists of values for them")
def tunes_knobs_that_it_has(card: Card) -> None:
    """What the card offers for tuning are knobs, each with values that it accepts."""
    tune = card.facts.get("tune", {})
    assert isinstance(tune, Mapping), f"tune maps knobs to values, got {tune!r}"
    knobs = {knob.name: knob for knob in card.knobs}
    for name, values in tune.items():
        assert name in knobs, f"no knob named {name!r}"
        assert isinstance(values, list | tuple), f"{name} has no list of values"
        assert values, f"{name} has no values"
        try:
            for value in values:
                fitted(card.name, knobs[name], value)
        except UsageError as error:
            raise AssertionError(str(error)) from None
