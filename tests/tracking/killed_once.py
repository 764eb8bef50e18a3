"""Train, be killed after a line of the log that no checkpoint knows, resume: see test_resumed.py.

    python killed_once.py FOLDER BROKEN

Sessions are forked from one process that has imported torch once. A checkpoint is written up to
step 7 and the kill comes with the line of step 14. The killed run is resumed in FOLDER, and its
copy in BROKEN by a session with a defect: it tells trackers nothing of the lines before its own.
"""

import math
import os
import shutil
import signal
import sys
from pathlib import Path

import wandb  # noqa: F401, imported once for all sessions
from small_bench import make_bench, make_recipe

from denoisebench import tracking
from denoisebench.scoring.run import run_folder, run_network
from denoisebench.training import checkpoint, loop

NAMES = ("tensorboard", "wandb")
KNOWN, KILLED = 7, 14


def session(folder: Path, *, killed: bool = False, silent: bool = False) -> int:
    """Fork a session, and return its status when it has ended."""
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    try:
        train(folder, killed, silent)
        os._exit(0)
    except BaseException as error:
        os.write(2, repr(error).encode())
    finally:
        os._exit(1)


def train(folder: Path, killed: bool, silent: bool) -> None:
    loop.CHECKPOINT_SECONDS, loop.CHECKPOINT_SHARE = 0.0, math.inf
    really = checkpoint.save

    def save(path, state):
        if not killed or state["step"] <= KNOWN:
            really(path, state)

    checkpoint.save = save
    bench = make_bench(folder)
    recipe = make_recipe(bench)
    place = run_folder(bench, recipe)
    with tracking.open_trackers(NAMES, recipe, place, note=sys.exit) as trackers:
        trackers._told_earlier_lines = silent

        def report(record):
            trackers.report(record)
            if killed and record.step == KILLED:
                os.kill(os.getpid(), signal.SIGKILL)

        resume = (place / "checkpoint.pt").exists()
        trackers.finish(run_network(bench, recipe, place, resume=resume, report=report))


def main(folder: Path, broken: Path) -> None:
    if session(folder, killed=True) != signal.SIGKILL:
        sys.exit("the first session was not killed")
    shutil.copytree(folder, broken)
    if session(folder) or session(broken, silent=True):
        sys.exit("a resumed session failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
