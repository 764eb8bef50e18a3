from importlib.util import find_spec

import pytest

import denoisebench as db


@pytest.fixture
def rows(small) -> list[db.Run]:
    return [db.evaluate(text, **small) for text in ("noisy", "gaussian(width=1.0)")]


def test_a_board_ranks_what_it_is_given_or_finds(rows):
    noisy, blurred = rows
    for given in ((), ("runs",), (noisy, blurred), ("runs", noisy)):
        board = db.leaderboard(*given)
        assert [row.result.method for row in board.rows] == [blurred.result.method, "noisy"]
        assert [row.rank for row in board.rows] == [1, 2]
    assert len(board) == 2
    assert board.ranked_by == "psnr"
    assert board.rows[0].result.metrics["psnr"].mean == blurred.psnr
    assert len(db.leaderboard(noisy)) == 1


def test_rows_are_held_against_the_run_that_is_given(rows):
    noisy, blurred = rows
    for given in (blurred, blurred.folder, str(blurred.folder)):
        board = db.leaderboard(against=given)
        assert blurred.result.method in board.rows[1].versus
        assert blurred.result.method not in board.rows[0].versus
    with pytest.raises(db.UsageError, match="no folder 'nowhere'"):
        db.leaderboard(against="nowhere")
    with pytest.raises(db.UsageError, match="name a run that is done, of a board that is shown"):
        db.leaderboard(noisy, against=blurred)


def test_its_formats_are_those_of_the_command_line(rows, cli):
    board = db.leaderboard()
    written = {"md": board.to_markdown(), "csv": board.to_csv(), "json": board.to_json(),
               "html": board.to_html(), "tex": board.to_latex()}  # fmt: skip
    for form, text in written.items():
        assert cli("leaderboard", "--format", form)[1] == text.encode()


def test_a_board_is_a_table_where_it_is_shown(rows):
    board = db.leaderboard()
    assert "gaussian" in repr(board)
    shown = board._repr_markdown_()
    assert "| noisy |" in shown
    assert shown.count("| method |") == 1  # costs are in the text, and in to_markdown
    assert board.to_markdown().count("| method |") > 1
    assert any("95 % interval" in note for note in board.notes)


def test_several_boards_are_told_apart_by_task_and_data(rows, small):
    db.evaluate("noisy", **small | {"data": "phantom-4x2x64"})
    with pytest.raises(db.UsageError, match=r"several boards: tiny-task on phantom-.*choose one"):
        db.leaderboard()
    assert len(db.leaderboard(data="phantom-4x2x64")) == 1
    with pytest.raises(db.UsageError, match="no results of other below 'runs'; there are: tiny-"):
        db.leaderboard(task="other")


def test_where_there_is_nothing_it_says_what_the_command_line_says(cli):
    with pytest.raises(db.UsageError) as error:
        db.leaderboard("nowhere")
    assert cli("leaderboard", "nowhere")[2].decode() == f"Error: {error.value}\n"


def test_pandas_is_used_where_it_is_and_not_needed(rows):
    if find_spec("pandas"):
        assert list(db.leaderboard().to_pandas()["method"]) == ["gaussian(width=1)", "noisy"]
    else:
        with pytest.raises(db.Unavailable, match="pip install pandas"):
            db.leaderboard().to_pandas()
