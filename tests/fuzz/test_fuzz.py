"""5,000 mutants: each is answered by a result or by one of our own errors.

The same for 100,000 is `python benchmarks/fuzz.py --cases 100000`.
"""

import sys

import pytest
from fuzzing.harness import Fuzz
from fuzzing.targets import TARGETS, shared_out

CASES = 5000
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is watched through /proc")


@pytest.mark.parametrize("name", TARGETS)
def test_every_mutant_is_answered(name, tmp_path, record_property):
    target, cases = TARGETS[name], shared_out(CASES)[name]
    tally = Fuzz(name, target, tmp_path).run(cases // target.files)
    told = (
        f"{tally.cases:,} cases of {name}: {tally.results:,} results, {tally.refused:,} refused, "
        f"{tally.crashed} crashes of isolated decoders, slowest {tally.seconds:.2f} s, "
        f"growth {tally.growth >> 20} MiB"
    )
    record_property("fuzz", told)
    sys.stdout.write(told + "\n")
    assert not tally.failures, "\n\n".join(f"{one.file}\n{one.reason}" for one in tally.failures)
    assert tally.cases == cases
    assert tally.results
    assert tally.refused or target.files > 1  # a folder answers by file


def test_the_cases_are_shared_out_to_the_last():
    counts = shared_out(CASES)
    assert sum(counts.values()) == CASES
    assert set(counts) == set(TARGETS)
    assert min(counts.values()) >= 4
