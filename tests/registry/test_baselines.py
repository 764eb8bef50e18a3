import numpy as np
import pytest
from denoisebench.registry.baselines._clipped import mean_of_clipped, unclipped
from denoisebench.registry.baselines.bilateral import bilateral
from denoisebench.registry.baselines.bm3d import bm3d
from denoisebench.registry.baselines.gaussian import gaussian
from denoisebench.registry.baselines.median import median
from denoisebench.registry.baselines.nlm import nlm
from denoisebench.registry.baselines.noisy import noisy
from denoisebench.registry.baselines.sparse import Sparse
from denoisebench.registry.baselines.tv import tv
from denoisebench.registry.baselines.wavelet import wavelet
from denoisebench.registry.baselines.wiener import wiener

from denoisebench import UsageError


def psnr(output, target):
    return 10 * np.log10(255**2 / np.mean((output - target) ** 2))


@pytest.fixture
def pair():
    """(noisy, clean): (80, 64) grey levels of discs, sigma 50."""
    row, column = np.mgrid[0:80, 0:64]
    clean = 90.0 * (np.hypot(row - 40, column - 30) < 25) + 80.0 * (np.hypot(row - 30, column) < 20)
    return clean + np.random.default_rng(3).normal(0, 50, clean.shape), clean


def test_noisy_returns_a_copy(pair):
    output = noisy(pair[0], 50.0)
    assert np.array_equal(output, pair[0])
    assert not np.shares_memory(output, pair[0])


@pytest.fixture(scope="module")
def sparse():
    """The sparse coder, taught by discs other than those of `pair`."""
    row, column = np.mgrid[0:96, 0:96]
    discs = [150.0 * (np.hypot(row - 48, column - 40) < r) + 40 for r in (12, 20, 28, 36)]
    coder = Sparse(atoms=64, samples=3000)
    coder.fit(discs)
    return coder


# What each gains on discs, minus a decibel or so; a mean over the same window gains about 9 dB.
GAINS = {bm3d: 11.0, nlm: 9.0, gaussian: 7.0, median: 7.0, bilateral: 7.0, wiener: 5.0, tv: 9.0,
         wavelet: 8.0}  # fmt: skip
ALL = pytest.mark.parametrize("baseline", GAINS, ids=lambda baseline: baseline.__name__)


@ALL
def test_a_baseline_removes_noise(baseline, pair):
    before = pair[0].copy()
    output = baseline(pair[0], 50.0)
    assert output.dtype == np.float64
    assert output.shape == pair[0].shape
    assert psnr(output, pair[1]) > psnr(*pair) + GAINS[baseline]
    assert np.array_equal(pair[0], before)


@ALL
def test_a_baseline_does_not_clip(baseline, pair):
    shifted = baseline(pair[0] - 500, 50.0)
    assert shifted.mean() == pytest.approx(pair[0].mean() - 500, abs=2)


@pytest.mark.parametrize("baseline", [gaussian, median, bilateral, wiener, tv, wavelet])
def test_the_border_is_denoised_as_the_middle_is(baseline):
    flat = 100 + np.random.default_rng(5).normal(0, 50, (96, 96))
    error = (baseline(flat, 50.0) - 100) ** 2
    rim = np.ones(error.shape, bool)
    rim[4:-4, 4:-4] = False
    # a reflected border holds fewer independent pixels; zeros beyond it would make this 100
    assert error[rim].mean() < 6 * error[~rim].mean()


@pytest.mark.parametrize("baseline", [bilateral, wiener, tv, wavelet])
def test_a_baseline_smooths_in_units_of_sigma(baseline, pair):
    # 0.5: tv stops at a share of its first step, bilateral tabulates its weights
    assert baseline(2 * pair[0], 100.0) == pytest.approx(2 * baseline(pair[0], 50.0), abs=0.5)


def test_sparse_removes_noise_with_what_it_learned(sparse, pair):
    output = sparse(pair[0], 50.0)
    assert psnr(output, pair[1]) > psnr(*pair) + 9


