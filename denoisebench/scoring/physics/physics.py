"""Measure a run as a scanner is measured: noise power, sharpness, detectability, HU bias."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import Slice
from denoisebench.errors import UsageError
from denoisebench.scoring.audit.audit import Advance
from denoisebench.scoring.audit.sites import Place, choose, disc, even_tissue
from denoisebench.scoring.audit.trials import Trial, by_turns, column, denoised
from denoisebench.scoring.opened import Opened
from denoisebench.scoring.physics import detect, noise, transfer
from denoisebench.scoring.physics.picture import save_curves
from denoisebench.scoring.physics.tissue import TISSUES_HU, bias
from denoisebench.scoring.result import Curve, Finding, MetricResult, write_model
from denoisebench.task import Task
from denoisebench.task.noise import noisy_slice

SLICES = 8
SEEDS = 4
CONTRASTS_HU = (-100.0, -40.0, 40.0, 100.0)
TASK_HU = 40.0  # of the disc whose detectability is given
SIDE = 32  # of the tiles in which noise is measured, in pixels
ROOM = 16  # pixels of even tissue to each side of a place
A_SLICE = 4
APART = 2.0 * transfer.HALF + 4  # pixels between places: tiles do not overlap
NO_ROOM = "no even soft tissue with room for a disc of 20 pixels"

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Discs(Trial):
    """A slice under each seed, and then with discs of each contrast under each seed."""

    sites: list[Place]
    seeds: int


@dataclass(frozen=True)
class Measured:
    """What was measured in one slice, in pixels and HU.

    Attributes:
        pixel_mm: distance of pixels; NaN where unknown.
        spectrum: (SIDE, SIDE) noise power in HU² pixel².
        transfers: contrast → TTF.
        biases: tissue → HU, signed.
    """

    slice: Slice
    pixel_mm: float
    spectrum: Image
    transfers: dict[float, Image]
    biases: dict[str, float | None]


def measure_run(
    opened: Opened,
    dataset: DataSet,
    device: torch.device,
    *,
    slices: int = SLICES,
    seeds: int = SEEDS,
    advance: Advance = lambda what, done, total: None,
) -> Finding:
    """Measure a run on test slices and leave physics.json and physics.png in its folder.

    Args:
        opened: the run.
        dataset: what it was scored on.
        device: where a network runs.
        slices: that have room for discs, of as many patients as possible.
        seeds: noises a slice, at least two.
        advance: told what is done, how many slices, of how many.
    Raises:
        UsageError: the data are not those that the run was scored on, or no slice has room.
    """
    opened.refuse_other(dataset)
    task = opened.task
    rooms = {one.digest: _rooms(one, task) for one in dataset.test}
    chosen = by_turns([one for one in dataset.test if rooms[one.digest]], slices)
    if not chosen:
        raise UsageError(f"no physics on {dataset.name}: {NO_ROOM}")
    measured: list[Measured] = []
    trials = (_with_discs(task, one, rooms[one.digest], seeds) for one in chosen)
    for trial, outputs in denoised(opened.denoiser(device, dataset), trials):
        measured.append(measure(trial, outputs, task))
        advance("measuring test slices", len(measured), len(chosen))
    curves = _curves(measured)
    finding = Finding(
        recipe=opened.result.recipe,
        columns=columns(measured),
        curves=curves,
        details=_details(measured, seeds),
    )
    save_curves(opened.folder / "physics.png", curves, opened.result.method)
    write_model(opened.folder / "physics.json", finding)
    return finding


def _rooms(one: Slice, task: Task) -> list[Place]:
    """Places with room for a disc, whose tiles lie inside the slice."""
    mask = even_tissue(one.hu, task, ROOM, max(map(abs, CONTRASTS_HU)))
    whole = np.zeros_like(mask)
    edge = transfer.HALF
    whole[edge:-edge, edge:-edge] = True
    return choose(mask & whole, one.digest, A_SLICE, APART)


def _with_discs(task: Task, one: Slice, sites: list[Place], seeds: int) -> Discs:
    clean = task.to_grey(one.hu)
    shape = sum(disc(clean.shape, place, transfer.RADIUS) for place in sites) * task.grey_per_hu
    noisy = [
        noisy_slice(task, clean + contrast * shape, one.digest, seed)
        for contrast in (0.0, *CONTRASTS_HU)
        for seed in range(seeds)
    ]
    return Discs(one, clean, noisy, sites, seeds)


def measure(trial: Discs, outputs: Image, task: Task) -> Measured:
    """Measure a slice from its outputs, (1 + contrasts, seeds) in a row, (…, H, W)."""
    hu = outputs.reshape(1 + len(CONTRASTS_HU), trial.seeds, *trial.clean.shape) / task.grey_per_hu
    plain = hu[0]
    grain = noise.noise_of(plain)
    tiles = np.concatenate([_cut(grain, place, SIDE // 2, SIDE) for place in trial.sites])
    side = 2 * transfer.HALF + 1
    apart = (hu[1:] - plain).mean(axis=1)
    transfers = {}
    for contrast, difference in zip(CONTRASTS_HU, apart, strict=True):
        discs = [_cut(difference[None], at, transfer.HALF, side) for at in trial.sites]
        transfers[contrast] = transfer.transfer(np.concatenate(discs), contrast)
    error = plain.mean(axis=0) - trial.clean / task.grey_per_hu
    return Measured(
        trial.slice,
        math.sqrt(math.prod(trial.slice.spacing_mm)),
        noise.power(tiles),
        transfers,
        {tissue: bias(error, trial.slice.hu, tissue) for tissue in TISSUES_HU},
    )


def _cut(images: Image, place: Place, before: int, side: int) -> Image:
    row, column = place[0] - before, place[1] - before
    return images[:, row : row + side, column : column + side]


def columns(measured: Sequence[Measured]) -> dict[str, MetricResult]:
    """Average over patients, as boards show it."""
    patients = [one.slice.patient for one in measured]
    unit = "1/mm" if _known_pixels(measured) else "1/pixel"
    found = {
        "noise": column([_deviation(one) for one in measured], patients, "HU", "lower"),
        "d_prime": column([_detectability(one) for one in measured], patients, "", "higher"),
    }
    for contrast in CONTRASTS_HU:
        values = [_falls_to(one, contrast, 0.5, unit) for one in measured]
        found[f"f50_{contrast:+g}hu"] = column(values, patients, unit, "higher")
    for tissue in TISSUES_HU:
        sizes = [None if b is None else abs(b) for b in (one.biases[tissue] for one in measured)]
        found[f"bias_{tissue}"] = column(sizes, patients, "HU", "lower", f"too little {tissue}")
    return found


def _known_pixels(measured: Sequence[Measured]) -> bool:
    return all(math.isfinite(one.pixel_mm) for one in measured)


def _deviation(one: Measured) -> float:
    """Standard deviation in HU: the root of the spectrum's integral."""
    return math.sqrt(float(one.spectrum.mean()))


