"""A run that is killed again and again ends with the bits of one that is left alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 20
SCRIPT = Path(__file__).with_name("killed_often.py")


@pytest.fixture
def killed(tiny_plugins, tmp_path):
    """Kill a run at random moments, resumed each time: modes of killed_often.py → outcomes."""

    def killed(*modes, kills=KILLS):
        if not hasattr(os, "fork"):
            pytest.skip("sessions are forked")
        command = [sys.executable, SCRIPT, tmp_path, tiny_plugins, kills, *modes]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run([str(word) for word in command], env=environment,
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return killed


def test_a_run_killed_at_20_random_moments_ends_with_the_same_bits(killed):
    for outcome in killed("cgan + l1", "l1"):
        assert outcome.pop("mode")
        # three of four sessions come to a checkpoint; a run that never did would prove nothing
        assert len(outcome.pop("stood at")) >= KILLS / 2
        assert outcome == {
            "killed": KILLS, "same bits": True, "log rises": True, "same validations": True,
        }  # fmt: skip


DEFECTS = {
    "optimiser": "same bits",
    "average": "same validations",  # it forgets within some hundred steps
    "critic": "same bits",
    "step": "same bits",
}


def test_each_defect_of_resuming_is_seen(killed):
    """The same kills against sessions that are broken on purpose."""
    outcomes = killed(*(f"broken:{what}" for what in DEFECTS), kills=8)
    seen = {outcome["mode"].removeprefix("broken:"): outcome for outcome in outcomes}
    assert {what: seen[what][promise] for what, promise in DEFECTS.items()} == dict.fromkeys(
        DEFECTS, False
    )
