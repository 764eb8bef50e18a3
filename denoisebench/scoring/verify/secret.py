"""What is shown to which child, decided by a salt that nobody knew before."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

import numpy as np

from denoisebench.data.scan import Slice
from denoisebench.scoring.verify.alteration import altered

CHILDREN = 2
CHOICE, ORDER, ALTERATION = range(3)  # what random numbers are for


@dataclass(frozen=True)
class Showing:
    """A slice as one child sees it: as it is, or altered."""

    original: Slice
    altered: bool
    salt: int
    place: int

    @property
    def slice(self) -> Slice:
        """The slice whose grey levels are the target, and whose digest its noise is drawn from."""
        if not self.altered:
            return self.original
        random = np.random.default_rng([self.salt, ALTERATION, self.place])
        return replace(self.original, hu=altered(self.original.hu, random))


def chosen(slices: Sequence[Slice], count: int | None, salt: int) -> list[Slice]:
    """Choose slices in secret, one a patient before a second of any.

    Args:
        slices: of the test split.
        count: how many at most; all where None.
        salt: the secret.
    """
    random = np.random.default_rng([salt, CHOICE])
    patients: dict[str, list[Slice]] = defaultdict(list)
    for place in random.permutation(len(slices)):
        patients[slices[place].patient].append(slices[place])
    rounds = chain.from_iterable(zip_longest(*patients.values()))
    return [one for one in rounds if one is not None][:count]


def showings(slices: Sequence[Slice], salt: int) -> tuple[list[Showing], list[Showing]]:
    """Deal slices to two children, in an order of their own.

    Each child sees each slice once: a coin says which of them sees it altered. So none can average
    two noisy copies of a slice, or learn from one what the other is.
    """
    random = np.random.default_rng([salt, ORDER])
    coins = random.integers(2, size=len(slices))
    dealt: list[list[Showing]] = []
    for child in range(CHILDREN):
        order = random.permutation(len(slices))
        dealt.append(
            [Showing(slices[i], bool(coins[i] == child), salt, int(i)) for i in order]
        )  # fmt: skip
    return dealt[0], dealt[1]
