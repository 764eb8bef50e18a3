import csv
import io
import json
from dataclasses import replace

import pytest

from denoisebench.board import render
from denoisebench.board.board import Entry, boards, collect
from denoisebench.board.render.values import as_csv, as_rows
from denoisebench.scoring.result import MetricResult, Result, Verification, write_scores


def metric(mean, **changes) -> MetricResult:
    values = {"mean": mean, "lo": None, "hi": None, "unit": "dB", "better": "higher", "version": 1,
              "n": 4, "missing": 0}  # fmt: skip
    return MetricResult(**{**values, **changes})


def result(method, psnr=30.0, **changes) -> Result:
    values = {
        "method": method, "kind": "network", "task": "ct-sigma50", "task_version": 1,
        "data": "phantom", "data_digest": "d" * 64, "split_digest": "e" * 64, "recipe": method,
        "n_slices": 4, "n_patients": 2, "metrics": {"psnr": metric(psnr)}, "parameters": 1_234_567,
        "device": "CPU", "status": "done",
    }  # fmt: skip
    return Result(**{**values, **changes})


def board(*results: Result):
    return boards([Entry(r.method, r) for r in results])


def test_the_best_comes_first():
    (found,) = board(result("a", 28), result("b", 31), result("c", 29))
    assert [(row.rank, row.result.method) for row in found.rows] == [(1, "b"), (2, "c"), (3, "a")]


def test_a_metric_of_which_less_is_better_ranks_the_other_way():
    low, high = (metric(value, better="lower", unit="HU") for value in (10.0, 20.0))
    (found,) = board(result("a", metrics={"e": high}), result("b", metrics={"e": low}))
    assert [row.result.method for row in found.rows] == ["b", "a"]


DIFFERENT = [
    *({"task": f"ct-sigma{sigma}"} for sigma in range(10)),
    *({"task_version": version} for version in range(2, 12)),
    *({"data_digest": f"{letter:064x}"} for letter in range(10)),
    *({"split_digest": f"{letter:064x}"} for letter in range(10)),
    *({"evaluation_version": version} for version in range(2, 7)),
    *({"metrics": {"psnr": metric(30.0, version=version)}} for version in range(2, 6)),
    {"metrics": {"psnr": metric(30.0), "ssim": metric(0.5)}},
]


@pytest.mark.parametrize("change", DIFFERENT, ids=lambda change: str(*change))
def test_results_with_different_keys_never_share_a_table(change):
    assert len(board(result("a"), result("b"))) == 1
    assert len(board(result("a"), result("b", **change))) == 2


def test_fifty_differences_were_tried():
    assert len(DIFFERENT) == 50


def test_a_board_says_why_rows_are_elsewhere():
    later = {"psnr": metric(30.0, version=2)}
    found = board(result("a"), result("b"), result("c", metrics=later, evaluation_version=2))
    assert [each.elsewhere for each in found] == [
        ("1 row with the metrics psnr v2, version 2 of the evaluation",),
        ("2 rows with the metrics psnr v1, version 1 of the evaluation",),
    ]
    assert "on another board: 1 row with" in render.markdown(found)
    assert [each.elsewhere for each in board(result("a"), result("b", task="other"))] == [(), ()]


def test_a_row_on_fewer_slices_is_partial_and_has_no_rank():
    (found,) = board(result("a", 20.0), result("b", 40.0, n_slices=3))
    assert [(r.rank, r.result.method, r.result.status) for r in found.rows] == [
        (1, "a", "done"),
        (None, "b", "partial"),
    ]
    assert "b: partial, scored on 3 of 4 slices" in render.notes(found)


def test_nulls_and_unfinished_rows_stand_without_rank():
    diverged = result("b", metrics={}, status="diverged", reason="l1 is nan at step 3")
    partial = result("c", 50.0, status="partial")
    null = result("d", metrics={"psnr": metric(None, reason="no weights")})
    (found,) = board(result("a", 20.0), diverged, partial, null)
    ranks = {row.result.method: row.rank for row in found.rows}
    assert ranks == {"a": 1, "b": None, "c": None, "d": None}
    assert "b: diverged, l1 is nan at step 3" in render.notes(found)
    assert "psnr is missing: no weights" in render.notes(found)


