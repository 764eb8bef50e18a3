import numpy as np
import pytest

from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import Slice
from denoisebench.plugins.find import find
from denoisebench.scoring.denoisers import Denoised
from denoisebench.scoring.evaluate import evaluate, metric_versions
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
