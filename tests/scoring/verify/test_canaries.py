"""Cheats that gain decibels by a trusting scorer gain nothing under verify."""

import pytest

NOISE, KNOWN, BOOKS = "under fresh noise", "it knows them", "not that of scores.csv"
FOOLED = {  # name → decibels that a trusting scorer gives, at least; and what verify finds
    "1 reads the target from disk": (5, NOISE),
    "2 has the test split in its weights": (5, KNOWN),
    "3 looks up the digest of the noisy pixels": (5, NOISE),
    "4 edits result.json": (5, BOOKS),
    "4 edits scores.csv and result.json": (5, NOISE),
    "5 subtracts the public noise": (5, NOISE),
    "6 replaces the metric unless watched": (5, NOISE),
    "7 averages copies of a slice": (1, NOISE),
    "8 answers an array that lies": (5, NOISE),
    "9 draws the phantom": (5, KNOWN),
    "10 undoes what it knows of the alteration": (5, KNOWN),
}
NO_SLICE = {
    "8 answers NaN",  # test_box.py has these without a network
    "8 answers another shape",
    "8 answers more than it was asked",
}


@pytest.fixture(scope="module")
def base(canaries, patients, tmp_path_factory):
    from denoisebench.task import load_task

    task = load_task("ct-sigma50").model_copy(update={"metrics": ("psnr",)})
    folder = tmp_path_factory.mktemp("base")
    return canaries.honest(canaries.Stage(patients, task, folder, folder))


@pytest.mark.parametrize("name", FOOLED)
def test_a_cheat_that_fools_a_trusting_scorer_is_unverified(canaries, stage, base, name):
    least, reason = FOOLED[name]
    found = canaries.play(stage, name, base)
    assert found.naive - found.honest > least  # the control: the cheat works
    assert not found.verification.passed
    details = found.verification.details
    if name.startswith("1 ") and not details["confined"]:
        reason = KNOWN  # without Landlock it reads the targets, but not those that were altered
    assert reason in found.verification.reason
    if reason is KNOWN:  # fresh noise alone would have let it through
        assert details["metrics"]["psnr"]["passed"]


def test_a_pickle_on_the_pipe_is_not_opened(canaries, stage, base):
    found = canaries.play(stage, "8 answers a pickle", base)
    assert found.naive == "code runs"  # the control: where it is unpickled, it runs
    assert "ended before its answer" in found.verification.reason


def test_an_honest_run_is_verified_though_its_files_hold_code(canaries, stage):
    """The other half of the controls: what the cheats fall back to is good enough to pass."""
    folder = canaries.write_run(stage, "answers_otherwise", 'answers_otherwise(how="honest")')
    evil = f"from pathlib import Path\nPath({str(folder / 'ran')!r}).touch()\n"
    (folder / "sitecustomize.py").write_text(evil)
    (folder / "registry.py").write_text(evil)
    found = canaries.verified(stage, folder, "answers_otherwise")
    assert found.passed, found.reason
    assert not (folder / "ran").exists()
    assert found.measured == pytest.approx(found.reported, abs=0.05)  # dB: what verify allows


def test_every_cheat_is_held_to_something(canaries):
    assert set(canaries.CANARIES) == {*FOOLED, *NO_SLICE, "8 answers a pickle"}
    assert {name[0] for name in canaries.CANARIES} >= set("12345678")
