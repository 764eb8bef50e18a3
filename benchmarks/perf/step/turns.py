"""Steps of `train` by turns with other ways to spend a step, in one process.

`train` asks `stopping()` before each step, so the others are run and timed inside that call, and a
step of ours is the time from its return to the next one: all that the loop does. It is stopped
early in a long training, whose ten validations are as far apart as they are in earnest. Reports and
checkpoints, seconds apart, fall into a few gaps: medians leave them out, means do not.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray

from denoisebench.data.dataset import DataSet
from denoisebench.data.patches import crops
from denoisebench.plugins.find import Catalogue
from denoisebench.task import Task
from denoisebench.training.loop import train
from denoisebench.training.recipe import Recipe, plan

OURS, WAITING = "train()", "its crops"
EARLY = 50  # times as many steps has the training that is stopped


@dataclass(frozen=True)
class Turns:
    """Seconds of each step, by who took it, and of ours that its crops took.

    On a CPU they are cut before the step, those of several small steps at once, so that their
    median step has none cut. Their noise is arithmetic: the bare loop draws it too.
    """

    seconds: Mapping[str, list[float]]

    def median(self, who: str = OURS) -> float:
        return median(self.seconds[who])

    def ratio(self, slower: str, faster: str) -> float:
        """How many times as long as the faster's the slower's step is, in the median."""
        return self.median(slower) / self.median(faster)

    def spread(self, slower: str, faster: str) -> tuple[float, float]:
        """First and third quartile of the ratio of neighbours."""
        pairs = zip(self.seconds[slower], self.seconds[faster], strict=True)
        low, _, high = quantiles([a / b for a, b in pairs], n=4)
        return low, high

    def of_means(self, slower: str, faster: str) -> float:
        return fmean(self.seconds[slower]) / fmean(self.seconds[faster])


def by_turns(
    recipe: Recipe,
    dataset: DataSet,
    task: Task,
    catalogue: Catalogue,
    folder: Path,
    others: Mapping[str, Callable[[], object]],
    *,
    turn: int = 1,
) -> Turns:
    """Take the steps of `recipe` on the CPU, and after each `turn` run each other `turn` times.

    The first turn warms up and is left out. So is the first step of every turn that has several:
    what the loop prepared while others ran was not prepared at its own cost, and what it does every
    few seconds became due meanwhile.
    """
    assert recipe.steps is not None
    longer = recipe.model_copy(update={"steps": EARLY * recipe.steps})
    seconds: dict[str, list[float]] = {name: [] for name in (OURS, WAITING, *others)}
    since: float | None = None

    def cut(*given: Any, **named: Any) -> NDArray[np.float32]:
        began = time.perf_counter()
        cropped = crops(*given, **named)
        took = time.perf_counter() - began
        seconds[WAITING] += [took / named["steps"]] * named["steps"]
        return cropped

    def between() -> bool:
        nonlocal since
        now = time.perf_counter()
        if since is not None:
            seconds[OURS].append(now - since)
        if since is not None and len(seconds[OURS]) % turn == 0:
            for name, other in others.items():
                for _ in range(turn):
                    began = time.perf_counter()
                    other()
                    seconds[name].append(time.perf_counter() - began)
        since = time.perf_counter()
        return len(seconds[OURS]) == recipe.steps

    cpu = torch.device("cpu")
    with patch("denoisebench.data.batches.crops", cut):  # a clock around it
        train(longer, dataset, task, catalogue, folder, device=cpu, stopping=between)
    kept = [n for n in range(turn, len(seconds[OURS])) if turn == 1 or n % turn]
    return Turns({name: [each[n] for n in kept] for name, each in seconds.items()})


def recipe_for(
    catalogue: Catalogue, task: Task, dataset: DataSet, *, ema: float = 0.999, **choices: object
) -> Recipe:
    """Resolve a training at a constant rate of 1e-4: the same arithmetic in each step."""
    settings = {"schedule": "constant", "warmup": 0.0, "learning_rate": 1e-4, "beta1": 0.5}
    return plan(catalogue, **settings, ema=ema, **choices).recipe(task, dataset)  # type: ignore[arg-type]
