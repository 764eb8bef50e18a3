"""Steps in bfloat16 beside the same steps in float32, on a CPU.

python -m pytest benchmarks/perf/step/test_precision.py --benchmark-only

Says nothing about a CPU without units for it (avx512_bf16, amx_bf16), where torch emulates it.
"""

from typing import Any

import pytest
from arithmetic import batch, hand_written, networks
from turns import OURS, by_turns, recipe_for

CASES: dict[str, dict[str, Any]] = {
    "unet7 cgan": {"generator": "unet7", "loss": "cgan+l1", "batch": 2, "patch": 256},
    "resunet l1": {"generator": "resunet", "loss": "l1", "batch": 8, "patch": 96},
    "resunet cgan": {"generator": "resunet", "loss": "cgan+l1", "batch": 8, "patch": 96},
}


@pytest.mark.parametrize("case", CASES)
def test_bfloat16_beside_float32(
    benchmark, compared, task, catalogue, dataset, tmp_path_factory, case
):
    def measure():
        recipe = recipe_for(catalogue, task, dataset, **CASES[case], steps=30)
        whole = hand_written(recipe)(*networks(recipe, catalogue))
        clean, noisy = batch(recipe, dataset, task, 0)
        half = recipe.model_copy(update={"precision": "bfloat16"})
        others = {"float32": lambda: whole.step(clean, noisy)}
        folder = tmp_path_factory.mktemp("precision")
        return by_turns(half, dataset, task, catalogue, folder, others, turn=5)

    turns = benchmark.pedantic(measure)
    compared(
        turns.median("float32") / turns.median(),
        beside="float32",
        seconds=turns.median(),
        spread=turns.spread("float32", OURS),
    )
