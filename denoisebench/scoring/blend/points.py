"""Blends of two networks: their weights, their scores, and which does best on validation slices.

Source: Wang et al. (2018), ESRGAN, arXiv:1809.00219, sec. 3.4.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from denoisebench import lock
from denoisebench.bounded import read_tensors
from denoisebench.data.dataset import DataSet, spread
from denoisebench.errors import UsageError
from denoisebench.scoring import denoisers
from denoisebench.scoring.blend.pair import Pair
from denoisebench.scoring.environment import device_name
from denoisebench.scoring.evaluate import evaluate
from denoisebench.scoring.opened import MODEL
from denoisebench.scoring.result import Result
from denoisebench.scoring.run import (
    Bench,
    evaluated,
    facts_of_any,
    known_result,
    refuse,
    save_weights,
    write_evaluation,
)
from denoisebench.training.recipe import Recipe

SLICES = 8  # spread over the validation split, as for the knobs of baselines

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Point:
    """A network on the way from the first to the second.

    Attributes:
        weight: share of the second: 0 and 1 are the parents' own runs.
        folder: of its run.
    """

    weight: float
    folder: Path
    result: Result


def interpolated(first: Weights, second: Weights, weight: float) -> dict[str, Tensor]:
    """Mix two networks' tensors: (1 - weight) · first + weight · second.

    Buffers are mixed as parameters are: a running mean is linear in what it averages, and a running
    variance stays positive, though a blend's own activations would have others. Where both agree
    the value is kept to the bit, so that constants and infinities of a mask survive. Integers and
    truth values (counts of batches, tables of places) are the first's.

    Args:
        first, second: name → tensor, of the same names, shapes and types; see `weights_of`.
        weight: share of the second in [0, 1]; at the ends the result is that end to the bit.
    Returns:
        Name → tensor of the first's shape and type.
    """
    mixed = {}
    for name, one in first.items():
        other = second[name]
        if one.is_floating_point() or one.is_complex():
            wide = torch.promote_types(one.dtype, torch.float64)
            between = torch.lerp(one.to(wide), other.to(wide), weight).to(one.dtype)
            mixed[name] = torch.where(one == other, one, between)
        else:
            mixed[name] = one
    return mixed


def weights_of(pair: Pair) -> tuple[Weights, Weights]:
    """Read the weights of both ends, on the CPU.

    Raises:
        UsageError: they are not there, or differ in a tensor's name, shape or type.
    """
    first, second = (read_tensors(opened.folder / MODEL) for opened in pair.ends)
    for name in sorted(first.keys() | second.keys()):
        shapes = [_shape(weights.get(name)) for weights in (first, second)]
        if shapes[0] != shapes[1]:
            names = [opened.folder.name for opened in pair.ends]
            raise UsageError(
                f"{names[0]} and {names[1]} have other weights: {name!r:.80} is {shapes[0]} in "
                f"one, {shapes[1]} in the other; only equal networks can be blended"
            )
    return first, second


def _shape(tensor: Tensor | None) -> str:
    if tensor is None:
        return "absent"
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{kind} {' × '.join(map(str, tensor.shape)) or 'number'}"


def run_blends(bench: Bench, pair: Pair, weights: Sequence[float]) -> list[Point]:
    """Score networks between two runs; points that are done are read, not repeated.

    Args:
        bench: data, task, device, and where the blends' runs stand.
        pair: the ends, whose own results are points 0 and 1.
        weights: shares of the second, in [0, 1].
    Returns:
        A point a weight, in their order.
    Raises:
        UsageError: the ends' weights do not fit each other; a folder is in use.
    """
    first, second = weights_of(pair)
    pair.second.network(second, torch.device("cpu"))  # refuses what does not fit, in time
    points = []
    for weight in weights:
        if weight in (0, 1):
            end = pair.ends[int(weight)]
            points.append(Point(weight, end.folder, end.result))
            continue
        recipe = pair.recipe(weight)
        folder = bench.runs / f"{pair.first.part.card.name}-blend-{recipe.hash[:8]}"
        points.append(Point(weight, folder, _run(bench, pair, recipe, folder, (first, second))))
    return points


def _run(
    bench: Bench, pair: Pair, recipe: Recipe, folder: Path, ends: tuple[Weights, Weights]
) -> Result:
    """Score one blend, or read what it scored; result.json comes last, and says it is whole."""
    refuse(folder, recipe, resume=False)
    assert recipe.blend
    with lock.alone(folder):
        done, incomplete = known_result(bench, folder)
        if done and not incomplete:
            return done
        weights = interpolated(*ends, recipe.blend.weight)
        recipe.write(folder / "recipe.toml")
        save_weights(folder / MODEL, weights, recipe)
        network = pair.second.network(weights, bench.device)
        denoiser = denoisers.network(network, pair.second.multiple)
        evaluation = evaluated(bench, recipe.method, denoiser)
        write_evaluation(bench, folder, recipe.method, evaluation)
        near = pair.second.result
        result = Result(
            method=recipe.method,
            kind="network",
            recipe=recipe.hash,
            family=recipe.family,
            blend=recipe.blend,
            seeds=tuple(dict.fromkeys(each.seed for each in pair.recipes)),
            licence=near.licence,
            parameters=near.parameters,
            macs=near.macs,
            device=device_name(bench.device),
            inference=denoiser.note,
            **facts_of_any(
                bench, evaluation, "diverged" if evaluation.failure else "done", evaluation.failure
            ),
        )
        result.write(folder / "result.json")
    return result


def choose(
    bench: Bench,
    pair: Pair,
    weights: Sequence[float],
    metric: str,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> list[float | None]:
    """Score blends on a few validation slices, ends included; the test split is not looked at.

    Args:
        bench: data, task, device.
        pair, weights: see `run_blends`.
        metric: one of the task's, as its card spells it.
        advance: told how many slices are scored, of how many.
    Returns:
        The metric's mean a weight; None where it cannot be computed.
    Raises:
        UsageError: there are no validation slices, or the ends' weights do not fit each other.
    """
    if not bench.dataset.val:
        raise UsageError(f"{bench.dataset.name} has no validation slices to choose on")
    ends = weights_of(pair)
    shown = spread(bench.dataset.val, SLICES)
    dataset: DataSet = replace(bench.dataset, test=shown)
    task = bench.task.model_copy(update={"metrics": (metric,)})
    done, means = 0, []

    def count() -> None:
        nonlocal done
        done += 1
        advance(done, len(shown) * len(weights))

    for weight in weights:
        network = pair.second.network(interpolated(*ends, weight), bench.device)
        denoiser = denoisers.network(network, pair.second.multiple)
        found = evaluate(
            denoiser, dataset, task, bench.catalogue, advance=count, device=bench.device
        )
        means.append(found.metrics[metric].mean)
    return means


def best(means: Sequence[float | None], *, higher: bool) -> int | None:
    """Say which of some means is best, the first of equals; None where one is not known."""
    known = [mean for mean in means if mean is not None]
    if len(known) < len(means) or not known:
        return None
    return known.index(max(known) if higher else min(known))


def note_choice(point: Point, metric: str, tried: int, slices: int) -> Point:
    """Write into a blend's result that its weight was chosen on validation slices; ends stay."""
    if point.result.blend is None:
        return point
    tuning = f"best {metric} of {tried} weights on {slices} validation slices"
    changes = {"tuned": {"w": point.weight}, "tuning": tuning}
    result = point.result.model_copy(update=changes)
    with lock.alone(point.folder):
        result.write(point.folder / "result.json")
    return replace(point, result=result)
