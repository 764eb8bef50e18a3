import numpy as np
import pytest
from scipy import stats

from denoisebench.scoring.statistics import (
    by_patient,
    detectable,
    difference,
    estimate,
    holm,
    p_values,
)


def test_slices_are_averaged_within_a_patient_before_patients_are():
    # Nine easy slices of one patient do not outweigh one of another.
    values, patients = [10.0] * 9 + [20.0], ["a"] * 9 + ["b"]
    assert by_patient(values, patients).tolist() == [10, 20]
    assert estimate(values, patients).mean == 15


def test_the_interval_is_students():
    means = np.array([27.0, 29, 30, 31, 33])
    found = estimate(means.tolist(), list("abcde"))
    half = stats.t.ppf(0.975, 4) * means.std(ddof=1) / 5**0.5  # by hand
    assert (found.low, found.high) == pytest.approx((30 - half, 30 + half), abs=1e-12)


@pytest.mark.parametrize("patients", [5, 20, 40])
@pytest.mark.parametrize("draw", ["normal", "gumbel"])
def test_the_interval_covers_the_truth_nineteen_times_in_twenty(patients, draw):
    """Slices nested in patients; the second distribution is skewed (1.14) as scores can be."""
    rng = np.random.default_rng(0)
    truth = {"normal": 30.0, "gumbel": 30 + 2 * np.euler_gamma}[draw]
    trials, covered = 1500, 0
    for _ in range(trials):
        counts = rng.integers(1, 7, patients)
        means = getattr(rng, draw)(30, 2, patients)
        values = np.repeat(means, counts) + rng.normal(0, 1, counts.sum())
        found = estimate(
            values.tolist(), np.repeat(np.arange(patients), counts).astype(str).tolist()
        )
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / trials <= 0.97


def test_holm_by_hand():
    # sorted .005 .01 .03 .04 times 4 3 2 1 is .02 .03 .06 .04; none below one before it: .06
    corrected = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert corrected == pytest.approx([0.03, 0.06, 0.06, 0.02], abs=1e-12)
    assert holm(np.array([0.6, 0.7])).tolist() == [1, 1]


def test_p_is_that_of_scipys_paired_test():
    rng = np.random.default_rng(2)
    ours, theirs = rng.normal(30, 2, 15), rng.normal(29, 2, 15)
    found = difference(ours, theirs)
    assert found.p == pytest.approx(stats.ttest_rel(ours, theirs).pvalue, rel=1e-12)
    assert found.mean == pytest.approx(np.mean(ours - theirs))
    assert (found.above, found.patients) == (int((ours > theirs).sum()), 15)
    assert p_values(np.array([[0.0, 0, 0], [1, 1, 1]])).tolist() == [1, 0]


def test_one_patient_has_a_difference_and_no_test():
    found = difference(np.array([30.0]), np.array([29.0]))
    assert (found.mean, found.low, found.p, found.above) == (1, None, None, 1)


def test_the_detectable_difference_is_found_four_times_in_five():
    rng = np.random.default_rng(3)
    spread = rng.normal(0, 1, 19)
    spread *= 1 / spread.std(ddof=1)  # so that the true deviation is known to be 1
    least, trials = detectable(spread), 4000
    p = p_values(rng.normal(least, 1, (trials, 19)))
    # 0.02: three standard errors of 4,000 trials
    assert np.mean(p < 0.05) == pytest.approx(0.8, abs=0.02)


def test_one_patient_has_a_mean_and_no_interval():
    found = estimate([29.0, 31.0], ["a", "a"])
    assert (found.mean, found.low, found.high) == (30, None, None)


def test_equal_patients_have_an_interval_of_no_width():
    found = estimate([1.0, 1.0, 1.0], ["a", "b", "c"])
    assert (found.low, found.high) == (1, 1)
