import numpy as np
import pytest
import torch

from denoisebench import Unavailable
from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import Slice
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.scoring.denoisers import Denoised
from denoisebench.scoring.evaluate import evaluate, measured, metric_versions
from denoisebench.task import load_task


@pytest.fixture
def data():
    """Three slices: fat (-100 HU) around muscle (60 HU, soft tissue)."""
    row, column = np.mgrid[0:64, 0:64]
    hus = [
        np.where(np.hypot(row - 32, column - 28 - n) < 16, 60, -100).astype(np.int16)
        for n in range(3)
    ]
    slices = tuple(Slice(hu, f"patient {number}", "1.2") for number, hu in enumerate(hus))
    return DataSet("made", (), (), slices)


def test_one_metric_under_two_knobs_is_two_columns(data):
    """Muscle is made 3 HU too dense and fat 1 HU: each column says its own."""
    metrics = ("psnr", 'hu_bias(tissue="fat")', 'hu_bias(tissue="soft")')
    task = load_task("ct-sigma50").model_copy(update={"metrics": metrics})
    clean = [task.to_grey(one.hu) for one in data.test]

    def shifted(noisy_slices):
        for _, grey in zip(noisy_slices, clean, strict=True):
            muscle = grey > 100
            yield Denoised(grey + task.grey_per_hu * np.where(muscle, 3.0, 1.0), 0.0)

    found = evaluate(shifted, data, task, find())
    assert tuple(found.metrics) == metrics == tuple(metric_versions(task, find()))
    # 1e-6: float64 over the slice
    assert found.metrics[metrics[1]].mean == pytest.approx(1, abs=1e-6)
    assert found.metrics[metrics[2]].mean == pytest.approx(3, abs=1e-6)
    assert {(score.slice, score.metric) for score in found.scores} == {
        (one.digest[:16], text) for one in data.test for text in metrics
    }


TOGETHER = torch.device("cpu")  # stands in for a GPU: slices of one shape are measured together
NAMES = [card.name for card in find().of("metric") if not card.facts.get("weights")]


def pair(count, side=96):
    random = np.random.default_rng(side)
    row, column = np.mgrid[0:side, 0:side]
    target = np.stack(
        [120 + 100 * np.sin(row / k) * np.cos(column / k) for k in range(3, 3 + count)]
    )
    output = target + random.normal(0, 20, target.shape)
    return [torch.from_numpy(each)[:, None] for each in (output, target)]


@pytest.mark.parametrize("name", NAMES)
def test_slices_measured_together_score_as_alone(name):
    measure = build(resolve(name, "metric", find())[0])
    together = measured(measure, *pair(4), name, {}, TOGETHER)
    alone = measured(measure, *pair(4), name, {})
    # 1e-12: sums of float64 may be split among threads otherwise
    assert together == pytest.approx(alone, rel=1e-12, abs=1e-12)
    assert len(set(alone)) == 4


def test_a_slice_without_a_value_leaves_the_others_theirs():
    reasons, (outputs, targets) = {}, pair(3)
    outputs[1] = float("nan")
    measure = build(resolve("psnr", "metric", find())[0])
    values = measured(measure, outputs, targets, "psnr", reasons, TOGETHER)
    assert [value is None for value in values] == [False, True, False]
    assert reasons == {"psnr": "psnr is nan on some slices"}


@pytest.mark.parametrize("error", [RuntimeError, TypeError, Unavailable, None])
def test_what_cannot_be_measured_together_is_measured_slice_by_slice(error):
    asked = []

    def choosy(output, target):
        asked.append(len(output))
        if len(output) > 1 and error:
            raise error("not together")
        return (output - target).abs().mean().reshape(1)

    outputs, targets = pair(3)
    values = measured(choosy, outputs, targets, "choosy", {}, TOGETHER)
    assert asked == [3, 1, 1, 1]
    assert values == [float((o - t).abs().mean()) for o, t in zip(outputs, targets, strict=True)]


def test_a_metric_without_weights_gives_no_value_and_says_why_once():
    reasons = {}

    def absent(output, target):
        raise Unavailable("weights absent are missing")

    assert measured(absent, *pair(3), "absent", reasons, TOGETHER) == [None] * 3
    assert reasons == {"absent": "weights absent are missing"}


def test_a_test_split_scores_the_same_where_slices_are_measured_together(data):
    """Torch's meta device stands in for a GPU on which nothing can be measured."""
    task, asked = load_task("ct-sigma50").model_copy(update={"metrics": ("psnr", "ssim")}), []

    def noisy(slices):
        for image in slices:
            asked.append(image.shape)
            yield Denoised(image, 0.0)

    alone = evaluate(noisy, data, task, find())
    together = evaluate(noisy, data, task, find(), device=torch.device("meta"))
    assert together.scores == alone.scores
    assert together.metrics == alone.metrics
    assert [score.slice for score in alone.scores[::2]] == [one.digest[:16] for one in data.test]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", [*NAMES, "lpips"])
def test_a_gpu_measures_what_a_cpu_measures(name):
    measure = build(resolve(name, "metric", find())[0])
    there, here = (
        measured(measure, *pair(4), name, {}, gpu) for gpu in (torch.device("cuda"), None)
    )
    if None in here:
        pytest.skip("weights were not fetched: denoisebench weights fetch lpips")
    # 1e-9 of float64, 1e-5 of LPIPS' float32 features: sums in another order
    tolerance = 1e-5 if name == "lpips" else 1e-9
    assert there == pytest.approx(here, rel=tolerance, abs=tolerance)
