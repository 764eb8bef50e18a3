"""Built-ins, packages, folders and files take one path, and finding imports none of them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from denoisebench.errors import UsageError
from denoisebench.plugins.find import Catalogue, find, nearest, plural

Write = Callable[..., Path]

LOUD = """
    from denoisebench import loss
    raise SystemExit("this file was run")

    @loss("{name}"{facts})
    def {name}(output, target):
        "A loss."
    """


def loud(name: str, facts: str = "") -> str:
    """The source of a loss that cannot be run unnoticed."""
    return LOUD.format(name=name, facts=facts)


@pytest.fixture
def install(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make a folder look like an installed package that announces plug-ins."""

    def install_(value: str, name: str = "some-denoisers") -> None:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        write(f"site/{name.replace('-', '_')}-1.0.dist-info/METADATA", metadata)
        points = f"[denoisebench.plugins]\nmine = {value}\n"
        write(f"site/{name.replace('-', '_')}-1.0.dist-info/entry_points.txt", points)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))

    return install_


def test_built_ins_are_found_with_their_modules() -> None:
    catalogue = find()
    assert not catalogue.problems
    assert catalogue.cards
    for card in catalogue.cards:
        folder = plural(card.kind)
        assert card.module == f"denoisebench.registry.{folder}.{card.name}", card.path
        assert card.origin == "built-in"
        assert card.path.stem == card.name


def test_finding_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from denoisebench.plugins.find import find\n"
        "print(len(find().cards), 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    count, torch, numpy = answer.stdout.split()
    assert int(count) > 0
    assert (torch, numpy) == ("False", "False")


def test_a_named_file_a_folder_and_a_package_take_one_path(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Callable[..., None]
) -> None:
    named = write("my_loss.py", loud("my_loss"))
    write("folder/sub/in_folder.py", loud("in_folder"))
    write("site/some/__init__.py", "raise SystemExit('this file was run')")
    write("site/some/plugins/__init__.py", "raise SystemExit('this file was run')")
    write("site/some/plugins/losses/in_package.py", loud("in_package"))
    install("some.plugins")
    monkeypatch.setenv("DENOISEBENCH_PLUGINS", f"{os.pathsep}{tmp_path / 'folder'}")
    catalogue = find([named])
    found = {card.name: (card.origin, card.module) for card in catalogue.of("loss")}
    assert found["my_loss"] == ("file", None)
    assert found["in_folder"] == ("folder", None)
    assert found["in_package"] == ("package some-denoisers", "some.plugins.losses.in_package")
    assert "some" not in sys.modules


def test_an_entry_point_may_be_a_single_module(write: Write, install: Callable[..., None]) -> None:
    write("site/single.py", loud("alone"))
    install("single:anything")
    assert find().get("loss", "alone").module == "single"


def test_an_entry_point_may_stand_in_a_namespace(
    write: Write, install: Callable[..., None]
) -> None:
    write("site/spaces/inner/deep/alone.py", loud("alone"))
    install("spaces.inner")
    assert find().get("loss", "alone").module == "spaces.inner.deep.alone"


@pytest.mark.parametrize("value", ["nowhere", "nowhere.inner", "json.nowhere", "sys", "os.path.x"])
def test_an_entry_point_that_leads_nowhere_breaks_nothing(
    install: Callable[..., None], value: str
) -> None:
    built_ins = find().cards
    install(value)
    catalogue = find()
    assert catalogue.cards == built_ins
    (problem,) = catalogue.problems
    assert "package some-denoisers" in problem.reason


def test_private_hidden_and_test_files_are_no_plugins(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = ["_a.py", ".b.py", "test_c.py", "_d/e.py", ".f/g.py", "__pycache__/h.py", "i.txt"]
    for number, place in enumerate(places):
        write(f"folder/{place}", loud(f"private{number}"))
    (tmp_path / "folder" / "loop").symlink_to(tmp_path / "folder")
    monkeypatch.setenv("DENOISEBENCH_PLUGINS", str(tmp_path / "folder"))
    assert not [card for card in find().cards if card.name.startswith("private")]


def test_a_bad_file_in_a_folder_is_a_problem_with_its_reason(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = write("folder/bad.py", "from denoisebench import loss\n@loss(\n")
    write("folder/good.py", loud("good"))
    (tmp_path / "folder" / "pipe.py").mkdir()
    monkeypatch.setenv("DENOISEBENCH_PLUGINS", f"{tmp_path / 'folder'}{os.pathsep}/no/such/folder")
    catalogue = find()
    assert catalogue.get("loss", "good")
    assert [problem.path for problem in catalogue.problems] == [bad, Path("/no/such/folder")]
    assert "line 2" in catalogue.problems[0].reason
    assert "is not a folder" in catalogue.problems[1].reason
    with pytest.raises(UsageError, match="no loss named 'bad': its file cannot be read"):
        catalogue.get("loss", "bad")


def test_a_named_file_has_to_hold_a_plugin(write: Write, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.py does not exist"):
        find([tmp_path / "none.py"])
    with pytest.raises(UsageError, match="holds no plug-in; mark a function"):
        find([write("empty.py", "import denoisebench")])
    with pytest.raises(UsageError, match="line 1"):
        find([write("bad.py", "denoisebench = (")])


def test_two_plugins_with_one_name_are_refused_by_both_files(write: Write) -> None:
    one, other = write("one.py", loud("same")), write("other.py", loud("same"))
    with pytest.raises(UsageError) as caught:
        find([one, other])
    message = str(caught.value)
    assert f"{one}, line 5" in message
    assert f"{other}, line 5" in message
    assert "override=True" in message


def test_one_name_may_serve_two_kinds(write: Write) -> None:
    path = write(
        "l1.py",
        "from denoisebench import metric\n@metric('l1', better='lower')\n"
        "def l1(output, target): ...",
    )
    catalogue = find([path])
    assert catalogue.get("metric", "l1").path == path
    assert catalogue.get("loss", "l1").origin == "built-in"


def test_the_later_may_override(write: Write) -> None:
    path = write("mine.py", loud("l1", ", override=True"))
    catalogue = find([path])
    assert catalogue.get("loss", "l1").path == path
    assert [card.name for card in catalogue.of("loss")].count("l1") == 1
    first = write("first.py", loud("fresh", ", override=True"))
    second = write("second.py", loud("fresh"))
    with pytest.raises(UsageError, match="two losses are named 'fresh'"):
        find([first, second])


def test_a_file_named_twice_is_read_once(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("folder/mine.py", loud("mine"))
    monkeypatch.setenv("DENOISEBENCH_PLUGINS", str(path.parent))
    monkeypatch.chdir(tmp_path)
    assert len([c for c in find([path, Path("folder/mine.py")]).cards if c.name == "mine"]) == 1


def test_nothing_in_the_current_folder_is_found(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("evil.py", loud("evil"))
    write("denoisebench/__init__.py", "raise SystemExit('this file was run')")
    write("denoisebench/registry/__init__.py", "")
    write("denoisebench/registry/losses/evil.py", loud("evil"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # as `python -m` does
    monkeypatch.setenv("DENOISEBENCH_PLUGINS", "")
    assert not [card for card in find().cards if card.name == "evil"]


def test_an_empty_catalogue_still_answers() -> None:
    with pytest.raises(
        UsageError, match=r"no loss named 'l1'\. All losses: denoisebench list losses"
    ):
        Catalogue(()).get("loss", "l1")
    assert nearest("L11", ["l1"]) == "l1"
    assert nearest("x", []) == ""
