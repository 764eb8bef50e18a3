import pytest

from denoisebench.board.board import boards, collect
from denoisebench.board.page import tables
from denoisebench.board.page.site import Site, kind_of
from denoisebench.plugins.find import find


@pytest.fixture
def build(tmp_path, make_run):
    """The table of a board."""

    def made(what=tables.scores):
        found, _ = collect(tmp_path / "runs")
        site = Site(found, boards(found), (), find())
        people = tables.People(
            lambda row: kind_of(site.entry(row)), lambda row: f"{row.entry.folder}.html"
        )
        return what(site.boards[0], people)

    return made


def test_rows_that_share_ranks_share_a_group(build, make_run):
    make_run("a", "a", 30.0)
    make_run("bb", "b", 30.001)  # a patient's spread is 0.05 dB
    make_run("c", "c", 25.0)
    assert [(line.ranks, line.group) for line in build().lines] == [
        ((1, 2), 1),
        ((1, 2), 1),
        ((3, 3), 2),
    ]


def test_a_row_without_a_rank_says_why_and_has_nothing_to_sort_by(build, make_run):
    make_run("a", "a", 30.0)
    make_run("b", "b", None, status="diverged", reason="the loss is NaN")
    line = build().lines[-1]
    assert (line.ranks, line.status, line.reason) == (None, "diverged", "the loss is NaN")
    assert (line.cells[0].text, line.cells[0].sort) == ("-", None)


def test_a_column_in_which_nothing_stands_is_left_out(build, make_run):
    make_run("a", "a", 30.0, parameters=0)
    assert "parameters" not in [column.name for column in build().columns]
    make_run("b", "b", 31.0)
    assert "parameters" in [column.name for column in build().columns]
    assert len(build().columns) == len(build().lines[0].cells)


def test_the_ranking_metric_has_its_interval(build, make_run):
    make_run("a", "a", 30.0)
    first, second = build().lines[0].cells[:2]
    assert (first.text, first.interval) == ("30.00", "[29.60, 30.40]")
    assert second.interval == ""


def test_differences_are_told_patient_by_patient(build, make_run):
    make_run("a", "a", 30.0)
    make_run("b", "b", 28.0)
    table = build(tables.differences)
    assert [column.name for column in table.columns] == ["minus best"]
    cell = table.lines[1].cells[0]
    assert cell.text.startswith("-2.0")
    assert cell.interval.endswith("higher on 0 of 12")
