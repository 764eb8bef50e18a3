from dataclasses import replace

import pytest

from denoisebench.board import render
from denoisebench.board.board import Entry, board_of, boards
from denoisebench.scoring.result import Best, Finding, Health, MetricResult, Score, Verification
from tests.board.test_board import metric, result

PATIENTS = ("p1", "p1", "p2", "p3")  # one has two slices


def run(method, values, seed=0, family=None, twin=None, **changes) -> Entry:
    """A run whose slices have these values; its metric's own mean is of no matter to a family."""
    recipe = f"{method} {seed}"
    scores = tuple(
        Score(slice=f"s{i}", patient=patient, metric="psnr", value=value)
        for i, (patient, value) in enumerate(zip(PATIENTS, values, strict=True))
    )
    means = ((values[0] + values[1]) / 2, values[2], values[3])
    one = result(method, sum(means) / 3, recipe=recipe, family=family, twin=twin, seeds=(seed,),
                 n_slices=4, n_patients=3, **changes)  # fmt: skip
    return Entry(f"{method}-{seed}", one, scores)


@pytest.fixture
def seeds() -> list[Entry]:
    return [
        run("a", (30, 32, 30, 26), seed=0, family="a", train_seconds=10.0),
        run("a", (31, 33, 32, 28), seed=1, family="a", train_seconds=20.0),
        run("b", (20, 20, 20, 20), seed=0, family="b"),
    ]


def test_seeds_of_one_recipe_are_one_row_with_their_mean_and_spread(seeds):
    (board,) = boards(seeds)
    first, second = board.rows
    assert (first.rank, first.result.seeds, first.result.train_seconds) == (1, (0, 1), 15.0)
    # Patients over both seeds: (30 + 32 + 31 + 33) / 4 = 31.5, 31, 27: their mean is 29.8333….
    score = first.result.metrics["psnr"]
    assert score.mean == pytest.approx(89.5 / 3)
    # t(0.975, 2) = 4.302653; their deviation is sqrt(((5/3)² + (7/6)² + (17/6)²) / 2) = 2.466441.
    assert score.lo == pytest.approx(89.5 / 3 - 4.302653 * 2.466441 / 3**0.5, abs=1e-5)
    # The seeds' own means: (31 + 30 + 26) / 3 = 29 and (32 + 32 + 28) / 3 = 30.667.
    assert first.entry.spread["psnr"] == pytest.approx((5 / 3) / 2**0.5)
    assert (second.result.seeds, second.entry.spread) == ((0,), {})


def test_another_device_or_another_family_is_another_row(seeds):
    other = run("a", (30, 32, 30, 26), seed=2, family="a", device="GPU")
    single = run("a", (30, 32, 30, 26), seed=3, family="z")
    (board,) = boards([*seeds, other, single])
    assert sorted(row.result.seeds for row in board.rows) == [(0,), (0, 1), (2,), (3,)]


def test_a_seed_that_diverged_or_fails_verification_stands_alone(seeds):
    bad = result("a", recipe="a 2", family="a", seeds=(2,), metrics={}, n_slices=4,
                 status="diverged", reason="l1 is nan")  # fmt: skip
    again = Verification(recipe="a 1", metric="psnr", reported=30.7, measured=25.0, passed=False,
                         reason="reported 30.7, measured 25.0")  # fmt: skip
    doubtful = replace(seeds[1], verification=again)
    (board,) = boards([seeds[0], doubtful, seeds[2], Entry("a-2", bad)])
    shown = {(row.result.seeds, row.result.status, row.rank) for row in board.rows}
    assert shown == {
        ((0,), "done", 1), ((0,), "done", 2), ((1,), "unverified", None), ((2,), "diverged", None),
    }  # fmt: skip
    assert "a: unverified, reported 30.7, measured 25.0" in render.notes(board)


def test_a_submitted_run_ranks_once_it_is_verified_here(seeds):
    given = replace(seeds[2], submitted=True)
    (board,) = boards([*seeds[:2], given])
    assert [(row.rank, row.result.status) for row in board.rows] == [
        (1, "done"),
        (None, "unverified"),
    ]
    again = Verification(recipe="b 0", metric="psnr", reported=20.0, measured=20.0, passed=True)
    (board,) = boards([*seeds[:2], replace(given, verification=again)])
    assert [row.rank for row in board.rows] == [1, 2]


