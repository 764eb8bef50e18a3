"""The verdict on figures worked by hand."""

import pytest

from denoisebench.scoring.result import MetricResult, Result, Score
from denoisebench.scoring.verify.judge import Measured, verdict

PATIENTS = {"s1": "a", "s2": "a", "s3": "b"}
PSNR = {"s1": 30.0, "s2": 32.0, "s3": 29.0}  # patients a 31, b 29: mean 30
SSIM = {"s1": 0.9, "s2": 0.9, "s3": 0.7}  # mean 0.8


def judged(psnr=None, ssim=None, altered=None):
    """Judge a run that reported PSNR and SSIM above; what is not given is measured as reported."""
    metrics = {
        "psnr": MetricResult(mean=30, lo=None, hi=None, unit="dB", better="higher", version=1, n=3,
                             missing=0),
        "ssim": MetricResult(mean=0.8, lo=None, hi=None, unit="", better="higher", version=1, n=3,
                             missing=0),
    }  # fmt: skip
    result = Result(
        method="m", kind="baseline", task="t", task_version=1, data="d", data_digest="d",
        split_digest="s", recipe="r", n_slices=3, n_patients=2, metrics=metrics, parameters=0,
        device="CPU", status="done",
    )  # fmt: skip
    scores = [
        Score(slice=name, patient=PATIENTS[name], metric=metric, value=value)
        for metric, values in (("psnr", PSNR), ("ssim", SSIM))
        for name, value in values.items()
    ]
    errors = {False: dict.fromkeys(PATIENTS, 100.0), True: altered or dict.fromkeys(PATIENTS, 100)}
    found = Measured(PATIENTS, {"psnr": psnr or PSNR, "ssim": ssim or SSIM}, errors)
    return verdict(result, scores, "psnr", found)


def shifted(values, by):
    return {name: value + by for name, value in values.items()}


def test_what_is_measured_as_reported_is_verified():
    found = judged()
    assert found.passed
    assert (found.reported, found.measured, found.reason) == (30, 30, None)


@pytest.mark.parametrize(("by", "passed"), [(0.049, True), (-0.049, True), (0.051, False),
                                            (-0.051, False)])  # fmt: skip
def test_psnr_may_differ_by_a_twentieth_of_a_decibel_either_way(by, passed):
    found = judged(psnr=shifted(PSNR, by))
    assert found.passed is passed
    assert found.measured == pytest.approx(30 + by)
    assert passed or found.reason.startswith("psnr is ")


def test_means_are_over_patients_not_slices():
    """+0.08 dB on patient a's two slices is +0.04 over patients, though +0.053 over slices."""
    found = judged(psnr={"s1": 30.08, "s2": 32.08, "s3": 29.0})
    assert found.details["metrics"]["psnr"]["difference"] == pytest.approx(0.04)
    assert found.passed


@pytest.mark.parametrize(("by", "passed"), [(0.0079, True), (0.0081, False)])
def test_other_units_may_differ_by_one_in_a_hundred(by, passed):
    assert judged(ssim=shifted(SSIM, by)).passed is passed


def test_chance_excuses_other_metrics_and_not_the_one_that_ranks():
    """+0.03 on patient a and -0.01 on b: 0.01 in the mean, with a standard error of 0.02."""
    apart = {"s1": 0.03, "s2": 0.03, "s3": -0.01}
    near = judged(ssim={name: SSIM[name] + by for name, by in apart.items()})
    assert near.details["metrics"]["ssim"]["allowed"] == pytest.approx(3 * 0.02)
    assert near.passed
    assert not judged(psnr={name: PSNR[name] + 6 * by for name, by in apart.items()}).passed


def test_the_ranking_metric_is_named_first():
    found = judged(psnr=shifted(PSNR, -3), ssim=shifted(SSIM, -0.3))
    assert found.reason.startswith("psnr is 27 dB under fresh noise, 30 as reported")


@pytest.mark.parametrize(("error", "passed"), [(112.0, True), (112.5, False)])
def test_altered_slices_may_be_half_a_decibel_worse(error, passed):
    """10 log10(1.120) = 0.492 dB, 10 log10(1.125) = 0.512 dB."""
    found = judged(altered=dict.fromkeys(PATIENTS, error))
    assert found.passed is passed
    assert passed or "it knows them" in found.reason


def test_an_answer_without_error_is_a_finite_fall():
    found = judged(altered=dict.fromkeys(PATIENTS, 0.0))
    assert found.details["altered_fall_db"] < -50
    assert found.model_dump_json()


def test_a_failure_that_chance_may_explain_says_so():
    found = judged(psnr={"s1": 30.5, "s2": 32.5, "s3": 28.9})
    assert "try more slices" in found.reason
