"""How the game between generator and critic stands, looked at without disturbing it."""

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from denoisebench.data.dataset import DataSet
from denoisebench.data.patches import crops, noise_seed
from denoisebench.task import Task
from denoisebench.task.noise import fresh_noise
from denoisebench.task.task import to_network
from denoisebench.training.objective import Objective
from denoisebench.training.recipe import Recipe

CROPS = 4
NOTHING_LEFT = 0.01  # of the gradient at an undecided logit
SURE = 0.99  # share of logits judged rightly at which a critic has won
SAME = 0.1  # of the spread that clean crops have


@dataclass(frozen=True)
class Health:
    """See `denoisebench.scoring.result.Health`, which stands in results."""

    real_accuracy: float
    fake_accuracy: float
    saturated: float
    gradient_ratio: float | None
    output_spread: float
    collapsed: str | None


def examine(
    generator: Module,
    critic: Module,
    objective: Objective,
    dataset: DataSet,
    task: Task,
    recipe: Recipe,
) -> dict[str, Any]:
    """Let critic and generator play on crops of validation slices, always the same ones.

    Neither network changes: not its weights, nor what it keeps beside them.

    Args:
        generator, critic: as they are trained, on one device.
        objective: with a GAN term.
        dataset: its validation slices are used, or train slices where there are none.
        task, recipe: say how crops and noise are made.
    Returns:
        The fields of `Health`.
    """
    device = next(generator.parameters()).device
    slices = dataset.val or dataset.train
    grey = torch.from_numpy(
        crops(slices, task, seed=recipe.seed, step=0, batch=CROPS, patch=recipe.patch)
    ).to(device)
    source = torch.Generator(device).manual_seed(noise_seed(recipe.seed, 0))
    noisy, clean = to_network(fresh_noise(task, grey, source)), to_network(grey)
    critic = copy.deepcopy(critic)  # normalisation keeps running means, and the spectral, vectors
    with torch.no_grad():
        output = generator.eval()(noisy).float()
    generator.train()
    output.requires_grad_(True)
    real = critic(clean, noisy).detach().float()
    fake = critic(output, noisy).float()
    found = Health(
        *_accuracies(objective.boundary, real, fake.detach()),
        _saturated(objective, real, fake.detach()),
        _gradient_ratio(objective, output, clean, fake, real),
        _spread(output.detach(), clean),
        None,
    )
    return asdict(found) | {"collapsed": _collapsed(found)}


def _accuracies(boundary: float | None, real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Shares of logits on their side of the boundary; of the other side's mean without one."""
    above = fake.mean() if boundary is None else boundary
    below = real.mean() if boundary is None else boundary
    return float((real > above).float().mean()), float((fake < below).float().mean())


def _saturated(objective: Objective, real: Tensor, fake: Tensor) -> float:
    """Share of logits at which the critic's loss is flat, by the slope where it is undecided."""
    undecided = torch.full_like(real, objective.boundary or 0.0)
    here = torch.cat([slope.flatten() for slope in _slopes(objective, real, fake)])
    there = torch.cat([slope.flatten() for slope in _slopes(objective, undecided, undecided)])
    return float((here.abs() < NOTHING_LEFT * there.abs()).float().mean())


def _slopes(objective: Objective, real: Tensor, fake: Tensor) -> tuple[Tensor, ...]:
    logits = real.clone().requires_grad_(True), fake.clone().requires_grad_(True)
    return torch.autograd.grad(objective.judge(*logits), logits)


def _gradient_ratio(
    objective: Objective, output: Tensor, clean: Tensor, fake: Tensor, real: Tensor
) -> float | None:
    terms = objective.generator_terms(output, clean, fake, real)
    others = {label: value for label, value in terms.items() if label != objective.adversarial}
    if not others:
        return None
    game = {label: value for label, value in terms.items() if label not in others}
    norms = [
        float(torch.autograd.grad(objective.total(each), output, retain_graph=True)[0].norm())
        for each in (game, others)
    ]
    return norms[0] / norms[1] if norms[1] else None


def _spread(output: Tensor, clean: Tensor) -> float:
    """How much outputs differ from crop to crop, over how much clean crops do."""
    expected = float(clean.std(dim=0).mean())
    return float(output.std(dim=0).mean()) / expected if expected else 1.0


def _collapsed(found: Health) -> str | None:
    if found.output_spread < SAME:
        return f"outputs differ {found.output_spread:.3f} times as much as clean crops do"
    if min(found.real_accuracy, found.fake_accuracy) >= SURE and found.saturated >= SURE:
        return f"the critic is right everywhere and has learned out ({found.saturated:.0%})"
    return None
