"""What a metric promises: one number a slice that says less noise is better."""

from collections.abc import Callable

import torch
from torch import Tensor

from denoisebench.plugins.card import Card
from denoisebench.plugins.contracts import contract
from denoisebench.plugins.contracts.samples import changed, finite, grey, with_noise

Metric = Callable[[Tensor, Tensor], Tensor]

ALONE = 1e-5
"""Relative: a network of float32 sums in another order for another batch; a slip is far larger."""

_SIDE = 96  # room for eleven pixels of Gaussian window and for a network's pooling


def pair(sigma: float = 50.0, batch: int = 3) -> tuple[Tensor, Tensor]:
    """Return slices with errors of `sigma` grey levels, and their targets."""
    target = grey(batch, _SIDE, _SIDE)
    return with_noise(target, sigma), target


def better(card: Card, values: Tensor, others: Tensor) -> Tensor:
    """Return for each slice whether its value is better than the other."""
    return values > others if card.facts.get("better") == "higher" else values < others


@contract("metric", mend="average over channels, rows and columns only, in float64")
@torch.no_grad()
def gives_one_float64_a_slice(metric: Metric) -> None:
    """(B, 1, H, W) gives (B,) float64, for a batch of one too."""
    for batch in (3, 1):
        values = metric(*pair(batch=batch))
        assert values.shape == (batch,), f"{batch} slices gave shape {tuple(values.shape)}"
        assert values.dtype == torch.float64, f"gives {values.dtype}"


@contract("metric", mend='compare better="higher" or "lower" in the mark with the formula')
@torch.no_grad()
def prefers_equality(metric: Metric, card: Card) -> None:
    """Equal slices score better than noisy ones, in the direction that the card says."""
    noisy, target = pair()
    equal, other = metric(target.clone(), target), metric(noisy, target)
    assert better(card, equal, other).all(), (
        f"{float(equal[0]):.4g} at equality, {float(other[0]):.4g} with noise, "
        f"and {card.facts.get('better')} is better"
    )


@contract("metric", mend="let the value follow the size of the error")
@torch.no_grad()
def prefers_less_noise(metric: Metric, card: Card) -> None:
    """σ = 10 scores better than σ = 50, and that better than σ = 150."""
    values = [metric(*pair(sigma)) for sigma in (10.0, 50.0, 150.0)]
    ordered = better(card, values[0], values[1]) & better(card, values[1], values[2])
    shown = ", ".join(f"{float(value[0]):.4g}" for value in values)
    assert ordered.all(), f"σ = 10, 50, 150 score {shown}"


@contract("metric", mend="take no mean, range or statistic over the batch")
@torch.no_grad()
def scores_each_slice_alone(metric: Metric) -> None:
    """The value of a slice does not depend on the batch that it came in."""
    output, target = pair()
    together = metric(output, target)
    alone = torch.cat([metric(output[i : i + 1], target[i : i + 1]) for i in range(len(output))])
    # Not by shape: that is another promise, and is reported there.
    worst = float((together.reshape(-1) - alone.reshape(-1)).abs().max())
    assert worst <= ALONE * float(alone.abs().max()), f"differs by {worst:.2g} when alone"


@contract("metric", mend="clone what you write to, also before you clip")
@torch.no_grad()
def leaves_its_inputs_alone(metric: Metric) -> None:
    """Neither output nor target is edited."""
    given = pair()
    before = [tensor.clone() for tensor in given]
    metric(*given)
    for name, tensor, earlier in zip(("output", "target"), given, before, strict=True):
        assert torch.equal(tensor, earlier), f"changed {changed(tensor, earlier)} of the {name}"


@contract("metric", mend="draw nothing at random")
@torch.no_grad()
def repeats_itself(metric: Metric) -> None:
    """The same slices score the same, bit for bit."""
    first, second = metric(*pair()), metric(*pair())
    assert torch.equal(first, second), f"{float(first[0])!r}, then {float(second[0])!r}"


@contract("metric", mend="take values outside 0–255 as they are, or clip a copy")
@torch.no_grad()
def stays_finite(metric: Metric) -> None:
    """Outputs far outside 0–255 and slices of nothing but air have finite scores."""
    output, target = pair(150.0)
    air = torch.zeros_like(target)
    for name, given in (("noise", (output, target)), ("air", (with_noise(air, 20.0), air))):
        bad = finite(metric(*given))
        assert not bad, f"{name}: {bad}"


@contract("metric", mend="compute on grey levels 0–255, not on a range taken from the slices")
@torch.no_grad()
def has_an_absolute_unit(metric: Metric, card: Card) -> None:
    """Where there is a unit, slices of half the contrast and half the noise score otherwise."""
    if not card.facts.get("unit"):
        return
    output, target = pair()
    full, half = metric(output, target), metric(output / 2, target / 2)
    same = torch.isclose(full, half, rtol=1e-3)
    assert not same.any(), f"{float(full[0]):.4g} {card.facts['unit']} at any contrast"
