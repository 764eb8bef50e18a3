"""The API in a real Jupyter kernel: the stop button, worker processes, what is shown."""

import json
import os
import subprocess
import sys
from pathlib import Path

FIRST = """
import denoisebench as db

small = dict(data="phantom-8x2x64", task="tiny-task.toml", plugins=["tiny_plugins.py"])
# Ten reports; the stop button comes with the first.
fast = small | dict(loss="l1", batch=2, patch=48, minutes=0.12)
"""


def test_the_stop_button_leaves_a_checkpoint_and_a_kernel_in_which_work_goes_on(here):
    (here / "first_cell.py").write_text(FIRST)
    script = Path(__file__).with_name("in_a_kernel.py")
    environment = {**os.environ, "JUPYTER_PLATFORM_DIRS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    began, stopped, alive, resumed, board, children = json.loads(done.stdout)
    assert began["status"] == alive["status"] == "ok"
    assert (stopped["error"], alive["text"]) == ("KeyboardInterrupt", "42")
    assert "the same call with resume=True goes on" in stopped["says"]
    assert resumed["status"] == "ok", resumed["says"]
    assert "<Run tiny · l1: psnr" in resumed["text"]
    assert board["status"] == "ok", board["says"]
    assert "nlm(h=0.4)" in board["text"]
    assert board["kinds"] == resumed["kinds"] == ["text/markdown", "text/plain"]
    assert children["text"] == "[]"  # the workers have left
