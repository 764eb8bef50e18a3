import json

import pytest

from denoisebench import UsageError
from denoisebench.scoring.result import MetricResult, Result, Score, read_result, write_scores


def a_result(**changes) -> Result:
    psnr = MetricResult(
        mean=29.5, lo=28.0, hi=31.0, unit="dB", better="higher", version=1, n=4, missing=0
    )
    values = {
        "method": "bm3d", "kind": "baseline", "task": "ct-sigma50", "task_version": 1,
        "data": "phantom", "data_digest": "d" * 64, "split_digest": "e" * 64, "recipe": "f" * 64,
        "n_slices": 4, "n_patients": 2, "metrics": {"psnr": psnr}, "parameters": 0,
        "device": "CPU, 1 core", "status": "done",
    }  # fmt: skip
    return Result(**{**values, **changes})


def test_a_result_is_read_back_as_it_was_written(tmp_path):
    a_result().write(tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == a_result()


def test_fields_of_a_later_version_are_kept(tmp_path):
    values = a_result().model_dump() | {"carbon_grams": 12}
    (tmp_path / "result.json").write_text(json.dumps(values))
    again = read_result(tmp_path / "result.json")
    again.write(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text())["carbon_grams"] == 12


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot read"),
        ("[]", "schema version None"),
        ('{"schema_version": 99}', "schema version 99, this denoisebench reads 1"),
        ('{"schema_version": 1}', "evaluation_version|method"),
        ("[" * 100_000, "cannot read"),
    ],
)
def test_what_is_not_a_result_is_refused_in_one_line(tmp_path, text, said):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as error:
        read_result(path)
    assert "\n" not in str(error.value)


def test_a_result_never_holds_nan(tmp_path):
    with pytest.raises(ValueError, match="finite"):
        a_result(seconds_per_slice=float("nan"))
    path = tmp_path / "result.json"
    a_result(seconds_per_slice=1.5).write(path)
    path.write_text(path.read_text().replace("1.5", "NaN"))
    with pytest.raises(UsageError, match="seconds_per_slice"):
        read_result(path)


def test_a_missing_score_is_an_empty_field_and_not_zero(tmp_path):
    score = Score(slice="ab", patient="p", metric="lpips", value=None)
    write_scores(tmp_path / "scores.csv", [score])
    assert (tmp_path / "scores.csv").read_text() == "slice,patient,metric,value\nab,p,lpips,\n"
