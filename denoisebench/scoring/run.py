"""A run: train a network, score it, and leave a folder that says all of it."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from denoisebench import atomic, lock
from denoisebench.data.dataset import DataSet
from denoisebench.errors import Unavailable, UsageError
from denoisebench.plugins.expression import Part, resolve
from denoisebench.plugins.find import Catalogue
from denoisebench.plugins.load import build
from denoisebench.scoring import denoisers
from denoisebench.scoring.cost import macs
from denoisebench.scoring.environment import device_name, environment
from denoisebench.scoring.evaluate import (
    Evaluation,
    Example,
    evaluate,
    filled,
)
from denoisebench.scoring.preview import save_preview
from denoisebench.scoring.result import (
    Best,
    Health,
    Result,
    Status,
    read_result,
    write_scores,
)
from denoisebench.scoring.weights import store
from denoisebench.task import Task
from denoisebench.training import checkpoint
from denoisebench.training.device import Speedup
from denoisebench.training.inference import memory_ended
from denoisebench.training.log import Reporter
from denoisebench.training.loop import Diverged, Trained, train
from denoisebench.training.recipe import Recipe
from denoisebench.training.world import ALONE, World


@dataclass(frozen=True)
class Bench:
    """What all rows of a board share, and where runs stand."""

    dataset: DataSet
    task: Task
    catalogue: Catalogue
    device: torch.device
    runs: Path
    workers: int | None = None
    world: World = ALONE
    """The processes that train together; all call `run_network` or, but for the first, `follow`."""
    speedup: Speedup = "none"
    note: Callable[[str], None] = lambda text: None
    """Told what could not be done as asked."""
    advance: Callable[[str, int, int], None] = field(default=lambda what, done, total: None)
    """Told while slices are scored or a baseline is tuned: what is done, how many, of how many."""


class Interrupted(Exception):
    """Training was stopped; the folder holds a checkpoint to resume from."""


class OutOfMemory(Unavailable):
    """The device has not the memory that a training takes; another recipe may fit."""


def place(out: Path) -> tuple[Path, Path | None]:
    """Say what --out names: the folder of runs; and the run's own, where it names a run."""
    return (out.parent, out) if (out / "recipe.toml").exists() else (out, None)


def run_folder(bench: Bench, recipe: Recipe) -> Path:
    """Say where a recipe's run stands: `<gen>-<loss>-<first 8 of the hash>` in the runs folder."""
    (generator,) = resolve(recipe.generator, "generator", bench.catalogue)
    losses = resolve(recipe.loss, "loss", bench.catalogue)
    terms = "+".join(part.card.name for part in losses)
    return bench.runs / f"{generator.card.name}-{terms}-{recipe.hash[:8]}"


def refuse(folder: Path, recipe: Recipe, *, resume: bool) -> None:
    """Raise UsageError where a run cannot go into a folder.

    It is in use by another process, holds the run of another recipe (the message names what
    differs), an unfinished one that was not asked to be resumed, or one that was and diverged.
    """
    lock.refuse_held(folder)
    if not (folder / "recipe.toml").exists():
        return
    found = Recipe.read(folder / "recipe.toml")
    if found.hash != recipe.hash:
        raise UsageError(
            f"{folder} is the run of another recipe ({'; '.join(recipe.differences(found))}); "
            "use another --out, or the same recipe"
        )
    done = (folder / "result.json").exists()
    if not resume and (folder / "checkpoint.pt").exists() and not done:
        raise UsageError(f"{folder} holds an unfinished run; go on with --resume, or remove it")
    if resume and done and (result := read_result(folder / "result.json")).status == "diverged":
        raise UsageError(
            f"{folder} diverged ({result.reason}), and would again; change --lr, "
            "--seed or --loss, or remove it to train it anew"
        )


