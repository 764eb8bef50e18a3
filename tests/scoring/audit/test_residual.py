import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from denoisebench.scoring.audit import residual, sites
from denoisebench.scoring.audit.audit import calibrated
from denoisebench.task import load_task, task_names
from denoisebench.task.noise import noisy_slice


@pytest.mark.parametrize("name", task_names())
def test_the_residual_of_the_truth_is_white_under_every_task(phantom, name):
    task, one = load_task(name), phantom.test[0]
    clean = task.to_grey(one.hu)
    rest = residual.residual(task, noisy_slice(task, clean, one.digest), clean)
    # 65536 draws: 0.01 is 2.6 standard errors of the mean, 3.6 of the deviation. Rounding to
    # whole grey levels adds 1/12 to variances of 300 and more.
    assert rest.mean() == pytest.approx(0, abs=0.01)
    assert rest.std() == pytest.approx(1, abs=0.01)
    # Neighbours do not correlate; 1/256 is one standard error.
    assert np.mean(rest[1:] * rest[:-1]) == pytest.approx(0, abs=4 / 256)
    if task.noise.eight_bit:  # what clipping does to the mean is accounted for
        plain = (noisy_slice(task, clean, one.digest) - clean) / task.sigma
        assert abs(plain.mean()) > 0.1


def test_the_map_is_standard_normal_in_even_tissue_of_other_patients(phantom, task, faithful):
    calibration = calibrated(faithful, phantom, task, 4, 4)
    values = []
    for one in phantom.test:
        noisy = noisy_slice(task, task.to_grey(one.hu), one.digest, seed=9)
        output = next(faithful([noisy])).image
        z = residual.z_map(residual.residual(task, noisy, output), output, calibration, task)
        even = sites.even_tissue(one.hu, task, 9, 80)
        values.append(np.abs(z[even]))
        # Noise alone stays below the threshold in 19 of 20 slices; none of these nine crosses it
        # by more than chance may in one.
        assert np.abs(z)[sites.body(one.hu)].max() < calibration.anywhere + 1
    shares = np.concatenate(values) > calibration.known
    # 5 % are meant; some 40 independent places have a standard error of 3.4 %.
    assert shares.mean() < 0.05 + 3 * 0.034


def test_calibration_learns_that_a_denoiser_keeps_noise(phantom, task, faithful):
    calibration = calibrated(faithful, phantom, task, 4, 4)
    for width, scale in zip(residual.WIDTHS, calibration.scale, strict=True):
        white = 1 / (2 * width * np.sqrt(np.pi))
        # What is left of white noise less 0.4 of its part below a Gaussian of 3 pixels, smoothed.
        noise = np.random.default_rng(1).standard_normal((1024, 1024))
        left = gaussian_filter(noise - 0.4 * gaussian_filter(noise, 3.0), width).std()
        assert left < 0.95 * white
        # 15 %: the median deviation of four slices; wide Gaussians leave some 300 places.
        assert np.median(scale) == pytest.approx(left, rel=0.15)


def test_an_output_that_is_its_input_contradicts_it_nowhere(phantom, task):
    from denoisebench.scoring.denoisers import Denoised

    def nothing(noisy_slices):
        for noisy in noisy_slices:
            yield Denoised(noisy, 0.0)

    calibration = calibrated(nothing, phantom, task, 2, 2)
    noisy = noisy_slice(task, task.to_grey(phantom.test[0].hu), phantom.test[0].digest)
    rest = residual.residual(task, noisy, noisy)
    assert np.all(residual.z_map(rest, noisy, calibration, task) == 0)


def test_the_sign_says_on_which_side_the_input_is(phantom, task, faithful):
    calibration = calibrated(faithful, phantom, task, 2, 3)
    one = phantom.test[0]
    (place,) = sites.choose(sites.even_tissue(one.hu, task, 9, 80), one.digest, 1, 0)
    noisy = noisy_slice(task, task.to_grey(one.hu), one.digest)
    output = next(faithful([noisy])).image
    disc = 80 * task.grey_per_hu * sites.disc(noisy.shape, place, 5)
    z = [
        residual.z_map(residual.residual(task, noisy, image), image, calibration, task)[place]
        for image in (output - disc, output + disc)
    ]
    assert z[0] > calibration.anywhere
    assert z[1] < -calibration.anywhere
