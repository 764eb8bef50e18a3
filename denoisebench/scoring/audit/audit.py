"""Audit a run: calibrate on validation slices, look at test slices, write what was found."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import Slice
from denoisebench.scoring import denoisers
from denoisebench.scoring.audit import lesions, places, residual
from denoisebench.scoring.audit.picture import save_worst
from denoisebench.scoring.audit.sites import Mask, Place, body, even_tissue, peaks
from denoisebench.scoring.audit.stability import Spread, seed_spread
from denoisebench.scoring.audit.trials import Trial, by_turns, column, denoised, under_seeds
from denoisebench.scoring.opened import Opened
from denoisebench.scoring.result import Finding, MetricResult, write_model
from denoisebench.task import Task
from denoisebench.task.noise import noisy_slice

SLICES = 12
SEEDS = 8
APART = 12  # pixels between two places
NO_ROOM = "no even soft tissue in which a disc of 10 pixels has room"

Image = NDArray[np.float64]
Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Twins(Trial):
    """A slice under several noises and, as the last, with lesions under the first of them."""

    planted: list[lesions.Lesion]


@dataclass(frozen=True)
class Looked:
    """What was found in one test slice.

    Attributes:
        contradictions: places of the z-map with their |z|, the strongest first.
        recovered: share of its contrast that each lesion kept.
        lesion_z: the z-map at each lesion, under which its loss should show.
        invented, side_effects: discs with their strength in HU; None where there was no place to
            look or no lesion.
    """

    slice: Slice
    contradictions: Sequence[tuple[Place, float]]
    spread: Spread
    planted: list[lesions.Lesion]
    recovered: list[float]
    lesion_z: list[float]
    invented: list[tuple[Place, float]] | None
    side_effects: list[tuple[Place, float]] | None
    worst: Sequence[places.Crop] = ()


def audit_run(
    opened: Opened,
    dataset: DataSet,
    device: torch.device,
    *,
    slices: int = SLICES,
    seeds: int = SEEDS,
    advance: Advance = lambda what, done, total: None,
) -> Finding:
    """Audit a run and leave audit.json and audit.png in its folder.

    Args:
        opened: the run.
        dataset: what it was scored on.
        device: where a network runs.
        slices: of the validation split, and of the test split, of as many patients as possible.
        seeds: noises a slice, at least two.
        advance: told what is done, how many slices, of how many.
    Raises:
        UsageError: the data are not those that the run was scored on.
    """
    opened.refuse_other(dataset)
    denoiser = opened.denoiser(device, dataset)
    calibration = calibrated(denoiser, dataset, opened.task, slices, seeds, advance)
    chosen = by_turns(dataset.test, slices)
    looked: list[Looked] = []
    trials = (_twins(opened.task, one, seeds) for one in chosen)
    for trial, outputs in denoised(denoiser, trials):
        looked.append(look(trial, outputs, calibration, opened.task))
        advance("auditing test slices", len(looked), len(chosen))
    worst = places.worst(crop for one in looked for crop in one.worst)
    finding = Finding(
        recipe=opened.result.recipe,
        columns=columns(looked),
        places=[crop.words for crop in worst],
        details=_details(looked, calibration, seeds),
    )
    save_worst(opened.folder / "audit.png", worst, opened.result.method)
    write_model(opened.folder / "audit.json", finding)  # last: its presence says the rest is there
    return finding


def calibrated(
    denoiser: denoisers.Denoiser,
    dataset: DataSet,
    task: Task,
    slices: int,
    seeds: int,
    advance: Advance = lambda what, done, total: None,
) -> residual.Calibration:
    """Calibrate the z-map on validation slices; see `residual.calibrate`."""
    chosen = by_turns(dataset.val, slices)
    samples: list[residual.Sample] = []
    trials = (under_seeds(task, one, seeds) for one in chosen)
    for trial, outputs in denoised(denoiser, trials):
        rest = residual.residual(task, np.stack(trial.noisy), outputs)
        even = even_for_lesions(trial.slice, task)
        sample = residual.Sample(trial.slice.digest, rest, outputs, body(trial.slice.hu), even)
        samples.append(sample)
        advance("calibrating on validation slices", len(samples), len(chosen))
    return residual.calibrate(samples, task)


def even_for_lesions(one: Slice, task: Task) -> Mask:
    """Find where the audit's lesions may stand."""
    strongest = max(map(abs, lesions.CONTRASTS_HU))
    return even_tissue(one.hu, task, lesions.ROOM, strongest)


def _twins(task: Task, one: Slice, seeds: int) -> Twins:
    trial, planted = under_seeds(task, one, seeds), lesions.plan(one, task)
    noisy = trial.noisy
    if planted:
        ill = trial.clean + lesions.drawn(trial.clean.shape, planted, task)
        noisy = [*noisy, noisy_slice(task, ill, one.digest, 0)]
    return Twins(one, trial.clean, noisy, planted)


