"""What stands around a generator in a graph, held against its twin in numpy."""

import numpy as np
import pytest
import torch

from denoisebench.deploy.graph import InHU, reflected
from denoisebench.deploy.window import Window
from denoisebench.task import load_task
from denoisebench.task.task import to_network
from denoisebench.training.inference import reflect

TASK = load_task("ct-sigma50")
WINDOW = Window(TASK, TASK.sigma)


@pytest.mark.parametrize("length", [1, 2, 3, 100, 255, 256, 257, 513])
@pytest.mark.parametrize("multiple", [2, 16, 256])
def test_a_graph_reflects_as_the_evaluator_does(length, multiple):
    image = torch.arange(3.0 * length).reshape(1, 1, 3, length)
    other = reflect(torch.cat([image] * multiple, dim=2), multiple)[..., :3, :]
    assert torch.equal(reflected(image, -1, multiple), other)


def batch(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image)[None, None]


def test_an_answer_in_hu_is_what_denoise_makes_of_it(clean, noisy):
    """Bone, lung, metal and fat, and an answer that is noisy itself."""
    draw = np.random.default_rng(3)
    for truth, hu in zip(clean, noisy, strict=True):
        answer = TASK.to_grey(truth) + draw.normal(0, 8, truth.shape)
        found = InHU(lambda _, answer=answer: to_network(batch(answer)), TASK)(batch(hu))
        expected = WINDOW.merged(hu, np.zeros(hu.shape, bool), answer)
        kept = expected == hu
        assert 0.05 < kept.mean() < 0.95
        # 1e-6 HU: float64, but for the kernels of two libraries
        assert np.abs(found[0, 0].numpy() - expected).max() < 1e-6
        assert np.array_equal(found[0, 0].numpy()[kept], hu[kept])


def test_bone_within_reach_of_noise_is_not_drawn_to_the_end_of_the_window():
    """450 HU under noise of 78 HU: no pixel of it is far, and all of it is more than noise."""
    draw = np.random.default_rng(4)
    hu = np.full((96, 96), 450.0) + draw.normal(0, 78, (96, 96))
    at_the_end = batch(np.full(hu.shape, 255.0))
    found = InHU(lambda _: to_network(at_the_end), TASK)(batch(hu))
    assert found.mean() == pytest.approx(hu.mean(), abs=1)


def test_what_is_beyond_is_shown_as_in_training_and_the_rest_as_it_is(clean, noisy):
    around = InHU(lambda shown: shown, TASK)
    hu = np.full((300, 200), -1000.0)
    hu[:, 100:] = 3000
    grey = (hu + 160) * 255 / 400
    shown = around.shown(batch(grey))[0, 0].numpy()
    for image, level in ((shown[:, :100], 0), (shown[:, 100:], 255)):
        # deviation of the mean of 12,800 values: 0.4; of their deviation: 0.3
        assert image.mean() == pytest.approx(level, abs=2)
        assert image.std() == pytest.approx(50, abs=1.5)
    grey = (noisy[1] + 160) * 255 / 400
    inside = (grey > -175) & (grey < 255 + 175)  # 3.5 deviations
    shown = around.shown(batch(grey))[0, 0].numpy()
    assert inside.mean() > 0.2
    assert np.array_equal(shown[inside], grey[inside])
