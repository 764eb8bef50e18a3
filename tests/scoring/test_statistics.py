import numpy as np
import pytest
from scipy import stats

from denoisebench.scoring.statistics import by_patient, estimate


def test_slices_are_averaged_within_a_patient_before_patients_are():
    # Nine easy slices of one patient do not outweigh one of another.
    values, patients = [10.0] * 9 + [20.0], ["a"] * 9 + ["b"]
    assert by_patient(values, patients).tolist() == [10, 20]
    assert estimate(values, patients).mean == 15


def test_below_twenty_patients_the_interval_is_students():
    means = np.array([27.0, 29, 30, 31, 33])
    found = estimate(means.tolist(), list("abcde"))
    half = stats.t.ppf(0.975, 4) * means.std(ddof=1) / 5**0.5  # by hand
    assert (found.low, found.high) == pytest.approx((30 - half, 30 + half), abs=1e-12)


def test_from_twenty_patients_on_the_interval_is_the_bootstraps_and_repeats():
    values = np.random.default_rng(1).exponential(size=40).tolist()
    patients = [str(number) for number in range(40)]
    first, second = estimate(values, patients), estimate(values, patients)
    assert first == second
    # Skewed data: BCa reaches further up than down, which a t interval cannot.
    assert first.high - first.mean > first.mean - first.low > 0


@pytest.mark.parametrize("patients", [12, 40])
def test_the_interval_covers_the_truth_nineteen_times_in_twenty(patients):
    rng = np.random.default_rng(0)
    names = [str(number) for number in range(patients)]
    trials, covered = 200, 0
    for _ in range(trials):
        found = estimate(rng.normal(30, 2, patients).tolist(), names)
        covered += found.low <= 30 <= found.high
    # 95 % of 200 within three standard errors (1.5 %), and 1 % for the bootstrap's own narrowness.
    assert 0.895 <= covered / trials <= 0.995


def test_one_patient_has_a_mean_and_no_interval():
    found = estimate([29.0, 31.0], ["a", "a"])
    assert (found.mean, found.low, found.high) == (30, None, None)


def test_equal_patients_have_an_interval_of_no_width():
    found = estimate([1.0, 1.0, 1.0], ["a", "b", "c"])
    assert (found.low, found.high) == (1, 1)
