"""`denoisebench sweep --jobs 2`: several runs at a time, through the command line."""

import json
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.xdist_group("ray")

FAILING = '''
"""A loss that raises."""

from denoisebench import loss


@loss("failing")
def failing(output, target):
    """Fails."""
    raise ValueError("as it was made to")
'''


def test_several_runs_at_a_time_end_on_one_board_and_one_that_fails_costs_no_other(
    plugin, tiny_ct, tiny_task, tmp_path, monkeypatch
):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    failing = tmp_path / "failing_loss.py"
    failing.write_text(FAILING)
    words = ["--gen", "tiny", "--loss", "l1,failing", "--steps", 8, "--batch", 2, "--patch", 32,
             "--jobs", 2, "--plugin", plugin, "--plugin", failing, "--task", tiny_task,
             "--data", tiny_ct, "--out", tmp_path / "runs", "--json"]  # fmt: skip
    command = [sys.executable, "-m", "denoisebench", "sweep", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 1, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {row["method"]: row["status"] for row in rows} == {
        "noisy": "done", "tiny · l1": "done", "tiny · failing": "failed",
    }  # fmt: skip
    *_, failure, totals = done.stderr.splitlines()
    told = r"tiny · failing, seed 0: failed, ValueError: as it was made to \(failing_loss.py, line"
    assert re.match(told, failure), done.stderr
    assert totals.startswith("3 runs: 2 done, 1 failed · ")
    assert "Traceback" not in done.stderr
    assert str(tmp_path) not in done.stdout
    assert len(list((tmp_path / "runs").iterdir())) == 3  # no token is left
