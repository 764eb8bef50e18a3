"""Whether weights are the known ones, and whether their metric gives the known value."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from denoisebench.scoring.weights.archive import digest_of
from denoisebench.scoring.weights.known import known_as
from denoisebench.scoring.weights.store import path_of, read

# The value is committed with six decimals, and another machine sums float32 in another order; a
# wrong layout or range moves it by over 0.01.
PROBE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Verified:
    """What `verify` found; `probe` is None where the digest was wrong: nothing was computed."""

    name: str
    path: Path
    digest: str
    expected_digest: str
    probe: float | None
    expected_probe: float

    @property
    def right(self) -> bool:
        """Whether the tensors are the known ones and give the known value."""
        return (
            self.digest == self.expected_digest
            and self.probe is not None
            and abs(self.probe - self.expected_probe) <= PROBE_TOLERANCE
        )


def verify(name: str) -> Verified:
    """Check digest and probe value of weights in the cache folder.

    Raises:
        Unavailable: they are not there, or cannot be read.
    """
    known, digest = known_as(name), digest_of(read(name))
    value = probe(name) if digest == known.digest else None
    return Verified(name, path_of(name), digest, known.digest, value, known.probe)


def probe(name: str) -> float:
    """Return what the built-in metric that uses these weights gives for `probe_pair`."""
    import torch

    from denoisebench.plugins.find import find
    from denoisebench.plugins.load import load

    cards = find().of("metric")
    card = next(c for c in cards if c.origin == "built-in" and c.facts.get("weights") == name)
    metric: Any = load(card)
    output, target = (torch.from_numpy(image)[None, None] for image in probe_pair())
    return float(metric(output, target))


def probe_pair() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return two (128, 128) images of grey levels from integer arithmetic: the same anywhere."""
    row, column = np.mgrid[0:128, 0:128]
    target = (row * column // 16 + 3 * column) % 256
    output = (target + (7 * row ^ 5 * column) % 64) % 256
    return output.astype(np.float32), target.astype(np.float32)
