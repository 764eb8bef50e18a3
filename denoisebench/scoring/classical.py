"""Rows of classical baselines: tuned, scored once, and known from then on."""

import hashlib
import json
from functools import partial
from pathlib import Path

from denoisebench import lock
from denoisebench.plugins.expression import Part, canonical, resolve
from denoisebench.scoring import denoisers
from denoisebench.scoring.environment import cpu_name, device_name
from denoisebench.scoring.evaluate import filled, metric_versions
from denoisebench.scoring.result import EVALUATION_VERSION, Result
from denoisebench.scoring.run import (
    Bench,
    evaluated,
    facts_of_any,
    forget_failure,
    known_result,
    write_evaluation,
)
from denoisebench.scoring.tune import Tuning, tuned


def baseline_key(bench: Bench, part: Part) -> str:
    """Hash of all that a baseline's scores depend on."""
    facts = {
        "method": canonical([part]),
        "given": sorted(part.given),  # knobs that were not are tuned
        "source": part.card.digest,
        "release": denoisers.release(part),
        "data": bench.dataset.digest,
        "split": bench.dataset.split_digest,
        "task": bench.task.model_dump(),
        "metrics": metric_versions(bench.task, bench.catalogue),
        "evaluation": EVALUATION_VERSION,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def baseline_folder(bench: Bench, part: Part) -> Path:
    """Say where a baseline's run stands: `<name>-<first 8 of the key>` in the runs folder."""
    return bench.runs / f"{part.card.name}-{baseline_key(bench, part)[:8]}"


def run_baseline(bench: Bench, text: str) -> Result:
    """Score a baseline; one that stands in the runs folder is read as `run_network` does.

    Where another process is scoring it already, this one waits and reads what that one found.

    Args:
        bench: data, task, place.
        text: expression of one baseline, `bm3d(profile="high")`.
    Returns:
        Its result; `failed` where it gave pixels that are not finite.
    """
    (part,) = resolve(text, "baseline", bench.catalogue)
    key, folder = baseline_key(bench, part), baseline_folder(bench, part)
    done, incomplete = known_result(bench, folder)
    if done and not incomplete:
        return done
    with lock.alone(folder, waiting=partial(_say_waiting, bench, part)):
        done, incomplete = known_result(bench, folder)
        if done and not incomplete:
            return done
        forget_failure(folder)
        return _score_baseline(bench, part, key, folder)


def _say_waiting(bench: Bench, part: Part, owner: str) -> None:
    bench.advance(f"waiting for {part.card.name} ({owner})", 0, 1)


def _score_baseline(bench: Bench, part: Part, key: str, folder: Path) -> Result:
    learned = _learned(bench, part)
    part, tuning = tuned(
        part,
        bench.dataset,
        bench.task,
        workers=bench.workers,
        learned=learned,
        advance=partial(bench.advance, f"tuning {part.card.name}"),
    )
    denoiser = denoisers.baseline(
        filled(part, bench.task),
        bench.task.sigma,
        bench.workers,
        device=bench.device,
        learned=learned,
    )
    evaluation = evaluated(bench, part.text, denoiser)
    result = Result(
        method=part.text,
        kind="baseline",
        recipe=key,
        licence=part.card.licence or None,
        parameters=0,
        device=device_name(bench.device)
        if part.card.facts.get("batched")
        else f"{cpu_name()}, 1 core",
        tuned=tuning.chosen if tuning else {},
        tuning=_tuning_note(tuning) if tuning else None,
        **facts_of_any(
            bench, evaluation, "failed" if evaluation.failure else "done", evaluation.failure
        ),
    )
    write_evaluation(bench, folder, part.text, evaluation)
    result.write(folder / "result.json")  # last: its presence says the rest is there
    return result


def _tuning_note(tuning: Tuning) -> str:
    """How the knobs of a row were chosen, in words."""
    note = f"best PSNR of {len(tuning.tried)} settings on validation slices"
    edges = ", ".join(tuning.at_the_edge)
    return f"{note}; {edges} at the edge of what was tried" if edges else note


def _learned(bench: Bench, part: Part) -> denoisers.Learned | None:
    """Let a baseline that learns see its lessons."""
    if not part.card.facts.get("learns"):
        return None
    bench.advance(f"learning {part.card.name}", 0, 1)
    learned = denoisers.learn(part, denoisers.lessons(part, bench.dataset, bench.task))
    bench.advance(f"learning {part.card.name}", 1, 1)
    return learned
