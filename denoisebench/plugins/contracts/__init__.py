"""Contracts: what each plug-in of a kind promises, one small function a promise.

A contract is a function marked with `@contract`; it raises AssertionError where the promise is
broken. Its arguments are given by name: `card`, `part`, `rebuild` (makes another one from the same
part), and under any other name the plug-in itself, built. A network comes in eval mode.

    @contract("generator", mend="clone the input before you write to it")
    def leaves_its_input_alone(generator: Module) -> None: ...

Plug-ins that come with the house and those from elsewhere are held to the same contracts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from inspect import signature
from types import FunctionType
from typing import Any, TypeVar

from denoisebench.errors import Unavailable
from denoisebench.plugins.card import Card
from denoisebench.plugins.expression import Part
from denoisebench.plugins.load import build

Promise = TypeVar("Promise", bound=Callable[..., None])

ANY = "any"
ADVERSARIAL = "adversarial"  # a loss that judges logits promises other things than a pixel loss
PENALTY = "penalty"  # and one that judges the critic other things again

_FILES = {
    "generator": ("cards", "networks", "generators"),
    "discriminator": ("cards", "networks", "discriminators"),
    "loss": ("cards", "losses"),
    ADVERSARIAL: ("cards", "adversarial"),
    PENALTY: ("cards", "penalties"),
    "baseline": ("cards", "baselines"),
    "metric": ("cards", "metrics"),
}
_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class Contract:
    """One promise: its name, the kind it was looked up for, what it says, and how to keep it."""

    name: str
    kind: str
    promise: str
    mend: str


@dataclass(frozen=True)
class Outcome:
    """What came of one contract.

    `status` is "passed", "failed", "known" (fails, and the card gives the reason under
    `known={"contract": "reason"}`) or "skipped" (cannot be judged here); only "failed" is not
    `passed`. `message` is empty for a contract that simply holds.
    """

    name: str
    passed: bool
    message: str
    mend: str
    status: str = "passed"


class _NotBuilt(Exception):
    """The plug-in cannot be built, which the first contract that needs it has reported."""


def contract(*kinds: str, mend: str) -> Callable[[Promise], Promise]:
    """Mark a function as a contract of these kinds; `mend` tells how to keep the promise."""

    def mark(function: Promise) -> Promise:
        function.__contract__ = (kinds, mend)  # type: ignore[attr-defined]
        return function

    return mark


def contracts_for(subject: Part | Card) -> Iterator[tuple[Contract, Callable[[], None]]]:
    """Yield the contracts of a plug-in, each with a call without arguments that checks it.

    The call raises AssertionError where the promise is broken and Unavailable where it cannot be
    judged on this machine. The built plug-in is shared by the calls.
    """
    part = subject if isinstance(subject, Part) else Part(subject, 1.0, {})
    kind = kind_of(part.card)
    bench = _Bench(part)
    for function in _functions(kind):
        _, mend = function.__contract__  # type: ignore[attr-defined]
        promise = (function.__doc__ or "").partition("\n")[0]
        yield Contract(function.__name__, kind, promise, mend), partial(bench.run, function)


def check(subject: Part | Card) -> list[Outcome]:
    """Check all contracts of a plug-in, with the knobs of the part or those of the card."""
    card = subject.card if isinstance(subject, Part) else subject
    known = card.facts.get("known")
    reasons = known if isinstance(known, dict) else {}
    return [_judge(promise, run, reasons) for promise, run in contracts_for(subject)]


def names(kind: str) -> tuple[str, ...]:
    """Return the names of the contracts of a kind, or of ADVERSARIAL losses or a PENALTY."""
    return tuple(function.__name__ for function in _functions(kind))


def kind_of(card: Card) -> str:
    """Return what a plug-in's contracts are looked up for: its kind, ADVERSARIAL or PENALTY."""
    if card.kind == "loss" and card.adversarial:
        return ADVERSARIAL
    return PENALTY if card.kind == "loss" and card.penalty else card.kind


def _judge(promise: Contract, run: Callable[[], None], known: dict[str, str]) -> Outcome:
    try:
        run()
    except (Unavailable, _NotBuilt) as reason:
        return Outcome(promise.name, True, str(reason), "", "skipped")
    except Exception as error:
        message = " ".join(str(error).split())[:_LONGEST_MESSAGE]
        if not message or not isinstance(error, AssertionError):
            message = f"{type(error).__name__}: {message}".removesuffix(": ")
        if promise.name in known:
            return Outcome(promise.name, True, f"{message} ({known[promise.name]})", "", "known")
        return Outcome(promise.name, False, message, promise.mend, "failed")
    if promise.name in known:
        note = "holds, though the card lists it as known to fail; take it out of known"
        return Outcome(promise.name, True, note, "")
    return Outcome(promise.name, True, "", "")


def _functions(kind: str) -> Iterator[FunctionType]:
    for file in _FILES[kind]:
        for value in list(vars(import_module(f"{__name__}.{file}")).values()):
            kinds, _ = getattr(value, "__contract__", ((), ""))
            if isinstance(value, FunctionType) and (kind in kinds or ANY in kinds):
                yield value


class _Bench:
    """Builds one plug-in once and hands it to the contracts."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.built: Any = None
        self.failed = False

    def run(self, function: Callable[..., None]) -> None:
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2017)  # a verdict is the same each time
            function(**{name: self.give(name) for name in signature(function).parameters})

    def give(self, name: str) -> Any:
        if name == "card":
            return self.part.card
        if name == "part":
            return self.part
        if name == "rebuild":
            return self.rebuild
        if self.built is None:
            self.built = self.rebuild()
        if self.part.card.kind in ("generator", "discriminator"):
            self.built.eval()
            self.built.zero_grad(set_to_none=True)
        return self.built

    def rebuild(self) -> Any:
        if self.failed:
            raise _NotBuilt("it cannot be built")
        self.failed = True  # until it is made: the first contract to ask reports the error
        built = build(self.part)
        card = self.part.card
        if card.adversarial:
            missing = [name for name in ("critic", "generator") if not hasattr(built, name)]
            assert not missing, f"{card.object_name} has no method {' nor '.join(missing)}"
        elif card.kind in ("generator", "discriminator"):
            from torch.nn import Module

            made = type(built).__name__
            assert isinstance(built, Module), f"{card.object_name} makes {made}, not an nn.Module"
        elif card.facts.get("learns"):
            from denoisebench.plugins.contracts.samples import grey

            missing = [name for name in ("fit", "__call__") if not hasattr(built, name)]
            assert not missing, f"{card.object_name} has no method {' nor '.join(missing)}"
            built.fit([image.double().numpy() for image in grey(4, 96, 80)[:, 0]])
        self.failed = False
        return built
