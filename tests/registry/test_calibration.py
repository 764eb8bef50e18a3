"""Every row of the calibration table of benchmarks/calibration.py holds."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from denoisebench.plugins.find import find

FILE = Path(__file__).parents[2] / "benchmarks" / "calibration.py"
DOCS = FILE.parents[1] / "docs" / "metrics.md"


@pytest.fixture(scope="module")
def calibration():
    spec = spec_from_file_location("calibration", FILE)
    module = module_from_spec(spec)
    sys.modules["calibration"] = module
    spec.loader.exec_module(module)
    return module


def test_each_metric_is_near_another_implementation_of_it(calibration):
    found = [calibration.calibrate(row) for row in calibration.rows()]
    far = [
        f"{each.row.metric}, {each.row.library}: {each.apart:.2g} apart"
        for each in found
        if not each.apart <= each.row.tolerance
    ]
    assert far == []
    missing = {each.row.metric: each.missing for each in found if each.missing}
    if missing:
        pytest.skip(f"not all could be compared: {missing}")


def test_each_metric_has_a_row_and_each_tolerance_a_reason(calibration):
    rows = list(calibration.rows())
    named = {row.metric.partition("(")[0] for row in rows}
    built_in = {card.name for card in find().of("metric") if card.origin == "built-in"}
    assert named == built_in
    assert all(row.reason and row.reconciled_by and row.tolerance <= 0.02 for row in rows)


def test_the_docs_name_every_metric_and_show_every_row(calibration):
    text = DOCS.read_text(encoding="utf-8")
    for row in calibration.rows():
        assert f"| `{row.metric}` | {row.slices.__name__} |" in text
        assert f"| {row.library} | {row.reconciled_by} |" in text
    missing = [card.name for card in find().of("metric") if f"`{card.name}`" not in text]
    assert missing == []
