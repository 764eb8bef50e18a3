import pytest

from denoisebench.errors import UsageError
from denoisebench.home import registry_folder
from denoisebench.plugins.find import find
from denoisebench.scoring.opened import find_run, open_run
from denoisebench.scoring.result import Result


def write(folder, recipe="abc123", **changes):
    folder.mkdir(parents=True)
    values = {
        "method": "noisy", "kind": "baseline", "task": "ct-sigma50", "task_version": 1, "data": "p",
        "data_digest": "d", "split_digest": "s", "recipe": recipe, "n_slices": 1, "n_patients": 1,
        "parameters": 0, "device": "CPU", "status": "done",
    }  # fmt: skip
    Result(**{**values, **changes}).write(folder / "result.json")


def test_a_run_is_found_by_path_by_name_and_by_hash(tmp_path):
    write(tmp_path / "one", "abc123")
    write(tmp_path / "deep" / "two", "abd456")
    assert find_run(str(tmp_path / "one"), tmp_path / "elsewhere") == tmp_path / "one"
    assert find_run("two", tmp_path) == tmp_path / "deep" / "two"
    assert find_run("abc", tmp_path) == tmp_path / "one"


def test_a_name_does_without_its_hash_where_it_is_the_only_one(tmp_path):
    for folder, recipe in (("unet7-l1-abc123", "abc123"), ("unet7-lsgan+l1-abd456", "abd456")):
        write(tmp_path / folder, recipe)
    assert find_run("unet7-l1", tmp_path) == tmp_path / "unet7-l1-abc123"
    with pytest.raises(UsageError, match="no run"):
        find_run("unet7", tmp_path)
    write(tmp_path / "unet7-l1-abe789", "abe789")
    with pytest.raises(UsageError, match=r"2 runs are called 'unet7-l1'.*abc123, unet7-l1-abe789"):
        find_run("unet7-l1", tmp_path)


def test_a_run_that_cannot_be_read_does_not_hide_the_others(tmp_path):
    write(tmp_path / "one", "abc123")
    write(tmp_path / "two", "abd456")
    (tmp_path / "two" / "result.json").write_text("{")
    assert find_run("abc", tmp_path) == tmp_path / "one"


@pytest.mark.parametrize(("name", "told"), [("ab", "2 runs"), ("x", "no run"), ("", "no run")])
def test_what_names_no_run_or_several_is_refused_with_those_there_are(tmp_path, name, told):
    write(tmp_path / "one", "abc123")
    write(tmp_path / "two", "abd456")
    with pytest.raises(UsageError, match=f"{told}.*one, two"):
        find_run(name, tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": "diverged", "reason": "l1 is nan"}, "diverged"),
        ({"task_version": 99}, "v99"),
        ({"method": "no_such"}, "no baseline named"),
        ({"kind": "network", "method": "unet7 · l1"}, "recipe.toml"),
    ],
)
def test_a_run_that_cannot_be_opened_says_why(tmp_path, changes, told):
    write(tmp_path / "run", **changes)
    with pytest.raises(UsageError, match=told):
        open_run(tmp_path / "run", find(()))


def test_a_run_under_a_task_file_wants_that_file(tmp_path):
    text = (registry_folder() / "tasks" / "ct-sigma50.toml").read_text(encoding="utf-8")
    task = tmp_path / "own.toml"
    task.write_text(text.replace('name = "ct-sigma50"', 'name = "own"'), encoding="utf-8")
    write(tmp_path / "run", task="own")
    with pytest.raises(UsageError, match="--task"):
        open_run(tmp_path / "run", find(()))
    assert open_run(tmp_path / "run", find(()), str(task)).task.name == "own"
    with pytest.raises(UsageError, match="under own v1, this is ct-sigma50 v1"):
        open_run(tmp_path / "run", find(()), "ct-sigma50")
