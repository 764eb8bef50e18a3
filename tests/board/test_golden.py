"""A board of fixture results worked by hand (golden/README.md), in all formats, byte for byte."""

import io
import json
import math
import os
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from statistics import fmean, median, stdev

import pytest
from rich.console import Console

from denoisebench.board import render
from denoisebench.board.board import boards, collect
from denoisebench.cli.main import group

GOLDEN = Path(__file__).with_name("golden")
RUNS = GOLDEN / "runs"
RUN = RUNS / "unet7-cgan+l1"
WRITTEN = {
    "board.md": (RUNS, "md"), "board.csv": (RUNS, "csv"), "board.json": (RUNS, "json"),
    "board.tex": (RUNS, "tex"), "board.html": (RUNS, "html"), "papers.bib": (RUNS, "bibtex"),
    "model_card.md": (RUN, "model-index"),
}  # fmt: skip

# Patients' means in dB as in golden/README.md; the seeds of resunet averaged.
PSNR = {
    "resunet · l1": [28.1, 30.1, 32.1, 34.1],
    "bm3d": [27.7, 30.3, 32.3, 33.7],
    "unet7 · l1": [27.1, 28.9, 30.9, 33.1],
    "unet7 · cgan + 100*l1": [25.1, 26.9, 29.1, 30.9],
    "noisy": [13.7, 13.9, 14.1, 14.3],
}
T95, T80 = 3.182446, 0.978472  # quantiles of Student's t, three degrees of freedom, from a table


@pytest.fixture(scope="module")
def board():
    entries, problems = collect(RUNS)
    assert problems == []
    (found,) = boards(entries)
    return found


@pytest.fixture(scope="module")
def rows(board):
    return {row.result.method: row for row in board.rows}


def apart(one: str, other: str) -> list[float]:
    return [ours - theirs for ours, theirs in zip(PSNR[one], PSNR[other], strict=True)]


def error(values: list[float]) -> float:
    return stdev(values) / 2  # √4 patients


def p_value(values: list[float]) -> float:
    """Two-sided, from the closed form of Student's distribution with three degrees of freedom."""
    x = abs(fmean(values)) / error(values) / math.sqrt(3)
    return 1 - 2 / math.pi * (x / (1 + x * x) + math.atan(x))


def test_means_and_intervals_are_those_of_the_patients(rows):
    for method, values in PSNR.items():
        metric = rows[method].result.metrics["psnr"]
        half = T95 * error(values)
        # 1e-5: the table's quantile has seven digits
        assert (metric.mean, metric.lo, metric.hi) == pytest.approx(
            (fmean(values), fmean(values) - half, fmean(values) + half), abs=1e-5
        )
    assert rows["resunet · l1"].result.metrics["psnr"].hi == pytest.approx(31.1 + 4.1085, abs=1e-4)


def test_ranks_are_those_that_holm_leaves_open(rows):
    pairs = list(combinations(PSNR, 2))
    assert len(pairs) == 10
    ordered = sorted((p_value(apart(*pair)), pair) for pair in pairs)
    corrected = {pair: (10 - place) * p for place, (p, pair) in enumerate(ordered)}
    assert [pair for pair, p in corrected.items() if p >= 0.05] == [("resunet · l1", "bm3d")]
    assert corrected["bm3d", "unet7 · l1"] == pytest.approx(0.045, abs=5e-4)
    assert {method: rows[method].ranks for method in PSNR} == {
        "resunet · l1": (1, 2),
        "bm3d": (1, 2),
        "unet7 · l1": (3, 3),
        "unet7 · cgan + 100*l1": (4, 4),
        "noisy": (5, 5),
    }


def test_differences_are_paired(rows):
    versus = {"bm3d": "bm3d", "noisy": "noisy", "best": "resunet · l1", "twin": "unet7 · l1"}
    for method in PSNR:
        for name, found in rows[method].versus.items():
            values = apart(method, versus[name])
            half = T95 * error(values)
            assert found.mean == pytest.approx(fmean(values), abs=1e-9)
            assert (found.low, found.high) == pytest.approx(
                (fmean(values) - half, fmean(values) + half), abs=1e-5
            )
            # 1e-9: the closed form loses what is left of 1
            assert found.p == pytest.approx(p_value(values), abs=1e-9)
            assert found.above == sum(value > 0 for value in values)
    assert set(rows["unet7 · cgan + 100*l1"].versus) == {"noisy", "bm3d", "best", "twin"}


def test_the_detectable_difference_is_the_median_of_the_neighbours(board):
    errors = [error(apart(*pair)) for pair in zip(list(PSNR), list(PSNR)[1:], strict=False)]
    assert board.detectable == pytest.approx((T95 + T80) * median(errors), abs=1e-5)
    assert board.detectable == pytest.approx(0.8408, abs=1e-4)


def test_seeds_are_one_row_with_their_spread(rows):
    row = rows["resunet · l1"]
    assert row.result.seeds == (0, 1)
    assert row.entry.spread["psnr"] == pytest.approx(math.sqrt(0.1**2 + 0.1**2))


def test_what_is_not_done_or_null_has_no_rank(rows):
    assert {m: row.result.status for m, row in rows.items() if row.rank is None} == {
        "dncnn · l1": "diverged",
        "nlm": "partial",
        "redcnn · l1": "unverified",
    }
    assert rows["noisy"].result.metrics["lpips"].mean is None


def write(folder: Path) -> None:
    """Write the board in all formats."""
    for name, (runs, form) in WRITTEN.items():
        given = ["leaderboard", str(runs), "--format", form, "--out", str(folder / name)]
        group.main(given, standalone_mode=False)
    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(render.table(boards(collect(RUNS)[0])))
    (folder / "board.txt").write_text(console.file.getvalue(), encoding="utf-8")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    write(folder)
    return folder


def rounded(text: str) -> str:
    """Nine digits of each number: SciPy's versions differ beyond the twelfth."""
    return re.sub(r"-?\d+\.\d{9,}(e-?\d+)?", lambda found: f"{float(found[0]):.9g}", text)


@pytest.mark.parametrize("name", [*WRITTEN, "board.txt"])
def test_the_board_is_written_as_it_was(written, name):
    golden, found = ((each / name).read_bytes().decode() for each in (GOLDEN, written))
    assert rounded(found) == rounded(golden)


def test_another_process_writes_the_same_bytes(written, tmp_path):
    script = "import sys, test_golden, pathlib; test_golden.write(pathlib.Path(sys.argv[1]))"
    odd = {"PYTHONHASHSEED": "1", "TZ": "Pacific/Chatham", "LC_ALL": "POSIX", "COLUMNS": "40"}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(tmp_path)],
        check=True,
        cwd=Path(__file__).parent,
        env={**os.environ, **odd},
    )
    for name in [*WRITTEN, "board.txt"]:
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes(), name


def test_all_formats_say_the_same_of_a_row(written):
    (row,) = [
        found
        for found in json.loads((written / "board.json").read_text())["rows"]
        if found["method"] == "resunet · l1"
    ]
    assert row["ranks"] == [1, 2]
    assert row["metrics"]["psnr"]["mean"] == pytest.approx(31.1, abs=1e-9)
    for name in ("board.txt", "board.md", "board.tex", "board.html"):
        text = (written / name).read_text(encoding="utf-8")
        assert "31.10" in text
        assert re.search(r"2 seeds, .{,20} 0\.14 dB", text), name


if __name__ == "__main__":
    write(GOLDEN)
