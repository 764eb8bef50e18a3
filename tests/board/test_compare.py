from dataclasses import replace

import numpy as np
import pytest

from denoisebench.board import render
from denoisebench.board.board import Entry, boards, collect
from denoisebench.board.compare import patient_means, ranks, smallest_detectable
from denoisebench.errors import UsageError
from denoisebench.scoring.result import MetricResult, Result, Score, write_scores

PATIENTS = 12
NOISE = np.random.default_rng(0).normal(0, 0.1, (6, PATIENTS))
EASE = np.linspace(-3, 3, PATIENTS)  # some patients are easier for every method


def scores(means, slices=2):
    """Slices a patient whose mean is the given one."""
    return tuple(
        Score(slice=f"{patient}-{number}", patient=f"p{patient}", metric="psnr",
              value=mean + number - (slices - 1) / 2)
        for patient, mean in enumerate(means)
        for number in range(slices)
    )  # fmt: skip


def entry(method, means, **changes):
    metric = MetricResult(mean=float(np.mean(means)), lo=None, hi=None, unit="dB", better="higher",
                          version=1, n=2 * len(means), missing=0)  # fmt: skip
    values = {
        "method": method, "kind": "baseline", "task": "ct-sigma50", "task_version": 1,
        "data": "made", "data_digest": "d", "split_digest": "s", "recipe": method,
        "n_slices": 2 * len(means), "n_patients": len(means), "metrics": {"psnr": metric},
        "parameters": 0, "device": "CPU", "status": "done",
    }  # fmt: skip
    return Entry(method, Result(**{**values, **changes}), scores(means))


@pytest.fixture
def rows():
    """By hand: a ahead of all, b and bm3d the same up to noise, noisy far behind."""
    levels = {"a": 31, "b": 30, "bm3d": 30, "noisy": 14}
    return [
        entry(name, level + EASE + noise)
        for (name, level), noise in zip(levels.items(), NOISE, strict=False)
    ]


def test_rows_that_patients_cannot_tell_apart_share_their_ranks(rows):
    (board,) = boards(rows)
    found = {row.result.method: row.ranks for row in board.rows}
    assert found == {"a": (1, 1), "b": (2, 3), "bm3d": (2, 3), "noisy": (4, 4)}
    text = render.markdown([board])
    assert "| 2-3 | " in text
    assert "shared ranks" in text


def test_rows_are_compared_patient_by_patient_and_not_by_their_means(rows):
    (board,) = boards(rows)
    versus = {row.result.method: row.versus for row in board.rows}
    found = versus["a"]["bm3d"]
    apart = 1 + NOISE[0] - NOISE[2]
    assert found.mean == pytest.approx(apart.mean(), abs=1e-9)
    # patients differ by 6 dB, methods on one patient by 0.1: unpaired this would be 2.5
    assert found.high - found.low < 0.3
    assert (found.above, found.patients) == (12, 12)
    assert set(versus["a"]) == {"noisy", "bm3d"}
    assert set(versus["noisy"]) == {"bm3d", "best"}


def test_rows_are_held_against_the_row_that_is_asked_about(rows):
    (board,) = boards(rows, against="b")
    versus = {row.result.method: row.versus for row in board.rows}
    apart = NOISE[3] - NOISE[1] - 16
    assert versus["noisy"]["b"].mean == pytest.approx(apart.mean(), abs=1e-9)
    assert [name for name in versus if "b" in versus[name]] == ["a", "bm3d", "noisy"]
    assert "minus b |" in render.markdown([board])
    plain = {row.result.method: row.versus for row in boards(rows)[0].rows}
    assert all({**versus[name], "b": None} == {**plain[name], "b": None} for name in plain)


def test_a_run_of_a_row_over_seeds_stands_for_the_row(rows):
    seeds = [replace(rows[1], folder=f"b-{seed}", result=rows[1].result.model_copy(
                update={"recipe": f"b-{seed}", "family": "b", "seeds": (seed,)}))
             for seed in (0, 1)]  # fmt: skip
    (board,) = boards([rows[0], *seeds], against="b-1")
    assert [row.result.method for row in board.rows] == ["a", "b"]
    assert board.rows[0].versus["b"].mean == pytest.approx(-board.rows[1].versus["best"].mean)


def test_only_a_row_with_a_rank_can_be_compared_with(rows):
    failed = rows[1].result.model_copy(update={"status": "failed", "reason": "no memory"})
    for given in ("nowhere", "b"):
        with pytest.raises(UsageError, match="name a run that is done, of a board that is shown"):
            boards([rows[0], replace(rows[1], result=failed)], against=given)


def test_less_can_be_better():
    means = np.stack([10 + NOISE[0], 12 + NOISE[1]])
    assert ranks(means, higher=False) == [(1, 1), (2, 2)]
    assert ranks(means, higher=True) == [(2, 2), (1, 1)]


def test_one_patient_decides_no_rank():
    assert ranks(np.array([[31.0], [30.0]]), higher=True) == [(1, 2), (1, 2)]
    assert smallest_detectable(np.array([[31.0], [30.0]])) is None


def test_many_pairs_want_more_evidence_than_one():
    """Of 40 methods without a difference few pairs seem to differ; none does after Holm."""
    means = np.random.default_rng(1).normal(30, 1, (40, 20))
    assert ranks(means, higher=True) == [(1, 40)] * 40


def test_a_row_without_scores_leaves_the_board_as_it_is(rows):
    bare = Entry("c", rows[0].result.model_copy(update={"method": "c", "recipe": "c"}))
    (board,) = boards([*rows, bare])
    assert {row.ranks for row in board.rows} == {None}
    assert [row.rank for row in board.rows] == [1, 2, 3, 4, 5]


def test_a_patient_with_a_null_has_no_mean(rows):
    broken = [*rows[0].scores[1:], replace(rows[0].scores[0], value=None)]
    assert patient_means(broken, "psnr") is None
    assert patient_means(rows[0].scores, "ssim") is None


def test_scores_are_read_with_their_result_and_a_broken_table_is_named(tmp_path, rows):
    for one in rows:
        (tmp_path / one.folder).mkdir()
        one.result.write(tmp_path / one.folder / "result.json")
        write_scores(tmp_path / one.folder / "scores.csv", list(one.scores))
    found, problems = collect(tmp_path)
    assert (sorted(found, key=lambda e: e.folder), problems) == (rows, [])
    (tmp_path / "b" / "scores.csv").write_text("slice,patient\n1,2\n")
    found, problems = collect(tmp_path)
    assert [one.folder for one in found] == ["a", "bm3d", "noisy"]
    assert "b/scores.csv" in problems[0]


def test_json_and_csv_carry_the_comparison(rows):
    (board,) = boards(rows)
    assert '"versus"' in render.as_json([board])
    assert "versus.bm3d.p" in render.as_csv([board]).splitlines()[0]
