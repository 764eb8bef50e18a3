"""Nulls are nulls: a value that could not be computed is missing with its reason, and never 0."""

import json

import numpy as np
import pytest

from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import Slice
from denoisebench.plugins.find import find
from denoisebench.scoring import evaluate as evaluation
from denoisebench.scoring.denoisers import Denoised
from denoisebench.scoring.evaluate import evaluate
from denoisebench.scoring.result import read_scores, write_scores
from denoisebench.task import load_task

METRICS = '''
"""Metrics that fail in every way there is, and one that is 0."""

import torch

from denoisebench import Unavailable, metric


@metric("absent", better="higher", version=1)
def absent(output, target):
    """Needs weights that nobody has."""
    raise Unavailable("weights absent are missing: denoisebench weights fetch absent")


@metric("half", better="higher", version=1)
def half(output, target):
    """A number on every other slice."""
    half.called = getattr(half, "called", 0) + 1
    value = float("nan") if half.called % 2 else 40.0
    return torch.full((1,), value, dtype=torch.float64)


@metric("endless", better="higher", version=1)
def endless(output, target):
    """Infinite on equal slices, as PSNR is."""
    return 1 / (output - target).abs().mean(dim=(1, 2, 3)).double() * 0 + float("inf")


@metric("zero", better="lower", version=1)
def zero(output, target):
    """A 0 that was measured."""
    return torch.zeros(1, dtype=torch.float64)
'''
NAMES = ("absent", "half", "endless", "zero")


@pytest.fixture
def data():
    """Four slices of two patients."""
    slices = tuple(
        Slice(np.full((64, 64), 10 * number, dtype=np.int16), f"patient {number // 2}", "1.2")
        for number in range(4)
    )
    return DataSet("made", (), (), slices)


@pytest.fixture
def found(data, tmp_path):
    """What an evaluation found."""
    (tmp_path / "failing.py").write_text(METRICS)
    task = load_task("ct-sigma50").model_copy(update={"metrics": NAMES})

    def leave(noisy_slices):
        for noisy in noisy_slices:
            yield Denoised(noisy, 0.0)

    return lambda: evaluate(leave, data, task, find([tmp_path / "failing.py"]))


def nulls_are_nulls(found) -> bool:
    """The promise itself, for any evaluation of the four metrics."""
    values = {name: [s.value for s in found.scores if s.metric == name] for name in NAMES}
    return (
        all(found.metrics[name].mean is None for name in NAMES[:3])
        and all(found.metrics[name].reason for name in NAMES[:3])
        and values["absent"] == values["endless"] == [None] * 4
        and values["half"] == [None, 40.0, None, 40.0]
        and values["zero"] == [0.0] * 4
        and found.metrics["zero"].mean == 0
        and found.metrics["zero"].missing == 0
    )


def test_what_could_not_be_computed_is_null_with_its_reason_and_0_is_0(found):
    answer = found()
    assert nulls_are_nulls(answer)
    metrics = answer.metrics
    assert metrics["absent"].reason == (
        "weights absent are missing: denoisebench weights fetch absent"
    )
    assert metrics["half"].reason == "half is nan on some slices"
    assert metrics["endless"].reason == "endless is inf on some slices"
    assert [(metrics[name].n, metrics[name].missing) for name in NAMES] == [
        (0, 4), (2, 2), (0, 4), (4, 0),
    ]  # fmt: skip
    # the value of the easier half is no mean, and has no interval
    assert (metrics["half"].lo, metrics["half"].hi) == (None, None)


@pytest.mark.parametrize("instead", [0.0, 40.0])
def test_a_scorer_that_writes_a_number_instead_is_caught(found, monkeypatch, instead):
    """The same promise against a scorer that is broken on purpose."""
    really = evaluation._measure

    def filled_in(*arguments):
        value = really(*arguments)
        return instead if value is None else value

    monkeypatch.setattr(evaluation, "_measure", filled_in)
    assert not nulls_are_nulls(found())


def test_on_disk_a_null_is_null_in_json_and_an_empty_field_in_a_table(found, tmp_path):
    answer = found()
    text = json.dumps({k: v.model_dump() for k, v in answer.metrics.items()}, allow_nan=False)
    assert json.loads(text)["half"]["mean"] is None
    write_scores(tmp_path / "scores.csv", answer.scores)
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert sum(line.endswith(",") for line in lines) == 4 + 2 + 4
    assert read_scores(tmp_path / "scores.csv") == answer.scores