def test_all_formats_hold_the_same_rows():
    found = board(result("unet7 · cgan + 100*l1", 31.25), result("bm3d", 29.5, licence="nc"))
    rows = json.loads(render.as_json(found))["rows"]
    assert [row["method"] for row in rows] == ["unet7 · cgan + 100*l1", "bm3d"]
    table = list(csv.DictReader(io.StringIO(render.as_csv(found))))
    assert [float(row["metrics.psnr.mean"]) for row in table] == [31.25, 29.5]
    text = render.markdown(found)
    assert "31.25" in text
    assert "cgan + 100\\*l1" in text
    assert "licence nc: bm3d" in text


def test_json_rows_carry_what_a_reader_of_boards_needs():
    (row,) = json.loads(render.as_json(board(result("a"))))["rows"]
    assert {"method", "kind", "task", "data", "seeds", "n_slices", "n_patients", "parameters",
            "seconds_per_slice", "train_seconds", "status"} <= row.keys()  # fmt: skip
    fields = {"mean", "lo", "hi", "unit", "better", "n", "missing"}
    assert fields <= row["metrics"]["psnr"].keys()


def test_what_cannot_be_read_is_named_and_the_rest_stands(tmp_path):
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
    result("a").write(tmp_path / "good" / "result.json")
    write_scores(tmp_path / "good" / "scores.csv", [])
    (tmp_path / "bad" / "result.json").write_text("{")
    found, problems = collect(tmp_path)
    assert [entry.folder for entry in found] == ["good"]
    assert len(problems) == 1
    assert "bad" in problems[0]


FORGED = {
    "rank": 1, "ranks": [1, 1], "versus": {"bm3d": {"mean": 9.0}}, "run": "mine", "runs": ["mine"],
    "spread": {"psnr": 0.0}, "apart": "best", "twin_by_seed": [9.0], "board": 7,
    "verification": {"passed": True}, "audit": {"invented": 0}, "physics": {},
}  # fmt: skip


def test_what_a_result_calls_itself_is_not_what_the_board_found():
    honest, forged = result("a"), result("b", 20, **FORGED)
    (found,) = boards([Entry("a", honest), Entry("b", forged, submitted=True)])
    row = next(row for row in as_rows([found]) if row["method"] == "b")
    assert (row["rank"], row["ranks"], row["versus"], row["run"]) == (None, None, {}, "b")
    assert row["board"] == 1
    assert not row.keys() & {"runs", "spread", "apart", "twin_by_seed", "verification", "audit"}


def test_a_row_that_nobody_measured_is_no_ruler_for_others():
    """Neither by one more slice nor by the order of its metrics."""
    metrics = {"psnr": metric(30.0), "lpips": metric(0.2, better="lower", unit="")}
    sent = dict(reversed(metrics.items()))
    honest = Entry("z", result("a", metrics=metrics))
    (found,) = boards([Entry("0", result("b", metrics=sent, n_slices=5), submitted=True), honest])
    assert found.ranked_by == "psnr"
    assert [(row.rank, row.result.method) for row in found.rows] == [(1, "a"), (None, "b")]
    measured = Verification(recipe="b", metric="psnr", reported=30, measured=30, passed=True)
    more = Entry("0", result("b", metrics=metrics, n_slices=5), (), measured, submitted=True)
    (found,) = boards([more, honest])
    assert [(row.rank, row.result.status) for row in found.rows] == [(1, "done"), (None, "partial")]


def test_numbers_in_a_list_are_cells_of_numbers():
    """Else what begins with a minus is written as text, so that no spreadsheet runs it."""
    (found,) = board(result("a"))
    found = replace(found, rows=(replace(found.rows[0], twin_by_seed=(-0.33, 0.41)),))
    (row,) = csv.DictReader(io.StringIO(as_csv([found])))
    assert (row["twin_by_seed.0"], row["twin_by_seed.1"]) == ("-0.33", "0.41")