def look(trial: Twins, outputs: Image, calibration: residual.Calibration, task: Task) -> Looked:
    """Look at a test slice's outputs: (seeds, H, W), and one with lesions where there are any."""
    inside, even = body(trial.slice.hu), even_for_lesions(trial.slice, task)
    view = _view(trial, outputs, 0, calibration, task)
    peaked = peaks(np.abs(view.z), inside, 0.0, APART)
    invented = lesions.invented(view.output, trial.clean, even, task) if even.any() else None
    worst = [places.contradiction(view, at, calibration.anywhere) for at, _ in peaked[:2]]
    worst += [places.invention(view, at, strength) for at, strength in (invented or [])[:2]]
    recovered: list[float] = []
    lesion_z: list[float] = []
    elsewhere: list[tuple[Place, float]] | None = None
    if trial.planted:
        apart, with_lesions = outputs[-1] - outputs[0], _view(trial, outputs, -1, calibration, task)
        recovered = [lesions.recovery(apart, each, task) for each in trial.planted]
        lesion_z = [float(with_lesions.z[each.place]) for each in trial.planted]
        elsewhere = lesions.side_effects(apart, trial.planted, inside, task)
        worst += [
            places.loss(with_lesions, each.place, each.contrast_hu, share)
            for each, share in zip(trial.planted, recovered, strict=True)
            if share < lesions.FOUND
        ]
    return Looked(
        trial.slice,
        [(at, score) for at, score in peaked if score >= calibration.anywhere],
        seed_spread(outputs[:-1] if trial.planted else outputs, inside, task),
        trial.planted,
        recovered,
        lesion_z,
        invented,
        elsewhere,
        places.worst(worst),
    )


def _view(
    trial: Twins, outputs: Image, which: int, calibration: residual.Calibration, task: Task
) -> places.View:
    """One version of a trial: 0 under the board's noise, -1 the same with lesions."""
    clean, noisy, output = trial.clean, trial.noisy[which], outputs[which]
    if which == -1:
        clean = clean + lesions.drawn(clean.shape, trial.planted, task)
    rest = residual.residual(task, noisy, output)
    return places.View(
        trial.slice, clean, noisy, output, residual.z_map(rest, output, calibration, task)
    )


def columns(looked: Sequence[Looked]) -> dict[str, MetricResult]:
    """Average what was found over patients, as boards show it."""
    patients = [one.slice.patient for one in looked]
    found = [[share >= lesions.FOUND for share in one.recovered] for one in looked]
    return {
        "lesions_found": column(_means(found), patients, "", "higher", NO_ROOM),
        "contrast_recovery": column(
            _means([one.recovered for one in looked]), patients, "", "higher", NO_ROOM
        ),
        "invented": column(
            [None if one.invented is None else float(len(one.invented)) for one in looked],
            patients,
            "per slice",
            "lower",
            NO_ROOM,
        ),
        "contradictions": column(
            [float(len(one.contradictions)) for one in looked], patients, "per slice", "lower"
        ),
        "seed_spread": column([one.spread.mean for one in looked], patients, "HU", "lower"),
    }


def _means(values: Sequence[Sequence[float]]) -> list[float | None]:
    return [float(np.mean(each)) if each else None for each in values]


def _details(
    looked: Sequence[Looked], calibration: residual.Calibration, seeds: int
) -> dict[str, Any]:
    lost = [
        z
        for one in looked
        for share, z in zip(one.recovered, one.lesion_z, strict=True)
        if share < lesions.FOUND
    ]
    by_contrast = {}
    for contrast in sorted(lesions.CONTRASTS_HU):
        kept = [share for one in looked for lesion, share in _pairs(one)
                if lesion.contrast_hu == contrast]  # fmt: skip
        if kept:
            by_contrast[f"{contrast:+g} HU"] = {
                "lesions": len(kept),
                "found": sum(share >= lesions.FOUND for share in kept),
                "recovery": float(np.mean(kept)),
            }
    return {
        "slices": len(looked),
        "patients": len({one.slice.patient for one in looked}),
        "seeds": seeds,
        "threshold_anywhere": calibration.anywhere,
        "threshold_known_place": calibration.known,
        "by_contrast": by_contrast,
        "lesions_lost": len(lost),
        "lesions_lost_that_the_z_map_shows": sum(abs(z) > calibration.known for z in lost),
        "side_effects": sum(len(one.side_effects or ()) for one in looked),
        "seed_spread_99th_hu": float(np.mean([one.spread.high for one in looked])),
    }


def _pairs(one: Looked) -> Iterator[tuple[lesions.Lesion, float]]:
    return zip(one.planted, one.recovered, strict=True)
