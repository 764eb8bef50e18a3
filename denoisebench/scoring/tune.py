"""Tune a baseline: the knobs its card names, by PSNR on slices of validation patients."""

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from denoisebench import atomic
from denoisebench.bounded import read_json
from denoisebench.data.dataset import DataSet, spread
from denoisebench.errors import UsageError
from denoisebench.home import home
from denoisebench.plugins.expression import Part
from denoisebench.scoring import denoisers
from denoisebench.scoring.evaluate import filled
from denoisebench.task import Task
from denoisebench.task.noise import noisy_slice
from denoisebench.task.task import psnr_of

SLICES = 8  # spread over the validation split


@dataclass(frozen=True)
class Tuning:
    """What was tuned: knob → value, and the mean PSNR in dB of each setting that was tried."""

    chosen: dict[str, Any]
    tried: list[tuple[dict[str, Any], float]]

    @property
    def at_the_edge(self) -> tuple[str, ...]:
        """Numbers that came out as the smallest or largest tried: a wider range may be better."""
        edges = []
        for name, value in self.chosen.items():
            tried = {setting[name] for setting, _ in self.tried}
            if isinstance(value, int | float) and len(tried) > 1:
                edges += [name] if value in (min(tried), max(tried)) else []
        return tuple(edges)


def tuned(
    part: Part,
    dataset: DataSet,
    task: Task,
    *,
    workers: int | None = None,
    learned: denoisers.Learned | None = None,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Part, Tuning | None]:
    """Choose the knobs that a baseline's card asks to be tuned, where the user set none of them.

    Each combination of the values on the card denoises the same few validation slices; the best
    mean PSNR wins, the first of equals. The choice is kept in the cache folder.

    Args:
        part: the baseline; knobs that the user gave stay as they are.
        dataset: whose validation split; the test split is not looked at.
        task: window and noise.
        workers, learned: see `denoisers.baseline`.
        advance: told how many outputs are done, of how many.
    Returns:
        The baseline with its knobs spelled out, and the tuning; None where there was nothing to do.
    """
    grid = part.card.facts.get("tune")
    values = (
        {k: v for k, v in grid.items() if k not in part.given} if isinstance(grid, dict) else {}
    )
    if not values or not dataset.val:
        return part, None
    shown = spread(dataset.val, SLICES)
    settings = [
        dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())
    ]
    parts = [replace(part, knobs={**part.knobs, **setting}) for setting in settings]

    place = _place(part, task, [one.digest for one in shown], values, learned)
    scores = _known(place, len(settings))
    if scores is None:
        clean = [task.to_grey(one.hu) for one in shown]
        noisy = [
            noisy_slice(task, grey, one.digest) for grey, one in zip(clean, shown, strict=True)
        ]
        jobs = [(filled(each, task), image) for each in parts for image in noisy]
        outputs = denoisers.each(jobs, task.sigma, workers, learned=learned, keep=False)
        psnrs = []
        for done, output in enumerate(outputs, 1):
            psnrs.append(psnr_of(output.image, clean[(done - 1) % len(clean)]))
            advance(done, len(jobs))
        means = np.nan_to_num(psnrs, nan=-np.inf).reshape(len(settings), -1).mean(axis=1)
        scores = [float(mean) for mean in means]
        place.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(place, json.dumps(scores))
    best = int(np.argmax(scores))
    return parts[best], Tuning(settings[best], list(zip(settings, scores, strict=True)))


def _place(
    part: Part,
    task: Task,
    slices: Sequence[str],
    values: dict[str, Any],
    learned: denoisers.Learned | None,
) -> Path:
    facts = {
        "part": part.text,
        "source": part.card.digest,
        "release": denoisers.release(part),
        "values": values,
        "task": task.model_dump(),
        "slices": slices,
        "learned": learned.digest if learned else None,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return home() / "baselines" / part.card.name / f"tuned-{digest}.json"


def _known(place: Path, count: int) -> list[float] | None:
    """The scores of an earlier tuning, if they are whole."""
    try:
        scores = read_json(place)
    except UsageError:
        return None
    whole = isinstance(scores, list) and len(scores) == count
    return scores if whole and all(isinstance(score, float) for score in scores) else None
