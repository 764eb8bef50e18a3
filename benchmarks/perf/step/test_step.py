"""One training step beside a bare loop of the same arithmetic, its data, and its memory.

python -m pytest benchmarks/perf/step/test_step.py --benchmark-only
"""

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from arithmetic import assert_same, batch, hand_written, networks, ours, theirs
from turns import OURS, WAITING, Turns, by_turns, recipe_for

from denoisebench.data.batches import PIXELS_AT_ONCE
from denoisebench.task.task import PEAK

SMALL = "resunet(width=8, blocks=1)"
CASES: dict[str, dict[str, Any]] = {
    "unet7 cgan": {"generator": "unet7", "loss": "cgan+l1", "patch": 256, "steps": 40},
    "small cgan": {"generator": SMALL, "loss": "cgan+l1", "patch": 64, "steps": 300},
    "small l1": {"generator": SMALL, "loss": "l1", "patch": 64, "steps": 2000},
}
BATCH = 2
OVERHEAD, DATA_SHARE, MEMORY = 1.03, 0.02, 1.10


@pytest.fixture(scope="module")
def measured(tmp_path_factory, task, catalogue, dataset) -> Callable[[str], tuple[Turns, int]]:
    """Show that both do the same arithmetic, then time them; once a case."""

    @cache
    def measure(case: str) -> tuple[Turns, int]:
        folder = tmp_path_factory.mktemp("step")
        recipe = recipe_for(catalogue, task, dataset, batch=BATCH, **CASES[case])
        before, mine = ours(recipe, dataset, task, catalogue, folder)
        its = theirs(recipe, dataset, task, catalogue, before, hand_written(recipe))
        assert_same(mine, its, before["averaged"])
        bare = hand_written(recipe)(*networks(recipe, catalogue))
        clean, _ = batch(recipe, dataset, task, 0)
        others = {
            # fresh noise on crops that lie ready
            "bare": lambda: bare.step(
                clean, clean + 2 * task.sigma / PEAK * torch.randn_like(clean)
            ),
        }
        turn = 5 if case.startswith("unet7") else 10
        (folder / "timed").mkdir()
        timed = folder / "timed"
        turns = by_turns(recipe, dataset, task, catalogue, timed, others, turn=turn)
        return turns, mine.parameters

    return measure


@pytest.mark.parametrize("case", CASES)
def test_a_step_beside_a_bare_loop(benchmark, compared, measured, case):
    turns, parameters = benchmark.pedantic(measured, (case,))
    small = BATCH * CASES[case]["patch"] ** 2 < PIXELS_AT_ONCE
    mine = turns.median() + (turns.median(WAITING) if small else 0)
    compared(
        mine / turns.median("bare"),
        beside="bare loop",
        target=OVERHEAD,
        at_most=True,
        seconds=mine,
        spread=turns.spread(OURS, "bare"),
        of_means=turns.of_means(OURS, "bare"),
        bare_seconds=turns.median("bare"),
        parameters=parameters,
    )


@pytest.mark.parametrize("case", CASES)
def test_cutting_crops_beside_their_step(benchmark, compared, measured, case):
    turns, _ = benchmark.pedantic(measured, (case,))
    compared(
        turns.ratio(WAITING, OURS),
        beside="its step",
        target=DATA_SHARE,
        at_most=True,
        seconds=turns.median(WAITING),
        spread=turns.spread(WAITING, OURS),
    )


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="Linux says what the peak is"
)
def test_peak_memory_beside_a_bare_loop(benchmark, compared):
    def peak(how: str) -> tuple[int, int]:
        program = [sys.executable, str(Path(__file__).with_name("memory.py")), how]
        run = subprocess.run(program, capture_output=True, text=True, check=True)
        bytes_at_most, bytes_before = map(int, run.stdout.split())
        return bytes_at_most, bytes_before

    mine, before = benchmark.pedantic(peak, ("train",))
    its, _ = peak("bare")
    compared(
        mine / its,
        beside="bare loop",
        target=MEMORY,
        at_most=True,
        gibibytes=mine / 2**30,
        bare_gibibytes=its / 2**30,
        without_what_was_there_before=(mine - before) / (its - before),
    )
