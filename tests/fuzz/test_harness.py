"""Fuzzing calls a broken product broken, and repeats itself."""

import sys
from random import Random

import pytest
from fuzzing.broken import READERS
from fuzzing.harness import Fuzz
from fuzzing.mutation import mutated
from fuzzing.targets import TARGETS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is watched through /proc")


def tally(name, how, folder, cases=1):
    return Fuzz(name, TARGETS[name], folder, broken=how).run(cases)


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_that_lets_a_traceback_through_fails(name, tmp_path):
    # several cases: a mutant may be refused before the part that is broken
    found = tally(name, "traceback", tmp_path, cases=12 if name == "resume" else 4)
    assert found.failures
    assert all("KeyError: 'Rows'" in failure.reason for failure in found.failures)


def test_every_target_is_broken_in_a_part_of_its_own():
    assert set(READERS) >= set(TARGETS)


@pytest.mark.parametrize(
    ("how", "told"),
    [("hang", "Timeout"), ("sleep", "Timeout"), ("growth", "grew by"), ("abort", "signal 6")],
)
def test_a_case_that_hangs_grows_or_crashes_fails_and_the_rest_goes_on(how, told, tmp_path):
    found = tally("expression", how, tmp_path, cases=2)
    assert found.cases == 2
    assert [told in failure.reason for failure in found.failures] == [True] * 2


def test_a_crash_fails_unless_it_is_a_decoders(tmp_path):
    assert len(tally("dicom", "abort", tmp_path / "own").failures) == 1
    found = tally("dicom", "abort in a decoder", tmp_path / "decoder")
    assert (found.crashed, found.failures) == (1, [])


@pytest.mark.parametrize(
    ("name", "how", "cases"),
    [
        ("dicom", "wrong digest", 20),
        ("expression grammar", "other weight", 60),
        ("board", "hides the others", 2),
    ],
)
def test_an_answer_that_is_wrong_fails(name, how, cases, tmp_path):
    found = tally(name, how, tmp_path, cases)
    assert found.failures
    assert all("AssertionError" in failure.reason for failure in found.failures)


def test_a_failing_input_is_kept_and_can_be_replayed(tmp_path):
    fuzz = Fuzz("manifest", TARGETS["manifest"], tmp_path, seed=3, broken="traceback")
    (first, *_) = fuzz.run(2).failures
    assert first.file.read_bytes() == fuzz.data(first.case)
    (again,) = fuzz.replay(first.file).failures
    assert "KeyError: 'Rows'" in again.reason


def test_a_case_is_a_function_of_seed_and_number(tmp_path):
    seeds = [b"path,split\na,train\n" * 20, bytes(range(256))]
    one, two = ([mutated(Random(f"t/{n}"), seeds) for n in range(50)] for _ in range(2))
    assert one == two
    assert len(set(one)) > 40
