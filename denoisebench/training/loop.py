"""The training loop: one function, read from top to bottom."""

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module

from denoisebench.data.dataset import DataSet, spread
from denoisebench.data.patches import crops, noise_seed
from denoisebench.data.scan import Slice
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import Catalogue
from denoisebench.plugins.load import build
from denoisebench.task import Task
from denoisebench.task.noise import fresh_noise, noisy_slice
from denoisebench.task.task import to_network
from denoisebench.training import checkpoint, log, memory
from denoisebench.training.health import examine
from denoisebench.training.inference import denoise
from denoisebench.training.objective import Objective
from denoisebench.training.recipe import Recipe

CHECKPOINT_SECONDS = 5.0  # at least, between two checkpoints
CHECKPOINT_SHARE = 0.02  # at most, of the time: large networks save less often
VALIDATIONS = 10  # a training
VALIDATION_SLICES = 6


class Diverged(RuntimeError):
    """A loss, a weight or a score became NaN or infinite; the message says which and when."""


@dataclass(frozen=True)
class Trained:
    """What came out: the generator that is to be scored, and what it cost.

    Attributes:
        best: the same at the validation where it did best: step, PSNR in dB, weights.
        health: of the GAN at the last validation; see `health.Health`.
        peak_memory: see `memory.peak`.
    """

    generator: Module
    multiple: int
    steps: int
    images: int
    seconds: float
    status: Literal["done", "interrupted"]
    best: dict[str, Any] | None = None
    health: dict[str, Any] | None = None
    peak_memory: int | None = None


