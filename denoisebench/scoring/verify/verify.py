"""Measure a run again: two children, noise and bodies nobody has seen, a verdict."""

import math
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from denoisebench.data.dataset import DataSet
from denoisebench.errors import Unavailable, UsageError
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import Catalogue
from denoisebench.plugins.load import build
from denoisebench.scoring import denoisers
from denoisebench.scoring.environment import environment
from denoisebench.scoring.evaluate import filled
from denoisebench.scoring.opened import MODEL, Opened
from denoisebench.scoring.result import Verification, read_scores
from denoisebench.scoring.submission.private import discreet
from denoisebench.scoring.verify.books import contradiction, refuse_other_rulers
from denoisebench.scoring.verify.box import SECONDS, Box, Misbehaved, Order, distinct
from denoisebench.scoring.verify.confine import private_memory
from denoisebench.scoring.verify.judge import Measured, verdict
from denoisebench.scoring.verify.secret import CHILDREN, Showing, chosen, showings
from denoisebench.task import Task
from denoisebench.task.noise import noisy_slice
from denoisebench.workers import cores

Measures = list[tuple[str, Callable[..., torch.Tensor]]]
SALT_BITS = 64


def verify(
    opened: Opened,
    dataset: DataSet,
    metrics: Catalogue,
    *,
    plugins: Sequence[Path] = (),
    device: str = "cpu",
    slices: int | None = None,
    salt: int | None = None,
    seconds: float = SECONDS,
    advance: Callable[[int, int], None] = lambda done, total: None,
    say: Callable[[str], None] = lambda line: None,
) -> Verification:
    """Score a run again in processes that see noisy pixels only.

    Args:
        opened: the run.
        dataset: whose test split it was scored on.
        metrics: where metrics are looked up: what is installed here, without the user's files.
        plugins: files that the user named; nothing else that came with the run is imported.
        device: where the method runs.
        slices: how many test slices at most, chosen in secret; all where None.
        salt: the secret, to repeat a verification; fresh where None.
        seconds: that a child may take for a slice.
        advance: told how many answers have come, of how many.
        say: told the last line that a process said which gave no answer.
    Returns:
        What verification.json holds; the salt is in it, as it is never used again.
    Raises:
        UsageError: it was scored on other data, or by other rulers than this denoisebench has.
    """
    opened.refuse_other(dataset)
    refuse_other_rulers(opened, metrics)
    order = _order(opened, dataset, plugins, device, seconds)
    metric = resolve(opened.task.metrics[0], "metric", metrics)[0].text
    reported = opened.result.metrics[metric].mean
    if reported is None:
        raise UsageError(f"{opened.folder} has no {metric}, so there is nothing to verify")
    scores = read_scores(opened.folder / "scores.csv")
    salt = secrets.randbits(SALT_BITS) if salt is None else salt
    reason = contradiction(opened.result, opened.recipe, scores, dataset)
    if reason is None:
        shown = chosen(dataset.test, slices, salt)
        examiner = Examiner(opened.task, metrics, 2 * len(shown), advance)
        try:
            with private_memory():
                found = examiner.examine(order, showings(shown, salt))
            return _signed(verdict(opened.result, scores, metric, found), opened, salt)
        except Misbehaved as problem:
            reason = f"the process that denoises {problem}"
            say(problem.words)
    failed = Verification(
        recipe=opened.result.recipe,
        metric=metric,
        reported=reported,
        measured=None,
        passed=False,
        reason=reason,
    )
    return _signed(failed, opened, salt)


class Examiner:
    """Shows slices to children and measures what they answer."""

    def __init__(
        self, task: Task, metrics: Catalogue, total: int, advance: Callable[[int, int], None]
    ) -> None:
        self.task, self.total, self.advance = task, total, advance
        parts = [part for text in task.metrics for part in resolve(text, "metric", metrics)]
        self.measures: Measures = [(part.text, build(filled(part, task))) for part in parts]
        self.found, self.done = Measured(), 0
        self.one_at_a_time, self.stopped = threading.Lock(), threading.Event()

    def examine(self, order: Order, dealt: Sequence[Sequence[Showing]]) -> Measured:
        """Show each child its slices, all children at once.

        Raises:
            Misbehaved: a child gave an answer that is no slice, or none.
        """
        with ThreadPoolExecutor(CHILDREN) as pool:
            futures = [pool.submit(self._show, order, own) for own in dealt]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self.stopped.set()
                raise
        return self.found

    def _show(self, order: Order, own: Sequence[Showing]) -> None:
        with Box(order) as box:
            for showing in own:
                if self.stopped.is_set():
                    return
                target = showing.slice
                clean = self.task.to_grey(target.hu)
                output = box.denoise(noisy_slice(self.task, clean, target.digest, showing.salt))
                with self.one_at_a_time:
                    self._measure(showing, output, clean)
            box.finish()
            self.found.confined = box.confined

    def _measure(self, showing: Showing, output: Any, clean: Any) -> None:
        name = showing.original.digest[:16]
        self.found.patients[name] = showing.original.patient
        self.found.errors[showing.altered][name] = float(np.mean((output - clean) ** 2))
        self.done += 1
        self.advance(self.done, self.total)
        if showing.altered:
            return
        pair = [torch.from_numpy(image)[None, None] for image in (output, clean)]
        for metric, measure in self.measures:
            try:
                with torch.inference_mode():
                    value = float(measure(*pair)[0])
            except Unavailable as reason:
                self.found.unmeasured[metric] = discreet(str(reason))
                continue
            if math.isfinite(value):
                self.found.values.setdefault(metric, {})[name] = value
            else:
                self.found.unmeasured[metric] = f"it is {value} on some slices"


def _order(
    opened: Opened, dataset: DataSet, plugins: Sequence[Path], device: str, seconds: float
) -> Order:
    card, task = opened.part.card, opened.task
    if card.origin == "folder":
        raise UsageError(f"{card.name} is in {card.path}; name that file with --plugin to run it")
    files = []
    if opened.recipe is not None:
        files = [opened.folder / name for name in ("recipe.toml", MODEL)]
        missing = [path for path in files if not path.is_file()]
        if missing:
            raise UsageError(f"no {missing[0]}; without weights a run cannot be verified")
    return Order(
        kind="generator" if opened.recipe else "baseline",
        method=opened.part.text,
        task=task.model_dump(),
        device=device,
        files=tuple(files),
        plugins=distinct(plugins),
        learning=tuple(denoisers.lessons(opened.part, dataset, task)),
        threads=max(1, cores() // CHILDREN),
        seconds=seconds,
    )


def _signed(verification: Verification, opened: Opened, salt: int) -> Verification:
    """Add what lets others repeat it: the salt, the weights' digest, the versions."""
    found = environment()
    signed = {
        "salt": f"{salt:016x}",
        "weights_sha256": opened.weights_digest() if opened.recipe else None,
        "versions": {
            "python": found["python"],
            **{name: found["packages"][name] for name in ("denoisebench", "torch", "numpy")},
        },
    }
    return verification.model_copy(update={"details": {**verification.details, **signed}})
