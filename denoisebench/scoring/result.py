"""What one method scored on one test split under one task: result.json and scores.csv."""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import IO, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from denoisebench import tomlfile
from denoisebench.atomic import write_text
from denoisebench.bounded import read_json, refuse_large
from denoisebench.errors import UsageError
from denoisebench.training.recipe import Blend

SCHEMA_VERSION = 1
EVALUATION_VERSION = 1
"""Raised when the same weights would score otherwise: padding, precision, averaging."""

SCORES_AT_MOST = 64 << 20  # bytes of scores.csv
MOST_SCORES = 1_000_000  # fifteen metrics of 66,000 slices
MOST_PATIENTS = 20_000
MOST_COLUMNS = 100  # metrics of a result; curves of a finding
LONGEST_LINE = 1000

Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Status = Literal["done", "partial", "diverged", "failed", "unverified"]


class _Open(BaseModel):
    """Fields that a later version adds are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)


class MetricResult(_Open):
    """One metric over the test split.

    Attributes:
        mean, lo, hi: over patients, with the 95 % interval; None where unknown.
        unit, better, version: from the metric's card.
        n: slices that have a value.
        missing: slices that have none.
        reason: why, where some are missing.
    """

    mean: float | None
    lo: float | None
    hi: float | None
    unit: str
    better: Literal["higher", "lower"]
    version: Count
    n: Count
    missing: Count
    reason: str | None = None


class Health(_Open):
    """How the game between generator and critic stands, on crops of validation slices.

    Attributes:
        real_accuracy, fake_accuracy: shares of logits that the critic judges rightly.
        saturated: share of logits from which the critic's loss has nothing left to learn.
        gradient_ratio: what the GAN term asks of the output over what all other terms ask, as norms
            of their weighted gradients; None without other terms.
        output_spread: how much outputs differ between crops over how much the clean crops do.
        collapsed: why the game counts as lost; None where it goes on.
    """

    real_accuracy: float
    fake_accuracy: float
    saturated: float
    gradient_ratio: float | None
    output_spread: float
    collapsed: str | None = None


class Best(_Open):
    """The weights that did best on validation slices, where they are not the last ones.

    Attributes:
        step: at which they stood.
        validation_psnr: in dB.
        metrics: what they score on the test split.
    """

    step: Count
    validation_psnr: float
    metrics: dict[str, MetricResult]


class Result(_Open):
    """One row of a board.

    Attributes:
        method: canonical expressions, `unet7 · cgan + 100*l1` or `bm3d`.
        kind: a trained network, a classical baseline, or a module that was made elsewhere.
        task, task_version, data, data_digest, split_digest: what it was scored on.
        task_digest: of a task that does not come with denoisebench.
        split_note: how the split differs from one by patient, where it does.
        recipe: hash of the recipe (networks), of plug-in and knobs (baselines), or of the weights
            (modules).
        family: hash of the recipe without its seed: rows that share it are one method.
        twin: hash of the recipe without the GAN, for a network trained with one.
        blend: between which networks it lies, for one that was not trained.
        seeds: of the trainings behind the row.
        licence: of the method's code, where its card names one.
        parameters: of the generator; 0 for baselines.
        macs: multiply-accumulates of the generator for one slice of the test split.
        train_seconds, train_images, train_steps: what training took.
        peak_memory: bytes while training: of the GPU's memory, or of the whole process on a CPU.
        seconds_per_slice: median, on `device`.
        health: of the GAN at the end of the training.
        best: the weights that did best on validation slices; None where the last ones did.
        inference: mode in which the network was run.
        tuned, tuning: knobs of a baseline, or the weight of a blend, that were chosen on validation
            slices, and how.
        reason: why the status is not "done".
    """

    schema_version: int = SCHEMA_VERSION
    evaluation_version: int = EVALUATION_VERSION
    method: str
    kind: Literal["network", "baseline", "module"]
    task: str
    task_version: Count
    task_digest: str | None = None
    data: str
    data_digest: str
    split_digest: str
    split_note: str | None = None
    recipe: str
    family: str | None = None
    twin: str | None = None
    blend: Blend | None = None
    seeds: tuple[int, ...] = ()
    n_slices: Count
    n_patients: Count
    metrics: dict[str, MetricResult] = Field(default_factory=dict, max_length=MOST_COLUMNS)
    licence: str | None = None
    parameters: Count
    macs: Count | None = None
    train_seconds: float = 0.0
    train_images: Count = 0
    train_steps: Count = 0
    peak_memory: Count | None = None
    seconds_per_slice: float | None = None
    device: str
    inference: str | None = None
    tuned: dict[str, Any] = Field(default_factory=dict)
    tuning: str | None = None
    health: Health | None = None
    best: Best | None = None
    status: Status
    reason: str | None = None

    def write(self, path: Path) -> None:
        """Write it as JSON; no value is NaN."""
        write_model(path, self)


@dataclass(frozen=True, slots=True)
class Score:
    """One line of scores.csv; the value is None where the metric could not be computed."""

    slice: str
    patient: str
    metric: str
    value: float | None


class Verification(_Open):
    """verification.json: what a run scored when it was measured again (`denoisebench verify`).

    Attributes:
        recipe: of the result it belongs to.
        metric: the one that ranks.
        reported, measured: its mean over patients, as the result says and as measured again, on the
            slices that were shown; nothing is measured where the run contradicts itself or its
            process gives no slices.
        passed: whether the row may rank.
        reason: why not.
        details: what else was measured.
    """

    schema_version: int = SCHEMA_VERSION
    recipe: str
    metric: str
    reported: float
    measured: float | None
    passed: bool
    reason: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class Finding(_Open):
    """audit.json and physics.json: what was found out about a run beside its scores.

    Attributes:
        recipe: of the result it belongs to.
        columns: name → value with its interval and unit, as boards show it.
        curves: name → points, for plots.
        places: the worst places, with what is known of each.
        details: settings and counts.
    """

    schema_version: int = SCHEMA_VERSION
    recipe: str
    columns: dict[str, MetricResult] = Field(max_length=MOST_COLUMNS)
    curves: dict[str, "Curve"] = Field(default_factory=dict, max_length=MOST_COLUMNS)
    places: list[dict[str, Any]] = Field(default_factory=list)
    details: dict[str, Any] = Field(default_factory=dict)


class Curve(_Open):
    """Points of a plot, with what its axes are called."""

    x: list[float]
    y: list[float]
    x_label: str
    y_label: str


Model = TypeVar("Model", Result, Verification, Finding)


def write_model(path: Path, model: Result | Verification | Finding) -> None:
    """Write one as JSON; no value is NaN."""
    write_text(path, json.dumps(model.model_dump(), indent=1, allow_nan=False) + "\n")


def read_result(path: Path) -> Result:
    """Read a result; see `read_model`."""
    return read_model(path, Result)


def read_model(path: Path, model: type[Model]) -> Model:
    """Read result.json, verification.json, audit.json or physics.json.

    Raises:
        UsageError: it is not there, is something else, or is of a later schema version.
    """
    values: Any = read_json(path)
    version = values.get("schema_version") if isinstance(values, dict) else None
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"{path} has schema version {version!r:.40}, this denoisebench reads {SCHEMA_VERSION}"
        )
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{path}: {tomlfile.misfit(error)}") from None


def write_scores(path: Path, scores: list[Score]) -> None:
    """Write scores.csv."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["slice", "patient", "metric", "value"])
    for score in scores:
        value = "" if score.value is None else repr(float(score.value))
        writer.writerow([score.slice, score.patient, score.metric, value])
    write_text(path, text.getvalue())


