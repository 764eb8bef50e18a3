"""What a tracker is told, when, and that none costs a run its result."""

import sys
from contextlib import suppress
from pathlib import Path

import pytest
import recording
from read_back import logged
from small_bench import make_recipe

from denoisebench.errors import UsageError
from denoisebench.scoring.run import Interrupted, run_folder, run_network
from denoisebench.tracking import find_trackers, open_trackers

OURS = "recording:Recording"


@pytest.fixture(autouse=True)
def nothing_recorded(monkeypatch):
    recording.CALLS.clear()
    monkeypatch.setattr(recording.Forgetful, "FAILING", "")


def tracked(bench, recipe, names, notes=None, **settings):
    folder = run_folder(bench, recipe)
    note = pytest.fail if notes is None else notes.append
    with open_trackers(names, recipe, folder, note=note) as trackers:
        result = run_network(bench, recipe, folder, report=trackers.report, **settings)
        trackers.finish(result)
    return result


def said(what: str) -> list[tuple]:
    return [call[1:] for call in recording.CALLS if call[0] == what]


def test_a_tracker_of_ones_own_is_told_beginning_lines_result_and_end(bench, recipe):
    tracked(bench, recipe, [OURS])
    folder = run_folder(bench, recipe)
    assert [call[0] for call in recording.CALLS] == [
        "begin", *["lines"] * len(logged(folder)), "result", "close",
    ]  # fmt: skip
    assert said("begin") == [(recipe.hash, folder)]
    assert [steps for (steps,) in said("lines")] == [[record.step] for record in logged(folder)]
    assert said("result") == [("done", folder / "preview.png")]


def test_an_interrupted_run_is_closed_and_told_whole_when_it_is_resumed(bench, recipe):
    calls = iter(range(100))
    with pytest.raises(Interrupted):
        tracked(bench, recipe, [OURS], stopping=lambda: next(calls) >= 7)
    assert (said("result"), said("close")) == ([], [()])
    assert said("lines")[-1] == ([7],)

    recording.CALLS.clear()
    tracked(bench, recipe, [OURS], resume=True)
    assert said("lines")[0] == ([2, 4, 6, 7, 8],)
    assert [steps for (steps,) in said("lines")[1:]] == [[10], [12], [14], [16], [18], [20]]
    assert said("result")[0][0] == "done"


def test_a_tracker_that_is_asked_for_on_resuming_only_is_told_all(bench, recipe):
    calls = iter(range(100))
    with pytest.raises(Interrupted):
        tracked(bench, recipe, [], stopping=lambda: next(calls) >= 7)
    tracked(bench, recipe, [OURS], resume=True)
    steps = [step for (steps,) in said("lines") for step in steps]
    assert steps == [record.step for record in logged(run_folder(bench, recipe))]


def test_a_diverged_run_is_told_and_closed(bench):
    recipe = make_recipe(bench, loss="late_nan")
    assert tracked(bench, recipe, [OURS]).status == "diverged"
    assert said("result") == [("diverged", None)]
    assert said("close") == [()]


def test_an_error_of_the_run_itself_closes_trackers_and_goes_on(bench, recipe):
    def broken(_):
        raise ZeroDivisionError

    folder = run_folder(bench, recipe)
    with (
        pytest.raises(ZeroDivisionError),
        open_trackers([OURS], recipe, folder, report=broken) as trackers,
    ):
        run_network(bench, recipe, folder, report=trackers.report)
    assert said("close") == [()]


@pytest.mark.parametrize("when", ["begin", "lines", "result", "close"])
def test_a_tracker_that_fails_costs_one_note_and_no_result(bench, recipe, monkeypatch, when):
    monkeypatch.setattr(recording.Forgetful, "FAILING", when)
    notes: list[str] = []
    result = tracked(bench, recipe, ["recording:Forgetful", OURS], notes)
    assert result.status == "done"
    assert notes == [
        f"recording:Forgetful is told nothing more (OSError: no room to {when}); the run goes on"
    ]
    # the other one heard all, and the one that failed was closed
    done = ("done", run_folder(bench, recipe) / "preview.png")
    assert said("result") == [done] * (1 + (when in ("result", "close")))
    assert said("close") == [()] * (1 if when == "begin" else 2)


def test_a_full_disk_costs_tensorboard_and_not_the_run(bench, recipe, small_disk):
    folder = run_folder(bench, recipe)
    folder.mkdir(parents=True)
    (folder / "tensorboard").symlink_to(small_disk, target_is_directory=True)
    notes: list[str] = []

    def fill(record):
        if record.step == 10:
            with suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass

    with open_trackers(
        ["tensorboard", OURS], recipe, folder, report=fill, note=notes.append
    ) as trackers:
        result = run_network(bench, recipe, folder, report=trackers.report)
        trackers.finish(result)
    assert result.status == "done"
    assert len(notes) == 1
    assert "tensorboard is told nothing more (OSError: [Errno 28]" in notes[0]
    assert said("result")[0][0] == "done"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tensorbord", "no tracker named 'tensorbord'; nearest: tensorboard. Trackers: "
                       "tensorboard, wandb, or module:Class"),
        ("nowhere:Tracker", "cannot track with nowhere:Tracker: No module named 'nowhere'"),
        ("recording:Nothing", "cannot track with recording:Nothing: module 'recording' has no"),
        (":Class", "cannot track with :Class: "),
    ],
)  # fmt: skip
def test_what_cannot_track_is_refused(name, told):
    with pytest.raises(UsageError) as refused:
        find_trackers([name])
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(("name", "package"), [("tensorboard", "tensorboard"), ("wandb", "wandb")])
def test_an_absent_package_is_refused_with_what_installs_it(monkeypatch, tmp_path, name, package):
    monkeypatch.chdir(tmp_path)  # whoever tries the README has runs/ beside these tests
    for loaded in [module for module in sys.modules if module.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.delitem(sys.modules, f"denoisebench.tracking.{name}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"pip install 'denoisebench\[trackers\]'") as refused:
        find_trackers([name])
    assert "\n" not in str(refused.value)
    assert not Path("runs").exists()
