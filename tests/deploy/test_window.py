"""What is shown of a slice, and taken of the answer: no bias, no seam, nothing invented outside."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from denoisebench.deploy.window import Window
from denoisebench.task import Task, load_task
from denoisebench.task.noise import noisy_slice

Image = NDArray[np.float64]
DIGEST = "ab" * 32
PEER_HU = 20.73  # by which a published tool's outputs are off


@pytest.fixture(scope="module")
def window() -> Window:
    task = load_task("ct-sigma50")
    return Window(task, task.sigma)


@pytest.fixture(scope="module")
def faithful(window: Window) -> Any:
    """A denoiser that is right where a trained one is: the truth, clipped to the window.

    It stands for a network: its error is a little noise, and it knows nothing beyond the window.
    """

    def answer(clean: NDArray[Any], task: Task = window.task) -> Image:
        error = gaussian_filter(np.random.default_rng(3).normal(0, 20, clean.shape), 1)
        return task.to_grey(clean) + error

    return answer


def nowhere(image: NDArray[Any]) -> NDArray[np.bool_]:
    return np.zeros(image.shape, np.bool_)


def bias(window: Window, answer: Any, clean: list[Any], noisy: list[Any]) -> float:
    """Mean change in HU, over all pixels of all slices; the noise's own mean is 0.2 HU."""
    found = [
        (window.merged(one, nowhere(one), answer(truth)) - one).mean()
        for truth, one in zip(clean, noisy, strict=True)
    ]
    return float(np.mean(found))


def test_hu_are_right_on_the_mean_of_a_slice(window, faithful, clean, noisy):
    assert abs(bias(window, faithful, clean, noisy)) < 1


def test_a_wrong_affine_would_be_seen(window, faithful, clean, noisy):
    """The negative control: answers that are off as a peer's are."""
    shift = PEER_HU * window.task.grey_per_hu
    # 2 HU: not all of a slice is inside the window
    assert bias(window, lambda truth: faithful(truth) + shift, clean, noisy) > 2
    assert bias(window, lambda truth: faithful(truth) * 1.1, clean, noisy) > 2


@pytest.mark.parametrize(
    ("low", "high"), [(-1100, -600), (-600, -160), (-160, -60), (-60, 200), (200, 240), (300, 3000)]
)
def test_hu_are_right_in_every_tissue(window, faithful, clean, noisy, low, high):
    """Air and lung, edges, fat, soft tissue, marrow, bone: each on its own."""
    errors = []
    for truth, one in zip(clean, noisy, strict=True):
        here = (truth >= low) & (truth < high) & (one > -1024)
        errors.append((window.merged(one, nowhere(one), faithful(truth)) - one)[here])
    together = np.concatenate(errors)
    # the mean of noise over the fewest pixels, some 1,300, is off by 2 HU
    assert abs(together.mean()) < 3


def test_what_lies_just_outside_is_drawn_to_the_end_by_no_more_than_noise_hides(
    window, faithful, clean, noisy
):
    """Marrow and vessels of 240 to 300 HU: a mean of noise is not told from them everywhere."""
    errors = [
        (window.merged(one, nowhere(one), faithful(truth)) - one)[(truth >= 240) & (truth < 300)]
        for truth, one in zip(clean, noisy, strict=True)
    ]
    # the documented limit is 6 deviations of a mean over 3 pixels: 44 HU
    assert -10 < np.concatenate(errors).mean() < 0


def test_an_answer_from_beyond_the_window_is_not_believed(window, clean, noisy):
    """A network goes on a little past the ends, and falls short: bone would lose a fifth."""
    truth, one = np.stack(clean), np.stack(noisy)
    answer = np.stack([window.task.to_grey(image) for image in clean])
    answer += 0.8 * (truth - 240).clip(0) * window.task.grey_per_hu
    merged = [
        window.merged(image, nowhere(image), told) for image, told in zip(one, answer, strict=True)
    ]
    bone = (truth >= 400) & (truth < 600)
    assert abs((np.stack(merged) - one)[bone].mean()) < 3  # the noise's own mean is 2 HU