def train(
    recipe: Recipe,
    dataset: DataSet,
    task: Task,
    catalogue: Catalogue,
    folder: Path,
    *,
    device: torch.device,
    resume: bool = False,
    report: log.Reporter = lambda record: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train what a recipe asks for; the folder then holds `checkpoint.pt` and `log.jsonl`.

    Args:
        recipe: fully resolved.
        dataset, task, catalogue: those the recipe was resolved against.
        folder: of the run; exists.
        device: cpu or cuda.
        resume: go on from the folder's checkpoint.
        report: is told of each line of the log.
        stopping: asked before each step; True leaves a checkpoint and returns.
    Raises:
        Diverged: something is not finite; the last good checkpoint stays.
        Unavailable: nothing can be written; the last checkpoint stays.
    """
    cuda = device.type == "cuda"
    # On a CPU channels_last makes unet7's step 1.5 times as long and resunet's no shorter.
    layout = torch.channels_last if cuda else torch.contiguous_format
    torch.manual_seed(recipe.seed)  # initial weights
    (part,) = resolve(recipe.generator, "generator", catalogue)
    multiple = int(str(part.card.facts.get("multiple", 1)))
    generator: Module = build(part).to(device, memory_format=layout)
    averaged = copy.deepcopy(generator).requires_grad_(False) if recipe.ema else generator
    objective = Objective(resolve(recipe.loss, "loss", catalogue))
    critic: Module | None = None
    if recipe.discriminator is not None:
        (part,) = resolve(recipe.discriminator, "discriminator", catalogue)
        critic = build(part).to(device, memory_format=layout)
    optimisers = [_adam(network, recipe) for network in (generator, critic) if network]
    networks = {"generator": generator, "averaged": averaged}
    networks |= {"critic": critic} if critic else {}
    # bf16 has float32's range, so no loss scaling; losses are float32 either way.
    autocast = torch.autocast("cuda", torch.bfloat16) if cuda else nullcontext()

    state: dict[str, Any] = {"step": 0, "seconds": 0.0, "reported": 0, "reported_seconds": 0.0}
    state |= {"best": None, "health": None, "peak_memory": None}
    sums = torch.zeros(len(objective.weights) + (critic is not None), device=device)
    if resume:
        with checkpoint.fitting(folder / "checkpoint.pt"):
            state |= checkpoint.checked(checkpoint.load(folder / "checkpoint.pt", device))
            for name, network in networks.items():
                network.load_state_dict(state.pop(name))
            for optimiser, saved in zip(optimisers, state.pop("optimisers"), strict=True):
                optimiser.load_state_dict(saved)
            sums.copy_(state.pop("sums"))
        log.cut(folder / "log.jsonl", state["step"])

    names = [*objective.weights, *(["critic"] if critic else [])]
    step: int = state["step"]
    began = time.monotonic() - state["seconds"]
    reported, reported_seconds = state["reported"], state["reported_seconds"]
    best, health, peak_before = state["best"], state["health"], state["peak_memory"] or 0
    saved_seconds, save_every = state["seconds"], CHECKPOINT_SECONDS
    validated = math.floor(VALIDATIONS * _progress(recipe, step, saved_seconds))
    generator.train()
    memory.watch(device)

    # One turn more than there are steps: the last report and checkpoint are the ordinary ones.
    while True:
        seconds = time.monotonic() - began
        progress = _progress(recipe, step, seconds)
        finished, interrupted = progress >= 1, stopping()

        # ---- Report ------------------------------------------------------------------------
        due = finished or interrupted or seconds - reported_seconds >= 5
        validating = finished or math.floor(VALIDATIONS * progress) > validated
        if step > reported and (due or validating):
            means = (sums / (step - reported)).tolist()  # waits for the device
            _raise_if_not_finite(zip(names, means, strict=True), step)
            psnr = None
            if validating:
                _raise_if_not_finite(checkpoint.totals(_weights(networks)), step)
                psnr = _validate(averaged, multiple, dataset.val, task)
                best = _better(best, averaged, psnr, step)
                if critic:
                    health = examine(generator, critic, objective, dataset, task, recipe)
                scores = {"validation PSNR": psnr, **(health or {})}
                _raise_if_not_finite(scores.items(), step)
            validated = math.floor(VALIDATIONS * progress)
            speed = (step - reported) * recipe.batch / max(seconds - reported_seconds, 1e-9)
            rate = _learning_rate(recipe, progress)
            losses = dict(zip(names, means, strict=True))
            state_of_game = health if validating else None
            record = log.Record(step, progress, seconds, rate, speed, losses, psnr, state_of_game)
            log.append(folder / "log.jsonl", record)
            report(record)
            sums.zero_()
            reported, reported_seconds = step, time.monotonic() - began

        # ---- Save --------------------------------------------------------------------------
        if finished or interrupted or seconds - saved_seconds >= save_every:
            asked = time.monotonic()
            _raise_if_not_finite(zip(names, sums.tolist(), strict=True), step)
            state = {
                "step": step,
                "seconds": seconds,
                "reported": reported,
                "reported_seconds": reported_seconds,
                "sums": sums,
                "best": best,
                "health": health,
                "peak_memory": max(memory.peak(device) or 0, peak_before) or None,
                "optimisers": [optimiser.state_dict() for optimiser in optimisers],
                **_weights(networks),
            }
            _raise_if_not_finite(checkpoint.totals(state), step)
            checkpoint.save(folder / "checkpoint.pt", state)
            saved_seconds = time.monotonic() - began
            save_every = max(CHECKPOINT_SECONDS, (time.monotonic() - asked) / CHECKPOINT_SHARE)
        if finished or interrupted:
            break

        # ---- Draw a batch --------------------------------------------------------------------
        grey = torch.from_numpy(
            crops(
                dataset.train,
                task,
                seed=recipe.seed,
                step=step,
                batch=recipe.batch,
                patch=recipe.patch,
            )
        )
        grey = grey.pin_memory().to(device, non_blocking=True) if cuda else grey
        torch.manual_seed(noise_seed(recipe.seed, step))  # dropout, and the noise below
        source = torch.Generator(device).manual_seed(noise_seed(recipe.seed, step))
        noisy = to_network(fresh_noise(task, grey, source)).contiguous(memory_format=layout)
        clean = to_network(grey).contiguous(memory_format=layout)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = _learning_rate(recipe, progress)

        # ---- Judge real and fake -------------------------------------------------------------
        with autocast:
            output = generator(noisy)
        real = fake = None
        if critic:
            critic.requires_grad_(True)
            with autocast:
                critic_loss, penalties, real = objective.critic_loss(critic, output, clean, noisy)
            optimisers[1].zero_grad()
            critic_loss.backward()  # type: ignore[no-untyped-call]
            optimisers[1].step()
            judged = torch.stack([*penalties.values(), critic_loss.detach()])
            sums[-len(judged) :] += judged

            critic.requires_grad_(False)  # its gradients are of no use to the generator
            with autocast:
                fake = critic(output, noisy)

        # ---- Improve the generator -----------------------------------------------------------
        terms = objective.generator_terms(output, clean, fake, real)
        values = torch.stack([value.detach() for value in terms.values()])
        sums[: len(terms)] += values
        if not cuda:  # on a GPU this would wait for it each step; there the report looks
            _raise_if_not_finite(zip(names, sums.tolist(), strict=True), step + 1)
        optimisers[0].zero_grad()
        objective.total(terms).backward()  # type: ignore[no-untyped-call]
        optimisers[0].step()

        # ---- Average the weights -------------------------------------------------------------
        step += 1
        if recipe.ema:
            _average(averaged, generator, min(recipe.ema, (1 + step) / (10 + step)))

    images, status = step * recipe.batch, "interrupted" if interrupted and not finished else "done"
    return Trained(
        averaged.eval(),
        multiple,
        step,
        images,
        seconds,
        status,  # type: ignore[arg-type]
        best,
        health,
        state["peak_memory"],
    )


def _adam(network: Module, recipe: Recipe) -> torch.optim.Adam:
    """Adam with the recipe's rate and momenta, one kernel for all weights."""
    betas = (recipe.beta1, recipe.beta2)
    return torch.optim.Adam(network.parameters(), recipe.learning_rate, betas, fused=True)


def _progress(recipe: Recipe, step: int, seconds: float) -> float:
    """Share of the budget that is spent, 0-1."""
    if recipe.steps is not None:
        return min(1.0, step / recipe.steps)
    assert recipe.minutes is not None
    return min(1.0, seconds / (60 * recipe.minutes))


def _learning_rate(recipe: Recipe, progress: float) -> float:
    """Linear warm-up, then constant or half a cosine down to 0."""
    if progress < recipe.warmup:
        # The first step would otherwise have a rate of 0.
        return recipe.learning_rate * max(progress / recipe.warmup, 0.01)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    rest = (progress - recipe.warmup) / (1 - recipe.warmup)
    return recipe.learning_rate * (1 + math.cos(math.pi * rest)) / 2


@torch.no_grad()
def _average(averaged: Module, generator: Module, decay: float) -> None:
    """Move the averaged weights towards the trained ones; buffers are copied."""
    ours: list[Tensor] = list(averaged.parameters())
    theirs: list[Tensor] = list(generator.parameters())
    torch._foreach_lerp_(ours, theirs, 1 - decay)
    for mine, its in zip(averaged.buffers(), generator.buffers(), strict=True):
        mine.copy_(its)


def _weights(networks: dict[str, Module]) -> dict[str, Any]:
    """Weights and buffers of each network, by its name and theirs."""
    return {name: network.state_dict() for name, network in networks.items()}


def _validate(
    generator: Module, multiple: int, slices: Sequence[Slice], task: Task
) -> float | None:
    """Mean PSNR in dB on a few validation slices, spread over the split; None without any."""
    return float(np.mean([*_psnrs(generator, multiple, slices, task)])) if slices else None


def _better(
    best: dict[str, Any] | None, generator: Module, psnr: float | None, step: int
) -> dict[str, Any] | None:
    """Keep the weights where they did better on validation slices than any before."""
    if psnr is None or math.isnan(psnr) or (best and best["psnr"] >= psnr):
        return best
    weights = {name: value.detach().cpu().clone() for name, value in generator.state_dict().items()}
    return {"step": step, "psnr": psnr, "weights": weights}


def _psnrs(
    generator: Module, multiple: int, slices: Sequence[Slice], task: Task
) -> Iterator[float]:
    for one in spread(slices, VALIDATION_SLICES):
        clean = task.to_grey(one.hu)
        noisy = noisy_slice(task, clean, one.digest)
        error = float(np.mean((denoise(generator, noisy, multiple) - clean) ** 2))
        yield 10 * math.log10(255**2 / max(error, 1e-12)) if math.isfinite(error) else math.nan


def _raise_if_not_finite(values: Iterable[tuple[str, Any]], step: int) -> None:
    """Look at what is a number among named values: losses, weights, scores."""
    for name, value in values:
        if isinstance(value, float) and not math.isfinite(value):
            raise Diverged(f"{name} is {value} at step {step}")
