"""The crops of step n: a function of (seed, n) alone, so that a resumed run needs no state."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from denoisebench.data.scan import Slice
from denoisebench.task import Task

_ORDER, _CROP, _NOISE = range(3)  # what a stream of random words is for


def words(seed: int, purpose: int, index: int, count: int) -> NDArray[np.uint64]:
    """Return `count` random words for one purpose at one step or epoch."""
    key = np.array([seed, purpose], dtype=np.uint64)
    counter = np.array([0, 0, index, 0], dtype=np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def noise_seed(seed: int, step: int) -> int:
    """Return the seed of the training noise (and dropout) of a step."""
    return int(words(seed, _NOISE, step, 1)[0] >> np.uint64(1))


def crops(
    slices: Sequence[Slice], task: Task, *, seed: int, step: int, batch: int, patch: int
) -> NDArray[np.float32]:
    """Draw the clean crops of a step.

    Each slice comes once an epoch, in another order each epoch; each crop has a uniformly random
    place and one of the eight orientations of the square.

    Args:
        slices: of the train split.
        task: whose window is applied.
        seed, step: all that the draw depends on.
        batch, patch: number and side of the crops.
    Returns:
        (batch, 1, patch, patch) float32 grey levels. Slices smaller than a crop are reflected.
    """
    first = step * batch
    draws = words(seed, _CROP, step, 3 * batch).reshape(batch, 3)
    result = np.empty((batch, 1, patch, patch), dtype=np.float32)
    for row, (top, left, turn) in enumerate(draws):
        epoch, position = divmod(first + row, len(slices))
        hu = _at_least(slices[int(_order(seed, epoch, len(slices))[position])].hu, patch)
        y, x = int(top) % (hu.shape[0] - patch + 1), int(left) % (hu.shape[1] - patch + 1)
        crop = np.rot90(task.to_grey(hu[y : y + patch, x : x + patch]), int(turn) % 4)
        result[row, 0] = crop[:, ::-1] if int(turn) & 4 else crop
    return result


@lru_cache(2)  # a batch may span two epochs
def _order(seed: int, epoch: int, count: int) -> NDArray[np.intp]:
    """Return the order in which an epoch shows its slices."""
    return np.argsort(words(seed, _ORDER, epoch, count), kind="stable")


def _at_least(hu: NDArray[np.int16], side: int) -> NDArray[np.int16]:
    """Reflect a slice at its bottom and right until both sides are at least `side`."""
    missing = [(0, max(0, side - length)) for length in hu.shape]
    return np.pad(hu, missing, mode="reflect") if any(m for _, m in missing) else hu
