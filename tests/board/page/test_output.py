import json
from pathlib import Path

import pytest

from denoisebench.board.page.output import Output, refuse
from denoisebench.errors import UsageError


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="holds no page of denoisebench"):
        Output(tmp_path).open()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("mark", ["[]", "{", '{"made_by": "me"}', "[" * 100_000])
def test_a_mark_that_is_not_ours_is_no_mark(tmp_path, mark):
    (tmp_path / "page.json").write_text(mark)
    with pytest.raises(UsageError):
        refuse(tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "page").touch()
    with pytest.raises(UsageError, match="is a file"):
        refuse(tmp_path / "page")


def test_what_an_earlier_page_left_goes_and_what_is_the_users_stays(tmp_path):
    first = Output(tmp_path)
    first.open()
    for name in ("index.html", "compare-board-1.html", "pictures/board-1/a/clean.js"):
        first.write(name, "old")
    first.finish()
    (tmp_path / "CNAME").write_text("example.org")
    second = Output(tmp_path)
    second.open()
    second.write("index.html", "new")
    second.finish()
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {"index.html", "page.json", "CNAME"}


def test_letters_that_utf8_lacks_do_not_stop_a_page(tmp_path):
    output = Output(tmp_path / "page")
    output.open()
    output.write("index.html", "a\ud800b")
    assert Path(tmp_path / "page/index.html").read_text(encoding="utf-8") == "a?b"
    assert json.loads((tmp_path / "page/page.json").read_text())["made_by"]
