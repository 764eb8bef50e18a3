"""Train while being killed: run by test_killed.py in a process of its own.

    python killed_often.py FOLDER PLUGINS KILLS MODE…

Sessions are forked from one process that has imported torch once, and killed by SIGKILL at random
moments: every fourth soon after its start, the others soon after a checkpoint of their own. A mode
is a loss expression, or `broken:WHAT`: the same with a defect in resuming. Prints JSON, a line a
mode.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from conftest import smooth_slices

from denoisebench.data.dataset import DataSet
from denoisebench.plugins.find import find
from denoisebench.task import load_task
from denoisebench.training import checkpoint, loop
from denoisebench.training.recipe import plan

CPU, STEPS, LONGEST_SECONDS = torch.device("cpu"), 300, 0.03


def break_resuming(what: str) -> None:
    """Plant a defect into what a resumed session does."""
    really = checkpoint.load

    def load(path: Path, device: torch.device) -> dict:
        state = really(path, device)
        if path.name in (checkpoint.BEST, checkpoint.NEXT_BEST):
            return state
        if what == "optimiser":
            for optimiser in state["optimisers"]:
                optimiser["state"] = {}
        elif what == "average":
            state["averaged"] = state["generator"]
        elif what == "critic":
            state["critic"] = {name: value * 1.001 for name, value in state["critic"].items()}
        elif what == "step":
            state["step"] += 1
        return state

    checkpoint.load = load


def begin(loss: str, folder: Path, plugins: Path, broken: str | None) -> int:
    """Fork a session, which trains to the end unless it is killed; return its number."""
    child = os.fork()
    if child:
        return child
    try:
        loop.CHECKPOINT_SECONDS, loop.CHECKPOINT_SHARE, loop.VALIDATIONS = 0.02, 1e9, 60
        if broken:
            break_resuming(broken)
        catalogue, task = find([plugins]), load_task("ct-sigma50")
        dataset = DataSet(name="discs", train=smooth_slices("train", 7),
                          val=smooth_slices("val", 1), test=smooth_slices("test", 4))  # fmt: skip
        critic = {"discriminator": "tinycritic"} if "gan" in loss else {}
        recipe = plan(catalogue, generator="tiny", loss=loss, steps=STEPS, batch=2, patch=16,
                      learning_rate=1e-3, **critic).recipe(task, dataset)  # fmt: skip
        loop.train(recipe, dataset, task, catalogue, folder, device=CPU,
                   resume=(folder / "checkpoint.pt").exists(), stopping=breathe)  # fmt: skip
        os._exit(0)
    finally:
        os._exit(1)


def breathe() -> bool:
    """Take 2 ms a step at least, so that a fast machine leaves time for every kill."""
    time.sleep(0.002)
    return False


def over(child: int) -> bool:
    """Whether a session has ended; it is still to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def ended(child: int) -> bool:
    """Wait for a session's end; whether it ended by itself and well."""
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("a session failed")
    return os.WIFEXITED(status)


def stamp(folder: Path) -> int:
    """When the checkpoint was written."""
    path = folder / "checkpoint.pt"
    return path.stat().st_mtime_ns if path.exists() else 0


def step_of(folder: Path) -> int:
    """At which step the checkpoint stands."""
    path = folder / "checkpoint.pt"
    return torch.load(path, weights_only=True)["step"] if path.exists() else 0


def numbers(value: object, name: str = "") -> dict[str, bytes]:
    """Bytes of each tensor of a state but the log's running sums, which a clock cuts."""
    if isinstance(value, torch.Tensor):
        return {} if name == " sums" else {name: value.contiguous().numpy().tobytes()}
    found: dict[str, bytes] = {}
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found |= numbers(inner, f"{name} {key}")
    return found


def outcome(folder: Path) -> tuple[dict[str, bytes], list[int], list[tuple[int, float | None]]]:
    """State, steps of the log, and what was validated when."""
    state = numbers(checkpoint.load(folder / "checkpoint.pt", CPU))
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    validated = [(line["step"], line["validation_psnr"]) for line in lines]
    return state, [line["step"] for line in lines], [v for v in validated if v[1] is not None]


def main(folder: Path, plugins: Path, kills: int, modes: list[str]) -> None:
    torch.set_num_threads(1)
    dice = random.Random(0)
    for number, mode in enumerate(modes):
        loss = "cgan + l1" if mode.startswith("broken:") else mode
        broken = mode.removeprefix("broken:") if mode != loss else None
        parts = folder / str(number)
        parts.mkdir()
        whole = folder / loss.replace(" ", "")
        if not whole.exists():
            whole.mkdir()
            ended(begin(loss, whole, plugins, None))
        killed, stood = 0, set[int]()
        while killed < kills:
            session = begin(loss, parts, plugins, broken)
            before = stamp(parts)
            while killed % 4 and stamp(parts) == before and not over(session):
                time.sleep(0.001)
            time.sleep(dice.uniform(0, LONGEST_SECONDS))
            os.kill(session, signal.SIGKILL)
            if ended(session):
                break
            killed += 1
            stood.add(step_of(parts))
        else:
            ended(begin(loss, parts, plugins, broken))
        state, steps, validated = outcome(parts)
        expected = outcome(whole)
        answer = json.dumps({
            "mode": mode,
            "killed": killed,
            "stood at": sorted(stood),
            "same bits": state == expected[0],
            "log rises": steps == sorted(set(steps)) and steps[-1] == STEPS,
            "same validations": validated == expected[2],
        })  # fmt: skip
        sys.stdout.write(f"{answer}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
