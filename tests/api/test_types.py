"""What a user's type checker makes of the API."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import numpy as np
from torch import nn

import denoisebench as db
from denoisebench import Leaderboard, Run

run: Run = db.train("unet7", loss="cgan+l1", data="phantom", minutes=1.0)
psnr: float | None = run.psnr
low: float | None = run.metrics["psnr"].lo
values: list[float | None] = [score.value for score in run.scores]
network: nn.Module = run.generator()
image = run.denoise(np.zeros((8, 8)))
mine: Run = db.evaluate(nn.Identity(), input="unit")
board: Leaderboard = db.leaderboard(run, mine, "runs")
first: int | None = board.rows[0].rank
names: list[str] = [card.name for card in db.list("generator")]
"""
WRONG = """
db.train("unet7", steps="many")
db.evaluate(nn.Identity(), input="uint8")
run.psrn
"""


@pytest.mark.slow  # it reads torch's types: a minute
def test_a_users_script_is_checked_against_the_installed_package(tmp_path):
    (tmp_path / "right.py").write_text(SCRIPT)
    (tmp_path / "wrong.py").write_text(SCRIPT + WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports", "silent"]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}  # mypy does not see editable installs
    told = subprocess.run([*command, "right.py", "wrong.py"], cwd=tmp_path, env=environment,
                          capture_output=True, text=True).stdout  # fmt: skip
    errors = [line for line in told.splitlines() if ": error: " in line]
    assert [line.partition(":")[0] for line in errors] == ["wrong.py"] * 3, told
    for word, line in zip(('"steps"', '"input"', '"psrn"'), errors, strict=True):
        assert word in line
