"""How much an output depends on the draw of the noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from denoisebench.scoring.audit.sites import Mask
from denoisebench.task import Task


@dataclass(frozen=True)
class Spread:
    """Standard deviation of a pixel over noise seeds, in HU: its mean and 99th percentile."""

    mean: float
    high: float


def seed_spread(outputs: NDArray[np.float64], body: Mask, task: Task) -> Spread:
    """Measure the spread inside the body.

    Args:
        outputs: (seeds, H, W) of one slice, grey levels, at least two.
        body: (H, W).
    """
    deviation = outputs.std(axis=0, ddof=1)[body] / task.grey_per_hu
    return Spread(float(deviation.mean()), float(np.quantile(deviation, 0.99)))
