"""benchmarks/audit.py in small: discs planted in the phantom are found, and nothing else is."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from denoisebench.plugins.find import find

FILE = Path(__file__).parents[3] / "benchmarks" / "audit.py"


@pytest.fixture(scope="module")
def benchmark_file():
    spec = spec_from_file_location("audit_benchmark", FILE)
    module = module_from_spec(spec)
    sys.modules["audit_benchmark"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found(benchmark_file, faithful, phantom, task):
    return benchmark_file.validate(faithful, phantom, task, find(), seeds=4)


def test_nine_of_ten_planted_discs_are_found_where_the_place_is_known(found):
    for kind in ("fake", "deletion"):
        hits = found.found(kind)
        assert len(hits) >= 7
        assert np.mean(hits) >= 0.9


def test_untouched_places_are_seldom_called_suspicious(found):
    alarms = found.false_alarms()
    assert len(alarms) >= 25
    # 5 % are meant; three standard errors of that many places above it
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(alarms))


def test_ssim_hardly_moves_meanwhile(found):
    # 0.002 is meant for 512 × 512; a disc is four times as much of 256 × 256. PSNR is left to real
    # denoisers: this one errs so little that a disc is most of its error.
    assert max(abs(case.ssim) for case in found.cases) < 4 * 0.002


def test_a_search_everywhere_ranks_slices_with_a_strong_disc_above_those_without(found):
    assert found.area(80.0) > 0.9
    assert found.blind(80.0) >= found.blind(40.0)


def test_planted_discs_at_the_wrong_place_are_found_no_more_than_chance(
    benchmark_file, faithful, phantom, task, monkeypatch
):
    # The disc goes in 25 pixels beside the place at which the map is read.
    drawn = benchmark_file.lesions.drawn

    def beside(shape, planned, task):
        return np.roll(drawn(shape, planned, task), 25, axis=1)

    monkeypatch.setattr(benchmark_file.lesions, "drawn", beside)
    wrong = benchmark_file.validate(faithful, phantom, task, find(), seeds=4)
    hits = [hit for kind in ("fake", "deletion") for hit in wrong.found(kind)]
    # 5 % are meant; three standard errors of that many places above it
    assert np.mean(hits) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(hits))


def test_the_report_states_every_target(benchmark_file, found):
    text = benchmark_file.report("a run", found)
    for word in ("fakes found", "deletions found", "false alarms", "one false place", "PSNR moves"):
        assert word in text
