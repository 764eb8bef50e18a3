"""The crops of step n: a function of (seed, n) alone, so that a resumed run needs no state."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.scan import Slice
from denoisebench.task import Task

_ORDER, _CROP, _NOISE = range(3)  # what a stream of random words is for
_TURNS = (
    (False, 1, 1),
    (True, -1, 1),
    (False, -1, -1),
    (True, 1, -1),
    (False, 1, -1),
    (True, -1, -1),
    (False, -1, 1),
    (True, 1, 1),
)
"""Of each turn, whether rows become columns, and which way both then run."""


class Place(NamedTuple):
    """Where a crop is: its slice's number, two random words for its corner, and one of eight turns.

    Turns 0-3 are quarter turns to the left; with 4 the crop is mirrored after them.
    """

    number: int
    top: int
    left: int
    turn: int

    def corner(self, shape: tuple[int, ...], patch: int) -> tuple[int, int]:
        """Top and left of the crop in a slice of this shape, which is no smaller."""
        return self.top % (shape[0] - patch + 1), self.left % (shape[1] - patch + 1)


def words(seed: int, purpose: int, index: int, count: int) -> NDArray[np.uint64]:
    """Return `count` random words for one purpose at one step or epoch."""
    key = np.array([seed, purpose], dtype=np.uint64)
    counter = np.array([0, 0, index, 0], dtype=np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


@lru_cache(2)  # of a step: for noise, and for dropout
def noise_seed(seed: int, step: int) -> int:
    """Return the seed of the training noise (and dropout) of a step."""
    return int(words(seed, _NOISE, step, 1)[0] >> np.uint64(1))


def places(
    count: int, *, seed: int, step: int, batch: int, rows: range | None = None
) -> Iterator[Place]:
    """Choose the crops of a step from `count` slices.

    Each slice comes once an epoch, in another order each epoch; each crop has a uniformly random
    corner and one of the eight orientations of the square.

    Args:
        count: of slices.
        seed, step: all that the choice depends on.
        batch: crops a step.
        rows: which of the batch are wanted; all where None. What they are does not depend on it.
    """
    random = words(seed, _CROP, step, 3 * batch).reshape(batch, 3).tolist()
    for row in range(batch) if rows is None else rows:
        epoch, position = divmod(step * batch + row, count)
        top, left, turn = random[row]
        yield Place(int(_order(seed, epoch, count)[position]), top, left, turn % 8)


def crops(
    slices: Sequence[Slice],
    task: Task,
    *,
    seed: int,
    step: int,
    batch: int,
    patch: int,
    rows: range | None = None,
    steps: int = 1,
) -> NDArray[np.float32]:
    """Cut the clean crops of a step, or of several.

    Args:
        slices: of the train split.
        task: whose window is applied.
        seed, step, batch, rows: see `places`.
        patch: side of the crops.
        steps: how many, from that one.
    Returns:
        (steps * (batch or rows), 1, patch, patch) float32 grey levels. Slices smaller than a crop
        are reflected.
    """
    wanted = steps * len(range(batch) if rows is None else rows)
    result = np.empty((wanted, 1, patch, patch), dtype=np.int16)
    facts: dict[str, Any] = {"seed": seed, "batch": batch, "rows": rows}
    each = (places(len(slices), **facts, step=number) for number in range(step, step + steps))
    for crop, place in zip(result, chain.from_iterable(each), strict=True):
        hu = at_least(slices[place.number].hu, patch)
        y, x = place.corner(hu.shape, patch)
        transposed, rows_by, columns_by = _TURNS[place.turn]
        straight = hu[y : y + patch, x : x + patch]
        crop[0] = (straight.T if transposed else straight)[::rows_by, ::columns_by]
    return _levels(task).take(result, mode="wrap")


@lru_cache(4)
def _levels(task: Task) -> NDArray[np.float32]:
    """Look up what each of the 65,536 HU becomes; a negative one stands where it counts back to."""
    hu = np.arange(2**16, dtype=np.uint16).view(np.int16)
    return task.to_grey(hu).astype(np.float32)


@lru_cache(2)  # a batch may span two epochs
def _order(seed: int, epoch: int, count: int) -> NDArray[np.intp]:
    """Return the order in which an epoch shows its slices."""
    return np.argsort(words(seed, _ORDER, epoch, count), kind="stable")


def at_least(hu: NDArray[np.int16], side: int) -> NDArray[np.int16]:
    """Reflect a slice at its bottom and right until both sides are at least `side`."""
    missing = [(0, max(0, side - length)) for length in hu.shape]
    return np.pad(hu, missing, mode="reflect") if any(m for _, m in missing) else hu
