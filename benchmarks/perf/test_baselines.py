"""Each baseline with its default knobs on one slice of 512²: seconds, and PSNR beside them.

    python -m pytest benchmarks/perf/test_baselines.py --benchmark-only

One round each, since nothing is promised. One thread, but for bm3d's wheel, which takes all cores,
and for those that take tensors: torch's threads, or on a GPU as many slices at once as a board
gives them; seconds are of all of them.
`bm3d_parity.py --side-by-side` has deepinv's BM3D beside the wheel and ours.
"""

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.plugins.expression import Part
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.scoring.denoisers import SLICES_AT_ONCE
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice

TASK = load_task("ct-sigma50")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
CARDS = [card for card in find().of("baseline") if card.name != "noisy"]


def grey(patient: int) -> tuple[np.ndarray, np.ndarray]:
    """A phantom's (noisy, clean) abdomen."""
    one = Slice(draw(patient, 2), str(patient), str(patient))
    clean = TASK.to_grey(one.hu)
    return noisy_slice(TASK, clean, one.digest), clean


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_baseline_denoises_a_slice(benchmark, card):
    noisy, clean = grey(5)
    denoise, given = build(Part(card, 1.0, {})), noisy
    if card.facts.get("learns"):
        denoise.fit([grey(patient)[1] for patient in range(4)])
    if card.facts.get("batched"):
        count = 1 if DEVICE.type == "cpu" else SLICES_AT_ONCE
        given = torch.from_numpy(noisy)[None, None].to(DEVICE).repeat(count, 1, 1, 1)
        output = benchmark.pedantic(
            lambda: denoise(given, TASK.sigma)[0].cpu(), rounds=1, warmup_rounds=1
        )
        benchmark.extra_info["slices"] = count
    else:
        with threadpool_limits(1):
            output = benchmark.pedantic(denoise, (noisy, TASK.sigma))
    error = np.mean((np.asarray(output).reshape(clean.shape) - clean) ** 2)
    benchmark.extra_info["psnr"] = 10 * np.log10(255**2 / error)
