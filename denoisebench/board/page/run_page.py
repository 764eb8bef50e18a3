"""What a run's page says: scores, cost, health, findings, curves, recipe, environment, command."""

from functools import partial
from pathlib import Path
from typing import Any

import tomli_w

from denoisebench.board.page import repeat
from denoisebench.board.page.figures.curves import finding_curves, training_curves
from denoisebench.board.page.tables import Cell, metric_cell
from denoisebench.board.render.numbers import MISSING, count, duration, memory
from denoisebench.board.seeds import Entry
from denoisebench.bounded import read_json, refuse_large
from denoisebench.errors import UsageError
from denoisebench.plugins.find import Catalogue
from denoisebench.scoring.result import Finding, Health, MetricResult, Result
from denoisebench.training import log

MOST_PLACES = 12
LOG_AT_MOST = 16 << 20  # bytes; some 60,000 lines
LONGEST_LINE = 64 << 10
BLOCK = LONGEST_LINE + 1
Facts = list[tuple[str, str]]


def run_facts(entry: Entry, catalogue: Catalogue, kind: str) -> dict[str, Any]:
    """Gather what the page of a run shows."""
    result, recipe = entry.result, entry.recipe
    return {
        "title": entry.name,
        "kind": kind,
        "result": result,
        "facts": _facts(result),
        "cost": _cost(result),
        "metrics": _metrics(result.metrics),
        "best": result.best,
        "best_metrics": _metrics(result.best.metrics) if result.best else [],
        "health": _health(result.health) if result.health else [],
        "verification": _verification(entry),
        "findings": [
            finding
            for name, found in (("audit", entry.audit), ("physics", entry.physics))
            if found and (finding := _finding(name, found))
        ],
        "curves": training_curves(_log(entry.path)),
        "command": repeat.command(result, recipe),
        "caveat": repeat.caveat(recipe, catalogue) if result.kind == "network" else None,
        "recipe": tomli_w.dumps(recipe.model_dump(exclude_none=True)) if recipe else "",
        "environment": _environment(entry.path),
    }


def _facts(result: Result) -> Facts:
    people = "patient" if result.n_patients == 1 else "patients"
    found = [
        ("status", result.status + (f": {result.reason}" if result.reason else "")),
        ("task", f"{result.task} v{result.task_version}"),
        ("data", result.data),
        ("test split", f"{result.n_slices} slices of {result.n_patients} {people}"),
        ("split", result.split_note or ""),
        ("seeds", ", ".join(map(str, result.seeds))),
        ("inference", result.inference or ""),
        ("tuned", ", ".join(f"{name} = {value!r}" for name, value in result.tuned.items())),
        ("tuning", result.tuning or ""),
        ("licence", result.licence or ""),
        ("recipe", result.recipe),
        ("twin without the GAN", result.twin or ""),
    ]
    return [(name, text) for name, text in found if text]


def _cost(result: Result) -> Facts:
    found = [
        ("parameters", count(result.parameters)),
        ("MACs a slice", count(result.macs)),
        ("training", duration(result.train_seconds)),
        ("training steps", count(result.train_steps)),
        ("training crops", count(result.train_images)),
        ("peak memory while training", memory(result.peak_memory)),
        ("a slice takes", duration(result.seconds_per_slice)),
        ("device", result.device),
    ]
    return [(name, text) for name, text in found if text != MISSING]


def _metrics(metrics: dict[str, MetricResult]) -> list[tuple[str, MetricResult, Cell]]:
    return [(name, found, metric_cell(found, interval=True)) for name, found in metrics.items()]


def _health(health: Health) -> Facts:
    def percent(share: float) -> str:
        return f"{100 * share:.0f} %"

    ratio = health.gradient_ratio
    return [
        ("critic right on real", percent(health.real_accuracy)),
        ("critic right on outputs", percent(health.fake_accuracy)),
        ("saturated logits", percent(health.saturated)),
        ("gradient of the GAN term over the others'", MISSING if ratio is None else f"{ratio:.3g}"),
        ("spread of outputs over that of clean crops", f"{health.output_spread:.3g}"),
        ("collapsed", health.collapsed or "no"),
    ]


def _verification(entry: Entry) -> Facts:
    found = entry.verification
    if found is None:
        return []
    verdict = "passed" if found.passed else f"not passed: {found.reason or 'no reason given'}"
    told = [("verdict", verdict), (f"{found.metric} as reported", f"{found.reported:.4f}")]
    if found.measured is not None:
        told += [
            (f"{found.metric} as measured again", f"{found.measured:.4f}"),
            ("difference", f"{found.measured - found.reported:+.4f}"),
        ]
    return [*told, *_told(found.details)]


def _finding(name: str, found: Finding) -> dict[str, Any]:
    places = found.places[:MOST_PLACES]
    names = list(dict.fromkeys(key for place in places for key in place))
    return {
        "name": name,
        "metrics": _metrics(found.columns),
        "plots": finding_curves(found, name),
        "place_names": names,
        "places": [[_short(place.get(key, MISSING)) for key in names] for place in places],
        "more_places": len(found.places) - len(places),
        "details": _told(found.details),
    }


def _log(folder: Path | None) -> list[log.Record]:
    """Read log.jsonl; nothing where it is not one."""
    if folder is None:
        return []
    path = folder / "log.jsonl"
    try:
        refuse_large(path, LOG_AT_MOST)
        with path.open("rb") as file:
            if any(len(line) > LONGEST_LINE for line in iter(partial(file.readline, BLOCK), b"")):
                return []
        return log.read(path)
    except (OSError, ValueError, RecursionError):
        return []


def _environment(folder: Path | None) -> Facts:
    """Read environment.json as lines; nothing where it is not one."""
    try:
        values = read_json(folder / "environment.json") if folder else {}
    except UsageError:
        return []
    return _told(values) if isinstance(values, dict) else []


def _told(values: dict[str, Any]) -> Facts:
    """Write plain values as lines; those of an inner table one by one."""
    found: Facts = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += [(f"{name} {inner}", _short(each)) for inner, each in value.items()]
        else:
            found.append((str(name), _short(value)))
    return [(name, text) for name, text in found if text]


def _short(value: object) -> str:
    """Write a value on a line; what is nested deeper is not told."""
    if isinstance(value, list):
        return ", ".join("…" if isinstance(each, list | dict) else _short(each) for each in value)
    if isinstance(value, float):
        return f"{value:.5g}"
    return "" if value is None else f"{value!s:.200}" if not isinstance(value, dict) else "…"
