"""That two ways to train do the same arithmetic: shown on numbers, before times are compared."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bare import Bare
from torch import Tensor
from torch.nn import Module

from denoisebench.data.dataset import DataSet
from denoisebench.data.patches import crops, noise_seed
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import Catalogue
from denoisebench.plugins.load import build
from denoisebench.task import Task
from denoisebench.task.noise import fresh_noise
from denoisebench.task.task import to_network
from denoisebench.training import checkpoint
from denoisebench.training.log import Record
from denoisebench.training.loop import train
from denoisebench.training.recipe import Recipe

STEPS = 3
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Work:
    """What a few steps did: losses by name, a step each; numbers that Adam moved; the average."""

    losses: dict[str, list[float]]
    parameters: int
    averaged: dict[str, Tensor]


def networks(recipe: Recipe, catalogue: Catalogue) -> tuple[Module, Module | None]:
    """Generator and critic of a recipe, in training mode."""
    torch.manual_seed(recipe.seed)
    generator = build(resolve(recipe.generator, "generator", catalogue)[0])
    if recipe.discriminator is None:
        return generator, None
    return generator, build(resolve(recipe.discriminator, "discriminator", catalogue)[0])


def hand_written(recipe: Recipe) -> Callable[[Module, Module | None], Bare]:
    """Return what begins a bare training with the settings of a recipe."""
    return partial(Bare, rate=recipe.learning_rate, beta1=recipe.beta1, ema=recipe.ema)


def batch(recipe: Recipe, dataset: DataSet, task: Task, step: int) -> tuple[Tensor, Tensor]:
    """(clean, noisy) of a step, as `train` draws them: (B, 1, H, W) in [-1, 1]."""
    grey = torch.from_numpy(
        crops(dataset.train, task, seed=recipe.seed, step=step, batch=recipe.batch,
              patch=recipe.patch)
    )  # fmt: skip
    source = torch.Generator().manual_seed(noise_seed(recipe.seed, step))
    return to_network(grey), to_network(fresh_noise(task, grey, source))


def ours(
    recipe: Recipe, dataset: DataSet, task: Task, catalogue: Catalogue, folder: Path
) -> tuple[dict[str, Any], Work]:
    """Train for a few steps; return the state before the first, and what was done."""
    short = recipe.model_copy(update={"steps": STEPS})
    (folder / "before").mkdir()
    train(short, dataset, task, catalogue, folder / "before", device=CPU, stopping=lambda: True)
    records: list[Record] = []
    # so few steps are validated, and so reported, one by one
    train(short, dataset, task, catalogue, folder, device=CPU, report=records.append)
    after = checkpoint.load(folder / "checkpoint.pt", CPU)
    losses = {name: [record.losses[name] for record in records] for name in records[0].losses}
    moments = [one["exp_avg"] for adam in after["optimisers"] for one in adam["state"].values()]
    parameters = sum(moment.numel() for moment in moments)
    before = checkpoint.load(folder / "before" / "checkpoint.pt", CPU)
    return before, Work(losses, parameters, after["averaged"])


def theirs(
    recipe: Recipe,
    dataset: DataSet,
    task: Task,
    catalogue: Catalogue,
    before: dict[str, Any],
    begin: Callable[[Module, Module | None], Any],
) -> Work:
    """Take the same steps in another way, from the same weights, on the same crops and noise.

    Args:
        before: the state that `ours` returned.
        begin: makes what has `step`, `parameters` and `averaged`, as `Bare` does.
    """
    generator, critic = networks(recipe, catalogue)
    generator.load_state_dict(before["generator"])
    if critic:
        critic.load_state_dict(before["critic"])
    other = begin(generator, critic)
    steps = [other.step(*batch(recipe, dataset, task, step)) for step in range(STEPS)]
    losses = {name: [float(step[name]) for step in steps] for name in steps[0]}
    return Work(losses, other.parameters, other.averaged.state_dict())


def assert_same(ours: Work, theirs: Work, before: dict[str, Tensor]) -> None:
    """Raise AssertionError where losses, parameters or averages of the two are not the same.

    1e-4 of a loss: float32 sums in another order. Averages: Adam moves a weight whose gradient is
    all but 0 by its sign, which rounding decides; such weights are few, so means are compared, and
    they may part by a fiftieth of the way.
    """
    assert ours.parameters == theirs.parameters, (ours.parameters, theirs.parameters)
    assert ours.losses.keys() == theirs.losses.keys()
    for name, values in ours.losses.items():
        for mine, its in zip(values, theirs.losses[name], strict=True):
            assert abs(mine - its) <= 1e-4 * max(abs(mine), abs(its)), (name, mine, its)
    apart = torch.stack([(theirs.averaged[n] - ours.averaged[n]).abs().mean() for n in before])
    moved = torch.stack([(ours.averaged[n] - before[n]).abs().mean() for n in before])
    assert float(apart.mean()) <= 0.02 * float(moved.mean()), (apart.mean(), moved.mean())
