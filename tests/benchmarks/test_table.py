"""The table of ratios says of each target whether it is met."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import table

PROGRAM = str(Path(table.__file__))


def found(*extra_infos: dict) -> dict:
    """A file of pytest-benchmark's, as far as the table reads it."""
    return {
        "machine_info": {
            "cpu": {"brand_raw": "A CPU 9000"}, "cores": 2, "threads": 2, "node": "a-host",
            "python_version": "3.11.7", "torch": "2.13.0", "numpy": "2.4.6",
        },
        "commit_info": {"id": "0123456789abcdef", "dirty": False},
        "datetime": "2026-01-02T03:04:05+00:00",
        "benchmarks": [
            {"name": f"test_a_thing[case {number}]", "extra_info": extra, "stats": {"median": 0.25}}
            for number, extra in enumerate(extra_infos)
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ratio", "at_most", "met"),
    [(1.02, True, True), (1.04, True, False), (1.02, False, False), (1.04, False, True),
     (float("nan"), True, False), (None, True, False)],
)  # fmt: skip
def test_a_target_is_met_on_its_own_side(ratio, at_most, met):
    (row,) = table.rows(found({"ratio": ratio, "target": 1.03, "at_most": at_most}))
    assert row.met is met


def test_without_a_target_nothing_is_met_or_missed():
    assert [row.met for row in table.rows(found({"ratio": 2.0}, {}))] == [None, None]


@pytest.mark.parametrize(("ratio", "code"), [(1.5, 0), (0.5, 1)])
def test_a_miss_is_said_and_with_strict_ends_with_1(tmp_path, ratio, code):
    file = tmp_path / "found.json"
    file.write_text(json.dumps(found({"ratio": ratio, "target": 1.1, "beside": "a peer"})))
    for strict, expected in ([], 0), (["--strict"], code):
        run = subprocess.run(
            [sys.executable, PROGRAM, str(file), *strict], capture_output=True, text=True
        )
        assert run.returncode == expected, run.stderr
        assert ("missed: a thing: case 0: 0.500, at least 1.1" in run.stdout) == bool(code)
        assert "A CPU 9000, 2 cores" in run.stdout
        assert "a-host" not in run.stdout
        assert "250 ms" in run.stdout


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.5049, "2.50 s"), (0.0123, "12.3 ms"), (4.5e-6, "4.50 µs"), (123.4, "123 s"), (0.0, "0 µs")],
)
def test_durations_have_three_digits_and_a_unit(seconds, text):
    assert table.duration(seconds) == text