def read_scores(path: Path) -> list[Score]:
    """Read scores.csv.

    Raises:
        UsageError: it is not there, or is no table of scores.
    """
    try:
        refuse_large(path, SCORES_AT_MOST)
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(_lines(file), strict=True)
            columns = next(rows, [])
            places = [columns.index(name) for name in ("slice", "patient", "metric", "value")]
            return _scores([row[place] for place in places] for row in rows)
    except UsageError:
        raise
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise UsageError(f"cannot read {path}: {type(error).__name__}") from None


def _lines(file: IO[str]) -> Iterator[str]:
    """Yield lines; ValueError for one, or for a number of them, that no table of ours has."""
    for _ in range(MOST_SCORES + 2):
        line = file.readline(LONGEST_LINE)
        if not line:
            return
        if len(line) == LONGEST_LINE:
            raise ValueError("a line is too long")
        yield line
    raise ValueError("it has too many lines")


def _scores(rows: Iterable[list[str]]) -> list[Score]:
    found: list[Score] = []
    patients: set[str] = set()
    for *names, text in rows:
        slice_, patient, metric = map(intern, names)  # the same ones again and again
        value = float(text) if text else None
        if value is not None and not math.isfinite(value):
            raise ValueError("a value is not finite")
        patients.add(patient)
        if len(patients) > MOST_PATIENTS:
            raise ValueError("it has too many patients")
        found.append(Score(slice_, patient, metric, value))
    return found