def test_what_lies_far_outside_is_to_the_last_digit_as_it_came(window, faithful, clean, noisy):
    truth, one = clean[0], noisy[0]
    far = (one < -160 - 6 * window.sigma_hu) | (one > 240 + 6 * window.sigma_hu)
    assert far.any()
    merged = window.merged(one, nowhere(one), faithful(truth))
    assert np.array_equal(merged[far], one[far])


def test_soft_tissue_is_the_answer_to_the_last_digit(window, faithful, clean, noisy):
    truth, one = clean[2], noisy[2]
    answer = faithful(truth)
    inside = (answer > 60) & (answer < 195) & (np.abs(one - 40) < 4 * window.sigma_hu)
    assert np.count_nonzero(inside) > 5000
    hu = answer / window.task.grey_per_hu - 160
    # one rounding of float64
    assert window.merged(one, nowhere(one), answer)[inside] == pytest.approx(hu[inside], abs=1e-9)


@pytest.mark.parametrize("name", ["ct-sigma50", "ct-sigma50-wide", "ct-sigma50-clip8"])
def test_what_a_task_measures_is_shown_and_taken_as_its_evaluator_has_it(name, faithful, clean):
    """A slice within the window under the task's noise: nothing stands outside, none is kept."""
    task = load_task(name)
    window = Window(task, task.sigma)
    grey = task.to_grey(clean[1])
    noise = noisy_slice(task, grey, DIGEST)
    hu = noise / task.grey_per_hu + task.window_hu[0]
    shown = window.shown(hu, nowhere(hu), DIGEST)
    # noise of 3.5 deviations outwards is met in one of 4,000 pixels at an end of the window
    assert np.count_nonzero(np.abs(shown - noise) > 1e-9) < 1e-3 * noise.size
    answer = faithful(clean[1], task)
    merged = (window.merged(hu, nowhere(hu), answer) - task.window_hu[0]) * task.grey_per_hu
    truth = ((answer - grey) ** 2).mean()
    found = ((merged - grey) ** 2).mean()
    assert abs(10 * np.log10(found / truth)) < 0.005  # dB


def test_clipping_the_input_to_the_window_would_move_fat(window):
    """Why it is not clipped: the noise that is cut off on one side alone has a mean."""
    rng = np.random.default_rng(5)
    fat = np.full((200, 200), -110.0) + rng.normal(0, window.sigma_hu, (200, 200))
    shown = window.shown(fat, nowhere(fat), DIGEST) / window.task.grey_per_hu - 160
    assert abs(shown.mean() + 110) < 2  # the mean of 40,000 such values is off by 0.4 HU
    assert fat.clip(-160, 240).mean() + 110 > 10


def test_what_is_beyond_is_shown_as_in_training(window):
    """Lung, metal and padding: the end of the window under the task's noise."""
    hu = np.full((128, 128), -1000.0)
    hu[:, 64:] = 3000
    padding = nowhere(hu)
    padding[:32] = True
    shown = window.shown(hu, padding, DIGEST)
    places = ((shown[:32], 0), (shown[32:, :64], 0), (shown[32:, 64:], 255))
    for image, level in places:
        # deviation of the mean of 4,096 and more values: 0.8; of their deviation: 0.6
        assert image.mean() == pytest.approx(level, abs=3)
        assert image.std() == pytest.approx(50, abs=2.5)
    assert np.array_equal(shown, window.shown(hu, padding, DIGEST))
    assert not np.array_equal(shown, window.shown(hu, padding, "cd" * 32))


def test_there_is_no_seam_between_what_is_taken_and_what_is_kept(window):
    """A ramp from lung to muscle without noise: the result is as even as the ramp."""
    hu = np.tile(np.linspace(-900, 60, 400), (64, 1))
    answer = window.task.windowed(hu)
    steps = np.diff(window.merged(hu, nowhere(hu), answer)[32])
    # The ramp's step is 2.4 HU. An answer of -160 where -200 is true fades over into the slice,
    # within some 10 pixels: 12 HU each beside noise of 78.
    assert steps.min() > -1
    assert steps.max() < 12


def test_padding_stays_as_it_is(window, faithful, clean):
    hu = clean[1].astype(np.float64)
    padding = nowhere(hu)
    padding[:40] = True
    hu[:40] = 40.0  # whatever stands there
    merged = window.merged(hu, padding, faithful(clean[1]))
    assert np.array_equal(merged[:40], hu[:40])