def test_sparse_learns_the_same_atoms_each_time(sparse):
    row, column = np.mgrid[0:96, 0:96]
    discs = [150.0 * (np.hypot(row - 48, column - 40) < r) + 40 for r in (12, 20, 28, 36)]
    again = Sparse(atoms=64, samples=3000)
    again.fit(discs)
    assert np.array_equal(again.dictionary, sparse.dictionary)
    # 1e-9: float64 norms of 64 values
    assert np.linalg.norm(sparse.dictionary, axis=1) == pytest.approx(1, abs=1e-9)


def test_sparse_stops_where_the_rest_is_noise(sparse):
    patches = np.random.default_rng(1).normal(0, 50, (200, 64))
    patches -= patches.mean(axis=1, keepdims=True)
    patches[:20] += 40 * sparse.dictionary[:20] * 20  # a structure among the noise
    left = patches - sparse._code(patches, 50.0)
    # 1e-9: float64
    assert (np.square(left).sum(axis=1) <= 64 * (sparse.gain * 50) ** 2 + 1e-9).all()


def test_sparse_that_has_learned_nothing_says_so(pair):
    with pytest.raises(UsageError, match="learned nothing yet"):
        Sparse()(pair[0], 50.0)


def test_the_mean_of_clipped_noise_is_that_of_samples():
    clean = np.array([0.0, 10.0, 128.0, 200.0, 255.0])
    samples = clean[:, None] + np.random.default_rng(0).normal(0, 50, (5, 400_000))
    mean = np.clip(np.rint(samples), 0, 255).mean(axis=1)
    # 0.3: five standard errors of 400,000 samples of at most 50
    assert mean_of_clipped(clean, 50.0) == pytest.approx(mean, abs=0.3)
    # by hand: at 0 half of a normal distribution is kept, whose mean is σ / √(2π)
    assert mean_of_clipped(np.array([0.0]), 1.0) == pytest.approx(1 / np.sqrt(2 * np.pi))


def test_taking_the_bias_off_undoes_it():
    clean = np.linspace(0, 255, 1000).reshape(20, 50)
    # 0.01: linear interpolation between points 0.25 grey levels apart
    assert unclipped(mean_of_clipped(clean, 50.0), 50.0) == pytest.approx(clean, abs=0.01)
    assert unclipped(np.array([-300.0, 900.0]), 50.0).tolist() == [0, 255]


@pytest.mark.parametrize("channels", [1, 3])
def test_bm3d_takes_the_bias_of_clipping_off_where_it_is_asked_to(channels):
    row, column = np.mgrid[0:80, 0:64]
    clean = 90.0 * (np.hypot(row - 40, column - 30) < 25)
    noise = np.random.default_rng(3).normal(0, 50, (channels, *clean.shape))
    noisy = np.clip(np.rint(clean + noise), 0, 255).mean(axis=0)
    sigma = 50 / channels**0.5
    knobs = {"channels": channels, "eight_bit": True}
    plain, debiased = (bm3d(noisy, sigma, debias=on, **knobs) for on in (False, True))
    assert psnr(debiased, clean) > psnr(plain, clean) + 3
    unclipped_noise = bm3d(noisy, sigma, debias=True, channels=channels, eight_bit=False)
    # 1e-3: its threads add float32 in another order
    assert unclipped_noise == pytest.approx(plain, abs=1e-3)


REFUSED = {
    (gaussian, "width"): 0,
    (median, "size"): 4,
    (bilateral, "tolerance"): 0,
    (wiener, "size"): 1,
    (tv, "weight"): -1,
    (wavelet, "wavelet"): "bior2.2",
    (wavelet, "levels"): 0,
}


@pytest.mark.parametrize(
    ("baseline", "knob"), REFUSED, ids=lambda x: x if isinstance(x, str) else x.__name__
)
def test_a_knob_that_makes_no_sense_is_refused_by_name(baseline, knob, pair):
    with pytest.raises(UsageError, match=str(REFUSED[baseline, knob])):
        baseline(pair[0], 50.0, **{knob: REFUSED[baseline, knob]})


def test_nlm_smooths_in_units_of_sigma(pair):
    # 1e-6: float64 of twice the size
    assert nlm(2 * pair[0], 100.0) == pytest.approx(2 * nlm(pair[0], 50.0), abs=1e-6)


def test_bm3d_names_its_profiles(pair):
    with pytest.raises(UsageError, match="no BM3D profile named 'fast'; one of: np, high"):
        bm3d(pair[0], 50.0, profile="fast")
