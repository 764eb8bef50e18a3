"""The training loop: one function, read from top to bottom."""

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module

from denoisebench.data.batches import Batches
from denoisebench.data.dataset import DataSet, spread
from denoisebench.data.patches import noise_seed
from denoisebench.data.scan import Slice
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import Catalogue
from denoisebench.plugins.load import build
from denoisebench.task import Task
from denoisebench.task.noise import noisy_slice
from denoisebench.task.task import psnr_of
from denoisebench.training import checkpoint, log
from denoisebench.training.device import Fast, Speedup, autocast, layout, peak_memory, reseed, watch
from denoisebench.training.health import examine
from denoisebench.training.inference import denoise
from denoisebench.training.objective import Judge, Objective
from denoisebench.training.recipe import Recipe
from denoisebench.training.world import ALONE, World

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
        best: the same at the validation where it did best.
        health: of the GAN at the last validation; see `health.Health`.
        peak_memory: see `device.peak_memory`.
    """

    generator: Module
    multiple: int
    steps: int
    images: int
    seconds: float
    status: Literal["done", "interrupted"]
    best: checkpoint.Best | None = None
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
    world: World = ALONE,
    speedup: Speedup = "none",
    note: Callable[[str], None] = lambda text: None,
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
        world: the processes that train it together; each calls this, the first one writes.
        speedup: what is compiled; see `device.Fast`.
        note: told what could not be done as asked.
    Raises:
        Diverged: something is not finite; the last good checkpoint stays.
        Unavailable: nothing can be written; the last checkpoint stays.
    """
    cuda = device.type == "cuda"
    torch.manual_seed(recipe.seed)  # initial weights
    (part,) = resolve(recipe.generator, "generator", catalogue)
    multiple = int(str(part.card.facts.get("multiple", 1)))
    generator: Module = build(part).to(device, memory_format=layout(device))
    averaged = copy.deepcopy(generator).requires_grad_(False) if recipe.ema else generator
    objective = Objective(resolve(recipe.loss, "loss", catalogue))
    critic: Module | None = None
    if recipe.discriminator is not None:
        (part,) = resolve(recipe.discriminator, "discriminator", catalogue)
        critic = build(part).to(device, memory_format=layout(device))
    # Lists, since a network looks for its parameters for as long as a small one's step takes.
    averages: list[Tensor] = [*averaged.parameters()]
    playing = [*generator.parameters()]
    weights = [weight.detach() for weight in playing]
    kept = [*zip(averaged.buffers(), generator.buffers(), strict=True)]
    judging = [*critic.parameters()] if critic else []
    optimisers = [_adam(network, recipe) for network in (generator, critic) if network]
    networks = {"generator": generator, "averaged": averaged}
    networks |= {"critic": critic} if critic else {}
    parts = recipe.accumulate or 1
    batches = Batches(
        dataset.train,
        task,
        seed=recipe.seed,
        batch=recipe.batch,
        patch=recipe.patch,
        device=device,
        rows=world.rows(recipe.batch, parts),
    )

    state: dict[str, Any] = {"step": 0, "seconds": 0.0, "reported": 0, "reported_seconds": 0.0}
    state |= {"health": None, "peak_memory": None}
    sums = torch.zeros(len(objective.weights) + (critic is not None), device=device)
    each_sum = [*sums.unbind()]
    if resume:
        with checkpoint.fitting(folder / "checkpoint.pt"):
            state |= checkpoint.checked(checkpoint.load(folder / "checkpoint.pt", device))
            for name, network in networks.items():
                network.load_state_dict(state.pop(name))
            for optimiser, saved in zip(optimisers, state.pop("optimisers"), strict=True):
                optimiser.load_state_dict(saved)
            sums.copy_(state.pop("sums"))
        if world.writes:
            log.cut(folder / "log.jsonl", state["step"])
            checkpoint.Best.settle(folder, state["step"])
    elif world.writes:
        for name in (checkpoint.BEST, checkpoint.NEXT_BEST):
            (folder / name).unlink(missing_ok=True)

    names = [*objective.weights, *(["critic"] if critic else [])]
    step: int = state["step"]
    began = time.monotonic() - state["seconds"]
    reported, reported_seconds = state["reported"], state["reported_seconds"]
    health, peak_before = state["health"], state["peak_memory"] or 0
    kept_best = checkpoint.Best.read(folder) if world.writes else None
    best_psnr = kept_best.psnr if kept_best else -math.inf
    del kept_best
    saved_seconds, save_every = state["seconds"], CHECKPOINT_SECONDS
    validated = math.floor(VALIDATIONS * _progress(recipe, step, saved_seconds))
    before = _progress(recipe, step - 1, saved_seconds)
    begun = critic is not None and _gan_begun(recipe, before)
    rate = _learning_rate(recipe, max(before, 0.0))
    generator.train()
    player = world.shared(generator, device)
    play = Fast(player, speedup, note)
    if critic:
        look = Fast(critic, speedup, note)
        judge = world.shared(Judge(objective, critic, look, recipe.patch), device)
    watching = watch(device)

    # One turn more than there are steps: the last report and checkpoint are the ordinary ones.
    while True:
        clock = time.monotonic() - began, stopping() and world.writes
        seconds, interrupted = world.decided(*clock)
        progress = _progress(recipe, step, seconds)
        finished = progress >= 1

        # ---- Report ------------------------------------------------------------------------
        due = finished or interrupted or seconds - reported_seconds >= 5
        joining = critic is not None and not begun and _gan_begun(recipe, progress)
        validating = finished or math.floor(VALIDATIONS * progress) > validated
        if step > reported and (due or joining or validating):
            means = (world.mean(sums) / (step - reported)).tolist()  # waits for the device
            _raise_if_not_finite(zip(names, means, strict=True), step)
            psnr = None
            if validating:
                world.align(*networks.values())
                _raise_if_not_finite(checkpoint.totals(_weights(networks)), step)
                psnr = _validate(averaged, multiple, dataset.val, task)
                if critic and begun:
                    health = examine(generator, critic, objective, dataset, task, recipe)
                scores = {"validation PSNR": psnr, **(health or {})}
                _raise_if_not_finite(scores.items(), step)
                if psnr is not None and psnr > best_psnr:
                    best_psnr = psnr
                    if world.writes:
                        found = {"step": step, "psnr": psnr, "weights": averaged.state_dict()}
                        checkpoint.save(folder / checkpoint.NEXT_BEST, found)
            validated = math.floor(VALIDATIONS * progress)
            speed = (step - reported) * recipe.batch / max(seconds - reported_seconds, 1e-9)
            losses = dict(zip(names, means, strict=True))
            if critic and not begun:
                losses = {name: losses[name] for name in objective.alone}
            state_of_game = health if validating else None
            record = log.Record(step, progress, seconds, rate, speed, losses, psnr, state_of_game)
            if world.writes:
                log.append(folder / "log.jsonl", record)
                report(record)
            sums.zero_()
            reported, (reported_seconds,) = step, world.decided(time.monotonic() - began)

        # ---- Save --------------------------------------------------------------------------
        if finished or interrupted or seconds - saved_seconds >= save_every:
            asked = time.monotonic()
            sums.copy_(world.mean(sums))
            world.align(*networks.values())
            _raise_if_not_finite(zip(names, sums.tolist(), strict=True), step)
            state = {
                "step": step,
                "seconds": seconds,
                "reported": reported,
                "reported_seconds": reported_seconds,
                "sums": sums,
                "health": health,
                "peak_memory": max((watching and peak_memory(device)) or 0, peak_before) or None,
                "optimisers": [optimiser.state_dict() for optimiser in optimisers],
                **_weights(networks),
            }
            _raise_if_not_finite(checkpoint.totals(state), step)
            if world.writes:
                checkpoint.save(folder / "checkpoint.pt", state)
                checkpoint.accept_best(folder)
            saved_seconds, took = world.decided(time.monotonic() - began, time.monotonic() - asked)
            save_every = max(CHECKPOINT_SECONDS, took / CHECKPOINT_SHARE)
        if finished or interrupted:
            break

        # ---- Take a batch ------------------------------------------------------------------
        # One process's share of it.
        if cuda and speedup == "graphs":  # what a step made stays until the next one
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        shares = [each.chunk(parts) for each in batches[step]]
        seed = noise_seed(recipe.seed, step) + parts * world.rank
        _forget_gradients(playing, judging)
        rate = _learning_rate(recipe, progress)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
        reals: list[Tensor | None] = [None] * parts
        output = None

        # ---- Judge real and fake -------------------------------------------------------------
        begun = critic is not None and _gan_begun(recipe, progress)
        if critic and begun:
            _require_gradients(judging, True)
            for number, (clean, noisy) in enumerate(zip(*shares, strict=True)):
                reseed(device, seed + number)  # dropout
                # Of a batch in parts, no graph is kept: its outputs are made again below.
                with autocast(device, recipe.precision), torch.set_grad_enabled(parts == 1):
                    output = play(noisy)
                with world.apart(judge, number + 1 == parts):
                    with autocast(device, recipe.precision):
                        loss, penalties, reals[number] = judge(output, clean, noisy)
                    _part(loss, parts).backward()  # type: ignore[no-untyped-call]
                judged = [*penalties.values(), loss.detach()]
                torch._foreach_add_(each_sum[-len(judged) :], judged, alpha=1 / parts)
            optimisers[1].step()
            _forget_gradients(judging)  # they would stand beside the generator's
            _require_gradients(judging, False)  # its gradients are of no use to the generator

        # ---- Improve the generator -----------------------------------------------------------
        for number, (clean, noisy) in enumerate(zip(*shares, strict=True)):
            with world.apart(player, number + 1 == parts):
                with autocast(device, recipe.precision):
                    if output is None or parts > 1:
                        reseed(device, seed + number)
                        output = play(noisy)
                    fake = look(output, noisy) if begun else None
                terms = objective.generator_terms(output, clean, fake, reals[number])
                batches.begin(step + 1)
                _part(objective.total(terms), parts).backward()  # type: ignore[no-untyped-call]
            values = [value.detach() for value in terms.values()]
            first = 1 if critic and not begun else 0  # where terms stand: the GAN's first
            torch._foreach_add_(each_sum[first : first + len(values)], values, alpha=1 / parts)
        if not cuda:  # on a GPU this would wait for it each step; there the report looks
            _raise_if_not_finite(zip(names, world.mean(sums).tolist(), strict=True), step + 1)
        optimisers[0].step()

        # ---- Average the weights -------------------------------------------------------------
        step += 1
        if recipe.ema:
            decay = min(recipe.ema, (1 + step) / (10 + step))
            torch._foreach_lerp_(averages, weights, 1 - decay)
            for mine, its in kept:
                mine.copy_(its)

    images, status = step * recipe.batch, "interrupted" if interrupted and not finished else "done"
    return Trained(
        averaged.eval(),
        multiple,
        step,
        images,
        seconds,
        status,  # type: ignore[arg-type]
        checkpoint.Best.read(folder) if world.writes else None,
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


def _gan_begun(recipe: Recipe, progress: float) -> bool:
    """Whether GAN terms count at this share of the budget."""
    return progress >= (recipe.gan_after or 0)


def _learning_rate(recipe: Recipe, progress: float) -> float:
    """Linear warm-up, then constant or half a cosine down to 0."""
    if progress < recipe.warmup:
        # The first step would otherwise have a rate of 0.
        return recipe.learning_rate * max(progress / recipe.warmup, 0.01)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    rest = (progress - recipe.warmup) / (1 - recipe.warmup)
    return recipe.learning_rate * (1 + math.cos(math.pi * rest)) / 2


def _part(value: Tensor, parts: int) -> Tensor:
    """What a mean over one of several equal parts adds to that over the whole."""
    return value / parts if parts > 1 else value


def _forget_gradients(*networks: Sequence[Tensor]) -> None:
    """Do what `zero_grad` does, which on a small network takes 2 % of a step."""
    for parameters in networks:
        for parameter in parameters:
            parameter.grad = None


def _require_gradients(parameters: Sequence[Tensor], wanted: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(wanted)


def _weights(networks: dict[str, Module]) -> dict[str, Any]:
    """Weights and buffers of each network, by its name and theirs."""
    return {name: network.state_dict() for name, network in networks.items()}


def _validate(
    generator: Module, multiple: int, slices: Sequence[Slice], task: Task
) -> float | None:
    """Mean PSNR in dB on a few validation slices, spread over the split; None without any."""
    return float(np.mean([*_psnrs(generator, multiple, slices, task)])) if slices else None


def _psnrs(
    generator: Module, multiple: int, slices: Sequence[Slice], task: Task
) -> Iterator[float]:
    for one in spread(slices, VALIDATION_SLICES):
        clean = task.to_grey(one.hu)
        noisy = noisy_slice(task, clean, one.digest)
        yield psnr_of(denoise(generator, noisy, multiple), clean)


def _raise_if_not_finite(values: Iterable[tuple[str, Any]], step: int) -> None:
    """Look at what is a number among named values: losses, weights, scores."""
    for name, value in values:
        if isinstance(value, float) and not math.isfinite(value):
            raise Diverged(f"{name} is {value} at step {step}")