def _detectability(one: Measured, *, eye: bool = False) -> float | None:
    value = detect.d_prime(one.spectrum, one.transfers[TASK_HU], TASK_HU, eye=eye)
    return value if math.isfinite(value) else None


def _falls_to(one: Measured, contrast: float, level: float, unit: str) -> float:
    per_pixel = transfer.falls_to(one.transfers[contrast], level)
    return per_pixel / (one.pixel_mm if unit == "1/mm" else 1.0)


def _curves(measured: Sequence[Measured]) -> dict[str, Curve]:
    """NPS and TTFs over spatial frequency, averaged over slices at common frequencies."""
    known = _known_pixels(measured)
    unit, squared = ("1/mm", "HU² mm²") if known else ("1/pixel", "HU² pixel²")
    pixels = [one.pixel_mm if known else 1.0 for one in measured]
    across = f"spatial frequency, {unit}"
    axis = np.linspace(0, 0.5 / max(pixels), transfer.POINTS)
    powers: list[Image] = []
    shares: dict[float, list[Image]] = {contrast: [] for contrast in CONTRASTS_HU}
    for one, pixel in zip(measured, pixels, strict=True):
        frequency, power = noise.radial(one.spectrum)
        powers.append(np.interp(axis, frequency / pixel, power * pixel**2))
        for contrast, values in one.transfers.items():
            start = values[0] if values[0] > 0 else 1.0
            shares[contrast].append(np.interp(axis, transfer.FREQUENCIES / pixel, values / start))

    def mean(values: Sequence[Image], label: str) -> Curve:
        points = np.mean(values, axis=0)
        return Curve(x=axis.tolist(), y=points.tolist(), x_label=across, y_label=label)

    found = {"NPS": mean(powers, f"noise power, {squared}")}
    for contrast in CONTRASTS_HU:
        found[f"TTF {contrast:+g} HU"] = mean(shares[contrast], "task transfer function")
    return found


def _details(measured: Sequence[Measured], seeds: int) -> dict[str, Any]:
    unit = "1/mm" if _known_pixels(measured) else "1/pixel"
    patients = [one.slice.patient for one in measured]
    seen = column([_detectability(one, eye=True) for one in measured], patients, "", "higher")
    return {
        "slices": len(measured),
        "patients": len(set(patients)),
        "seeds": seeds,
        "task": f"disc of {2 * detect.DISC_RADIUS:g} pixels, {TASK_HU:+g} HU",
        "d_prime_eye": seen.model_dump(),
        "kept": {
            f"{c:+g} HU": float(np.mean([one.transfers[c][0] for one in measured]))
            for c in CONTRASTS_HU
        },
        f"f10 {unit}": {
            f"{c:+g} HU": float(np.mean([_falls_to(one, c, 0.1, unit) for one in measured]))
            for c in CONTRASTS_HU
        },
        "signed_bias_hu": dict(_signed(measured)),
    }


def _signed(measured: Sequence[Measured]) -> Iterator[tuple[str, float]]:
    for tissue in TISSUES_HU:
        known = [one.biases[tissue] for one in measured if one.biases[tissue] is not None]
        if known:
            yield tissue, float(np.mean([value for value in known if value is not None]))