def run_network(
    bench: Bench,
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    report: Reporter = lambda record: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Result:
    """Train a recipe and score it; a run that is done already is read, not repeated.

    One whose metrics lacked weights that are there now is scored again.

    Args:
        bench: data, task, device, place.
        recipe: what to train.
        folder: of the run; see `run_folder`.
        resume: go on with an unfinished run.
        report, stopping: see `train`.
    Returns:
        Its result; `diverged` where a loss, a weight or a score became NaN or infinite.
    Raises:
        UsageError: see `refuse`.
        Unavailable: nothing can be written; the last checkpoint stays.
        OutOfMemory: the device has not the memory.
        Interrupted: `stopping` said so; a checkpoint is in the folder.
    """
    refuse(folder, recipe, resume=resume)
    done, incomplete = known_result(bench, folder)
    if done and not (incomplete and (folder / "checkpoint.pt").exists()):
        bench.world.decided(False, False)
        return done
    with lock.alone(folder):
        forget_failure(folder)
        unfinished = (folder / "checkpoint.pt").exists()
        recipe.write(folder / "recipe.toml")
        if not unfinished:
            (folder / "log.jsonl").unlink(missing_ok=True)
        bench.world.decided(True, unfinished)
        try:
            trained = _train(bench, recipe, folder, unfinished, report, stopping)
        except Diverged as reason:
            result = _network_result(bench, recipe, None, None, "diverged", str(reason))
            result.write(folder / "result.json")
            return result
        except RuntimeError as error:
            if not memory_ended(error):
                raise
            raise OutOfMemory(
                f"{bench.device} has not the memory for this training; a smaller --batch or "
                "--patch, or --accumulate"
            ) from None
        if trained.status == "interrupted":
            raise Interrupted(f"stopped at step {trained.steps}")
        return _score_network(bench, recipe, trained, folder, stopping)


def follow(bench: Bench, recipe: Recipe, folder: Path) -> bool:
    """Train beside the first process of a world, which is in `run_network`; nothing is written.

    Returns:
        Whether the first goes on to another recipe, if there is one: it was not interrupted.
    """
    training, unfinished = bench.world.decided(False, False)
    if training:
        with suppress(Diverged):  # the first tells
            return _train(bench, recipe, folder, bool(unfinished)).status == "done"
    return True


def _train(
    bench: Bench,
    recipe: Recipe,
    folder: Path,
    resume: bool,
    report: Reporter = lambda record: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Trained:
    return train(
        recipe,
        bench.dataset,
        bench.task,
        bench.catalogue,
        folder,
        device=bench.device,
        resume=resume,
        report=report,
        stopping=stopping,
        world=bench.world,
        speedup=bench.speedup,
        note=bench.note,
    )


def known_result(bench: Bench, folder: Path) -> tuple[Result | None, bool]:
    """The folder's result if there is one, and whether weights it lacked have come since.

    A row that says why a run broke off before it had scores is none: the run may be tried again.
    """
    if not (folder / "result.json").exists():
        return None, False
    result = read_result(folder / "result.json")
    if _broke_off(result):
        return None, False
    present = {entry.name for entry in store.listing() if entry.present}
    nulls = [text for text, score in result.metrics.items() if score.mean is None]
    parts = [part for text in nulls for part in resolve(text, "metric", bench.catalogue)]
    lacked = {part.card.facts.get("weights") for part in parts}
    return result, bool(lacked & present)


def forget_failure(folder: Path) -> None:
    """Remove a row that says why a run broke off before it had scores; call it under its lock."""
    path = folder / "result.json"
    if path.exists() and _broke_off(read_result(path)):
        path.unlink()


def _broke_off(result: Result) -> bool:
    return result.status == "failed" and not result.metrics


def _score_network(
    bench: Bench, recipe: Recipe, trained: Trained, folder: Path, stopping: Callable[[], bool]
) -> Result:
    generator = trained.generator
    last = {name: value.cpu().clone() for name, value in generator.state_dict().items()}
    save_weights(folder / "model.safetensors", last, recipe)
    denoiser = denoisers.network(generator, trained.multiple)
    evaluation = evaluated(bench, recipe.method, denoiser, stopping)
    write_evaluation(bench, folder, recipe.method, evaluation)
    best = None
    if trained.best and trained.best.step < trained.steps:
        save_weights(folder / "best.safetensors", trained.best.weights, recipe)
        with checkpoint.fitting(folder / checkpoint.BEST):
            generator.load_state_dict(trained.best.weights)
        again = evaluated(bench, f"{recipe.method}, best weights", denoiser, stopping)
        step, psnr = trained.best.step, trained.best.psnr
        best = Best(step=step, validation_psnr=psnr, metrics=again.metrics)
    status: Status = "diverged" if evaluation.failure else "done"
    result = _network_result(bench, recipe, trained, evaluation, status, evaluation.failure)
    result = result.model_copy(update={"best": best, "inference": denoiser.note})
    result.write(folder / "result.json")
    return result


def save_weights(path: Path, weights: dict[str, torch.Tensor], recipe: Recipe) -> None:
    """Write a network's tensors as safetensors, with the recipe beside them."""
    tensors = {name: value.contiguous() for name, value in weights.items()}
    with atomic.replacing(path) as file:
        file.write(save(tensors, metadata={"denoisebench": recipe.model_dump_json()}))


def write_evaluation(bench: Bench, folder: Path, method: str, evaluation: Evaluation) -> None:
    """Write what stands beside a result: scores, environment, preview."""
    write_scores(folder / "scores.csv", evaluation.scores)
    facts = environment() | {"processes": bench.world.size, "speedup": bench.speedup}
    atomic.write_text(folder / "environment.json", json.dumps(facts, indent=1) + "\n")
    references = _reference_outputs(bench, method, evaluation.example)
    save_preview(folder / "preview.png", evaluation.example, method, references)


def evaluated(
    bench: Bench,
    method: str,
    denoiser: denoisers.Denoiser,
    stopping: Callable[[], bool] = lambda: False,
) -> Evaluation:
    """Score a denoiser on the bench's test split, telling the bench how far it is."""
    total, done = len(bench.dataset.test), 0

    def advance() -> None:
        nonlocal done
        done += 1
        bench.advance(f"scoring {method}", done, total)
        if stopping():
            raise Interrupted("trained, but not scored yet")

    return evaluate(
        denoiser, bench.dataset, bench.task, bench.catalogue, advance=advance, device=bench.device
    )


def _network_result(
    bench: Bench,
    recipe: Recipe,
    trained: Trained | None,
    evaluation: Evaluation | None,
    status: Status,
    reason: str | None,
) -> Result:
    (part,) = resolve(recipe.generator, "generator", bench.catalogue)
    generator = trained.generator if trained else build(part)
    health = Health.model_validate(trained.health) if trained and trained.health else None
    return Result(
        method=recipe.method,
        kind="network",
        recipe=recipe.hash,
        family=recipe.family,
        twin=recipe.twin,
        seeds=(recipe.seed,),
        licence=part.card.licence or None,
        parameters=sum(p.numel() for p in generator.parameters()),
        macs=_macs(bench, part),
        train_seconds=trained.seconds if trained else 0.0,
        train_images=trained.images if trained else 0,
        train_steps=trained.steps if trained else 0,
        peak_memory=trained.peak_memory if trained else None,
        health=health,
        device=device_name(bench.device),
        **facts_of_any(bench, evaluation, status, reason),
    )


def _macs(bench: Bench, part: Part) -> int | None:
    try:
        return macs(part, bench.dataset.test[0].hu.shape)
    except Exception:  # a network of any kind: what cannot be counted must not cost its scores
        return None


def facts_of_any(
    bench: Bench, evaluation: Evaluation | None, status: Status, reason: str | None
) -> dict[str, Any]:
    """The fields that do not depend on the kind of method."""
    test = bench.dataset.test
    return {
        "task": bench.task.name,
        "task_version": bench.task.version,
        "task_digest": bench.task.digest,
        "data": bench.dataset.name,
        "data_digest": bench.dataset.digest,
        "split_digest": bench.dataset.split_digest,
        "split_note": "; ".join(bench.dataset.notes) or None,
        "n_slices": len(test),
        "n_patients": len({one.patient for one in test}),
        "metrics": evaluation.metrics if evaluation else {},
        "seconds_per_slice": evaluation.seconds_per_slice if evaluation else None,
        "status": status,
        "reason": reason,
    }


def _reference_outputs(
    bench: Bench, method: str, example: Example
) -> dict[str, NDArray[np.float64]]:
    """Outputs of the board's reference baselines for the preview's slice, where they are known."""
    found: dict[str, NDArray[np.float64]] = {}
    for text in bench.task.references:
        (part,) = resolve(text, "baseline", bench.catalogue)
        known = denoisers.cached(filled(part, bench.task), bench.task.sigma, example.noisy)
        trivial = known is None or np.array_equal(known.image, example.noisy.astype(np.float32))
        if known and part.text != method and not trivial:
            found[part.text] = known.image
    return found
