"""Random numbers from raw Philox words, one named stream for each thing that is drawn.

NumPy promises the raw stream of a bit generator, not what its distributions make of it, so
numbers are made here from words by exact arithmetic. A stream is keyed by its name: adding an
organ does not shift the numbers of another.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
_UNIT = 1.0 / (1 << 53)
_BLOCK = 64


class Stream:
    """Uniform numbers for one named thing; equal names give equal numbers on every machine."""

    def __init__(self, *names: object) -> None:
        text = "/".join(str(name) for name in names)
        key = hashlib.sha256(text.encode()).digest()[:16]
        self._bits = np.random.Philox(key=int.from_bytes(key, "little"))
        self._ready: list[float] = []

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return raw 64-bit words."""
        words: NDArray[np.uint64] = self._bits.random_raw(count)
        return words

    def uniforms(self, count: int) -> NDArray[np.float64]:
        """Return values in [0, 1), multiples of 2⁻⁵³."""
        words = self.words(count) >> np.uint64(11)
        scaled: NDArray[np.float64] = words.astype(np.float64) * _UNIT
        return scaled

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return one value in [low, high)."""
        if not self._ready:
            self._ready = self.uniforms(_BLOCK).tolist()
        return low + (high - low) * self._ready.pop()

    def bell(self, middle: float = 0.0, spread: float = 1.0) -> float:
        """Return a value round `middle` with standard deviation `spread`, within 2.4 of them."""
        total = self.uniform() + self.uniform() + self.uniform() + self.uniform() - 2.0
        return middle + spread * 1.7320508075688772 * total

    def chance(self, probability: float) -> bool:
        """Say yes with the probability given."""
        return self.uniform() < probability

    def integer(self, low: int, high: int) -> int:
        """Return one of low, …, high."""
        return low + int(self.uniform() * (high - low + 1))

    def choice(self, options: Sequence[T]) -> T:
        """Return one of the options, all equally likely."""
        return options[self.integer(0, len(options) - 1)]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """Return the options in random order (Fisher and Yates)."""
        result = list(options)
        for last in range(len(result) - 1, 0, -1):
            other = self.integer(0, last)
            result[last], result[other] = result[other], result[last]
        return result
