import json
from pathlib import Path

import pytest

RUNS = Path(__file__).parents[1] / "board" / "golden" / "runs"
MARKS = {"md": "| method |", "csv": "rank,ranks,board", "tex": "\\toprule",
         "html": "<!doctype html>", "bibtex": "@inproceedings{", "json": '"rows"',
         "table": "method"}  # fmt: skip


@pytest.mark.parametrize("form", MARKS)
def test_boards_are_printed_in_every_format(denoisebench, form):
    answer = denoisebench("leaderboard", str(RUNS), "--format", form)
    assert (answer.code, answer.err) == (0, "")
    assert MARKS[form] in answer.out


@pytest.mark.parametrize("ending", ["md", "csv", "tex", "html", "bib", "json"])
def test_the_ending_of_a_file_says_the_format(denoisebench, tmp_path, ending):
    form = "bibtex" if ending == "bib" else ending
    out = tmp_path / "out" / f"board.{ending}"
    out.parent.mkdir()
    answer = denoisebench("leaderboard", str(RUNS), "--out", str(out))
    assert (answer.code, answer.out) == (0, "")
    assert MARKS[form] in out.read_text(encoding="utf-8")
    assert list(out.parent.iterdir()) == [out]


def test_a_model_card_is_of_one_run(denoisebench):
    answer = denoisebench("leaderboard", str(RUNS / "unet7-l1"), "--format", "model-index")
    assert answer.out.startswith("---\nlibrary_name: denoisebench\n")
    answer = denoisebench("leaderboard", str(RUNS), "--format", "model-index")
    assert (answer.code, answer.out) == (2, "")
    assert "a model card is of one run, here are 9" in answer.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--out", "board.xls"), "board.xls does not say in which format; --format md or csv"),
        (("--out", "board.md", "--format", "table"), "a table is for the terminal"),
        (("--out", "no/such/folder/board.md"), "cannot write no/such/folder/board.md"),
        (("--json", "--format", "csv"), "--json and --format csv are two formats"),
        (("--data", "other"), "no results of other below"),
        (("--against", "nobody"), "no run is called 'nobody'"),
        (("--against", ""), "no run is called ''"),
    ],
)
def test_a_mistake_is_told_in_one_line(denoisebench, given, told):
    answer = denoisebench("leaderboard", str(RUNS), *given)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert told in answer.err


def test_rows_are_held_against_a_run_by_its_name(denoisebench):
    answer = denoisebench("leaderboard", str(RUNS), "--against", "unet7-l1", "--format", "md")
    assert (answer.code, answer.err) == (0, "")
    assert "| minus unet7 · l1 |" in answer.out


def test_what_is_left_out_is_told_beside_the_answer(denoisebench, tmp_path):
    (tmp_path / "good").mkdir()
    (tmp_path / "bad\x1b]0;x\x07").mkdir()
    for name in ("result.json", "scores.csv"):
        (tmp_path / "good" / name).write_bytes((RUNS / "bm3d" / name).read_bytes())
    (tmp_path / "bad\x1b]0;x\x07" / "result.json").write_text("{")
    answer = denoisebench("leaderboard", str(tmp_path), "--format", "csv")
    assert "bad�]0;x�" in answer.err
    assert "\x1b" not in answer.err
    assert (
        len(json.loads(denoisebench("leaderboard", str(tmp_path), "--json").out)["problems"]) == 1
    )
