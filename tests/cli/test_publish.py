import shutil
from pathlib import Path

import pytest

FAST = ("--batch", 2, "--patch", 32, "--steps", 3)


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Where the runs stand that all tests here publish."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def scored(denoisebench, plugin, tiny_ct, kept, tmp_path):
    """A trained network and its references, on a folder of patients."""
    places = {"runs": Path("runs"), "home": tmp_path / "home"}
    if not (kept / "runs").exists():
        given = ("--gen", "tiny", "--loss", "l1", "--plugin", plugin, "--data", tiny_ct)
        assert denoisebench("run", *given, *FAST).code == 0
        for name, place in places.items():
            shutil.copytree(place, kept / name)
    for name, place in places.items():
        shutil.copytree(kept / name, place, dirs_exist_ok=True)
    return lambda *more: denoisebench("publish", "page", "--plugin", plugin, *more)


def test_a_page_shows_board_runs_and_pictures(scored, tiny_ct):
    answer = scored("--data", tiny_ct, "--pictures", "--slices", 2)
    assert (answer.code, answer.out) == (0, "page/index.html\n")
    assert "the page holds pictures of patients' slices" in answer.err
    assert "tiny · l1" in Path("page/index.html").read_text()
    assert len(list(Path("page/runs").glob("*.html"))) == 3
    slices = list(Path("page/pictures/board-1").iterdir())
    assert len(slices) == 2
    names = {path.stem.rsplit("-", 1)[0] for path in slices[0].iterdir()}
    assert names == {"clean", "noisy", "bm3d", "tiny-l1"}
    first = {path: path.read_bytes() for path in Path("page").rglob("*") if path.is_file()}
    assert scored("--data", tiny_ct, "--pictures", "--slices", 2).code == 0
    assert first == {p: p.read_bytes() for p in Path("page").rglob("*") if p.is_file()}


def test_pictures_of_patients_are_made_only_where_they_are_asked_for(scored, tiny_ct):
    refused = scored("--data", tiny_ct)
    assert refused.code == 2
    assert "add --pictures" in refused.err
    assert not Path("page").exists()
    assert scored().code == 0
    assert not Path("page/pictures").exists()
    assert "no pictures of this board" in Path("page/index.html").read_text()


def test_pictures_go_with_the_page_that_had_them(scored, tiny_ct):
    assert scored("--data", tiny_ct, "--pictures").code == 0
    assert Path("page/pictures").exists()
    assert scored().code == 0
    assert not Path("page/pictures").exists()
    assert not Path("page/compare-board-1.html").exists()


def test_other_data_give_a_page_without_pictures(scored, tiny_ct, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tiny_ct, other)
    shutil.rmtree(other / "patient0")
    answer = scored("--data", other, "--pictures")
    assert answer.code == 0
    assert "no pictures: folder-" in answer.err
    assert not Path("page/pictures").exists()


def test_nothing_of_a_patient_is_on_the_page_but_pictures(scored, tiny_ct):
    scored("--data", tiny_ct, "--pictures")
    for path in Path("page").rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert "tiny_ct" not in text
            assert str(Path.home()) not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("page", "--runs", "nowhere"), "no folder 'nowhere'"),
        (("page", "--runs", "."), "no results below"),
        (("mine", "--runs", "."), "'mine' is not empty and holds no page"),
        (("page", "--slices", "0"), "0 is not in the range"),
    ],
)
def test_a_mistake_is_told_in_a_line_and_writes_nothing(denoisebench, words, said):
    Path("mine").mkdir()
    Path("mine/file").touch()
    answer = denoisebench("publish", *words)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert not Path("page").exists()