def test_a_run_that_is_there_twice_counts_once(seeds):
    copy = replace(seeds[0], folder="copy")
    (board,) = boards([*seeds, copy])
    assert sorted(row.result.seeds for row in board.rows) == [(0,), (0,), (0, 1)]


def test_each_seed_is_compared_with_its_own_twin():
    gan = [run("g", (28, 28, 27, 25), 0, "g", twin="t 0"), run("g", (26, 26, 25, 25), 1, "g")]
    twin = [run("t", (30, 30, 30, 30), 0, "t"), run("t", (50, 50, 50, 50), 1, "t")]
    (board,) = boards([*gan, *twin])
    (row,) = [row for row in board.rows if row.result.method == "g"]
    # Only seed 0 names a twin: 28 - 30, 27 - 30, 25 - 30.
    assert row.versus["twin"].mean == pytest.approx(-10 / 3)
    assert (row.versus["twin"].above, row.versus["twin"].patients) == (0, 3)


def test_seeds_that_differ_in_what_the_gan_did_are_told_one_by_one():
    gan = [run("g", (28, 28, 27, 25), 0, "g", twin="t 0"),
           run("g", (49, 49, 49, 49), 1, "g", twin="t 1")]  # fmt: skip
    twin = [run("t", (30, 30, 30, 30), 0, "t"), run("t", (50, 50, 50, 50), 1, "t")]
    (board,) = boards([*gan, *twin])
    (row,) = [row for row in board.rows if row.result.method == "g"]
    assert row.twin_by_seed == pytest.approx((-10 / 3, -1))
    assert row.versus["twin"].mean == pytest.approx(sum(row.twin_by_seed) / 2)
    assert "g: minus twin, seed by seed: -3.33, -1.00 dB" in render.notes(board)
    (found,) = [each for each in render.as_rows([board]) if each["method"] == "g"]
    assert found["twin_by_seed"] == row.twin_by_seed
    (single,) = boards([gan[0], twin[0]])
    assert not any(row.twin_by_seed for row in single.rows)


def test_a_null_of_one_seed_is_a_null_of_the_row(seeds):
    null = {"psnr": metric(None, reason="no weights")}
    scores = tuple(replace(score, value=None) for score in seeds[1].scores)
    broken = replace(
        seeds[1], scores=scores, result=seeds[1].result.model_copy(update={"metrics": null})
    )
    (board,) = boards([seeds[0], broken, seeds[2]])
    (row,) = [row for row in board.rows if row.result.method == "a"]
    assert (row.rank, row.result.metrics["psnr"].mean) == (None, None)
    assert "psnr is missing: no weights" in render.notes(board)


def test_what_was_found_out_about_seeds_is_averaged_where_all_have_it(seeds):
    def column(mean):
        return MetricResult(mean=mean, lo=0.0, hi=1.0, unit="HU", better="lower", version=1, n=1,
                            missing=0)  # fmt: skip

    audits = [Finding(recipe=f"a {i}", columns={"spread": column(2.0 * i)}) for i in (1, 2)]
    health = [
        Health(real_accuracy=1, fake_accuracy=1, saturated=1, gradient_ratio=None,
               output_spread=1, collapsed=reason)
        for reason in (None, "critic won")
    ]  # fmt: skip
    best = Best(step=5, validation_psnr=31.0, metrics={"psnr": metric(32.0)})
    entries = [
        replace(
            entry,
            audit=audit,
            result=entry.result.model_copy(update={"health": state, "best": chosen}),
        )
        for entry, audit, state, chosen in zip(seeds, audits, health, (best, None), strict=False)
    ]
    (board,) = boards([*entries, seeds[2]])
    row = board.rows[0]
    assert row.entry.audit is not None
    assert row.entry.audit.columns["spread"].mean == 3.0
    assert row.entry.audit.columns["spread"].lo is None
    assert row.result.health is not None
    assert row.result.health.collapsed == "critic won"
    assert row.result.best is not None  # 32 of one seed, 30.667 of the other's last weights
    assert row.result.best.metrics["psnr"].mean == pytest.approx((32 + 92 / 3) / 2)
    (board,) = boards([entries[0], seeds[1], seeds[2]])
    assert board.rows[0].entry.audit is None


def test_a_run_finds_its_board_whatever_its_seed(seeds):
    assert board_of(seeds, seeds[1].result).rows[0].result.seeds == (0, 1)
