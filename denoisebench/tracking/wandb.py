"""Weights & Biases: a run in `wandb/` of the run's folder, sent nowhere unless WANDB_MODE=online.

What W&B would note by itself is switched off: host, user, paths, command line, packages, git
remote, console, reports of its own errors. `wandb sync` may send what stands there later, so the
preview, a slice of the data, is in it only where that is the phantom or DENOISEBENCH_WANDB_PREVIEW
asks for it.
"""

import logging
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read on import, sent even when offline

import wandb

from denoisebench.scoring.result import Result
from denoisebench.tracking.values import curves, scores
from denoisebench.training.log import Record
from denoisebench.training.recipe import Recipe

PREVIEW = "DENOISEBENCH_WANDB_PREVIEW"
SEND_SECONDS = 60.0  # at most, at the beginning and at the end; the rest stays for `wandb sync`


class WeightsAndBiases:
    """One W&B run a recipe: its id is the recipe's hash, its group the recipes of other seeds."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._run = _begun(recipe, folder)
        except BaseException:
            wandb.teardown()  # its service would say at the next attempt that the run is in use
            raise
        _keep_to_this_process()
        ours = Path(self._run.dir).parent
        runs = folder.glob(f"wandb/offline-run-*-{recipe.hash}*")
        self._earlier = [path for path in runs if path.name != ours.name]
        with suppress(OSError):
            (ours / "logs" / "debug-core.log").unlink()  # a link into the user's own folder
        self._may_show = recipe.data.startswith("phantom") or os.environ.get(PREVIEW) == "yes"
        self._next, self._done = self._run.step, False

    def lines(self, records: Sequence[Record]) -> None:
        """Log curves at the steps of the log; a server that the run goes on at has some already."""
        now = time.time()
        for record in records:
            if record.step >= self._next:
                when = now - (records[-1].seconds - record.seconds)
                values = {**curves(record), "_timestamp": when}
                self._run.log(values, step=record.step, commit=True)
        while self._earlier:
            shutil.rmtree(self._earlier.pop())

    def result(self, result: Result, preview: Path | None) -> None:
        """Put scores, status and picture into the summary."""
        self._run.summary.update({**scores(result), "status": result.status})
        if result.reason:
            self._run.summary["reason"] = result.reason
        if preview and self._may_show:
            self._run.summary["preview"] = wandb.Image(str(preview))
        self._done = result.status == "done"

    def close(self) -> None:
        """Finish; W&B calls a run failed that has no result or diverged."""
        self._run.finish(exit_code=0 if self._done else 1)
        wandb.teardown()  # ends its service, and waits until all is written


def _begun(recipe: Recipe, folder: Path) -> wandb.Run:
    _keep_to_this_process()
    return wandb.init(
        project=os.environ.get("WANDB_PROJECT", "denoisebench"),
        id=recipe.hash,
        name=folder.name,
        group=recipe.family,
        config=recipe.model_dump(exclude_none=True),
        dir=folder,
        mode=os.environ.get("WANDB_MODE", "offline"),  # type: ignore[arg-type]
        resume="allow",
        reinit="create_new",
        settings=_discreet(),
    )


def _keep_to_this_process() -> None:
    """Share W&B's service with no child: there, the run of one that is killed stays in use."""
    os.environ.pop("WANDB_SERVICE", None)


def _discreet() -> wandb.Settings:
    """Keep to oneself who runs what where: without metadata, and without what goes beside them."""
    wandb.setup()
    logging.getLogger("wandb").setLevel(logging.CRITICAL)  # its log file tells paths
    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        email="",
        finish_timeout=SEND_SECONDS,
        host="",
        init_timeout=SEND_SECONDS,
        program="denoisebench",
        save_code=False,
        silent=True,
        symlink=False,
        username="",
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
