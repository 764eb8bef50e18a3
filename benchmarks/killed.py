"""Whether a run that is killed again and again ends with the bits of one that is left alone.

    python benchmarks/killed.py --data DIR                        20 kills, 200 steps, a GAN
    python benchmarks/killed.py --data phantom --kills 5 --steps 60 --loss l1

Both runs are `denoisebench run` as it is, each in processes of its own. Every fourth kill (SIGKILL)
comes at a random moment after the process has started, the others at one after its training has
begun, so that reading, training, validating and saving are all hit. Prints each kill, and a line a
comparison; the exit code is 1 where one differs. No baseline is scored but the noisy slices.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

TASK = """
name = "killed"
version = 1
summary = "ct-sigma50 without slow references"
window_hu = [-160, 240]
metrics = ["psnr"]
references = ["noisy"]
noise = {protocol = "awgn50", sigma = 50}
"""


def start(words: list[str], out: Path, *more: str) -> "subprocess.Popen[bytes]":
    """Start a run that puts its folder into `out`; what it says goes into a file there."""
    out.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "denoisebench", "run", *words, "--out", str(out), *more]
    with (out / "said.txt").open("ab") as said:
        return subprocess.Popen(command, stdout=said, stderr=said)


def folder_of(out: Path) -> Path | None:
    """The network's run folder, once it is there."""
    return next((path.parent for path in out.glob("*/recipe.toml")), None)


def wait_for_training(process: "subprocess.Popen[bytes]", out: Path) -> None:
    """Wait until the process holds its run's folder, or has ended."""
    mine = f"process {process.pid},"
    while process.poll() is None:
        folder = folder_of(out)
        owner = folder / ".lock.owner" if folder else None
        if owner and owner.exists() and mine in owner.read_text(encoding="utf-8"):
            return
        time.sleep(0.01)


def killed(words: list[str], out: Path, kills: int, longest: float, dice: random.Random) -> int:
    """Kill a run at random moments and let it go on each time; return how often it was."""
    done = 0
    while done < kills:
        process = start(words, out, "--resume")
        from_start = done % 4 == 0
        if not from_start:
            wait_for_training(process, out)
        moment = dice.uniform(0, longest)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            done += 1
            clock = "its start" if from_start else "training began"
            say(f"kill {done:2d}: {moment:5.2f} s after {clock}; {standing(out)}")
            continue
        if process.returncode:
            raise SystemExit((out / "said.txt").read_text(encoding="utf-8"))
        return done
    if start(words, out, "--resume").wait():
        raise SystemExit((out / "said.txt").read_text(encoding="utf-8"))
    return done


def standing(out: Path) -> str:
    """What a killed process left."""
    folder = folder_of(out)
    if folder is None or not (folder / "checkpoint.pt").exists():
        return "no checkpoint yet"
    step = torch.load(folder / "checkpoint.pt", weights_only=True)["step"]
    litter = len(list(folder.glob("*.writing")))
    return f"checkpoint of step {step}" + (f", {litter} half-written" if litter else "")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "none"


def tensors(value: Any, name: str = "") -> Iterator[tuple[str, bytes]]:
    """Bytes of each tensor of a checkpoint, by its place."""
    if isinstance(value, torch.Tensor):
        yield name, value.contiguous().numpy().tobytes()
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from tensors(inner, f"{name} {key}")


def state(folder: Path) -> dict[str, bytes]:
    """What a checkpoint holds that a clock has no part in."""
    values = torch.load(folder / "checkpoint.pt", weights_only=True)
    return {name: data for name, data in tensors(values) if not name.startswith(" sums")}


def validations(folder: Path) -> list[tuple[int, float]]:
    lines = map(json.loads, (folder / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [(line["step"], line["validation_psnr"]) for line in lines if line["validation_psnr"]]


def compare(alone: Path, resumed: Path) -> Iterator[tuple[str, bool, str]]:
    """Each thing that must be equal: what, whether it is, and what it is."""
    for name in ("model.safetensors", "best.safetensors", "scores.csv"):
        one, two = digest(alone / name), digest(resumed / name)
        yield f"SHA-256 of {name}", one == two, f"{one[:16]} and {two[:16]}"
    one_state, two_state = state(alone), state(resumed)
    same = sum(one_state[name] == two_state.get(name) for name in one_state)
    yield "tensors of checkpoint.pt", one_state == two_state, f"{same} of {len(one_state)} equal"
    lines = (resumed / "log.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    rising = steps == sorted(set(steps))
    yield "steps in the log rise", rising, f"{len(steps)} lines, the last of step {steps[-1]}"
    one_psnr, two_psnr = validations(alone), validations(resumed)
    yield "validations in the log", one_psnr == two_psnr, f"{len(one_psnr)} and {len(two_psnr)}"
    litter = [path.name for path in resumed.glob("*.writing")]
    yield "no half-written file is left", not litter, ", ".join(litter) or "none"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="phantom")
    parser.add_argument("--gen", default="resunet(width=8, blocks=1)")
    parser.add_argument("--loss", default="cgan+l1")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--patch", type=int, default=64)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest", type=float, default=10.0, help="seconds before a kill")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        task = Path(scratch) / "killed.toml"
        task.write_text(TASK, encoding="utf-8")
        words = ["--gen", given.gen, "--loss", given.loss, "--steps", str(given.steps)]
        words += ["--batch", str(given.batch), "--patch", str(given.patch), "--device", "cpu"]
        words += ["--data", given.data, "--task", str(task)]
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        alone, resumed = Path(scratch) / "alone", Path(scratch) / "resumed"
        began = time.monotonic()
        if start(words, alone).wait():
            raise SystemExit((alone / "said.txt").read_text(encoding="utf-8"))
        say(f"undisturbed: {time.monotonic() - began:.0f} s")
        done = killed(words, resumed, given.kills, given.longest, random.Random(given.seed))
        say(f"killed {done} times at random moments: {time.monotonic() - began:.0f} s in all")
        folders = [next(out.glob("*/recipe.toml")).parent for out in (alone, resumed)]
        found = list(compare(*folders))
        for what, good, detail in found:
            say(f"{'equal  ' if good else 'DIFFERS'} {what}: {detail}")
    return 0 if all(good for _, good, _ in found) and done == given.kills else 1


if __name__ == "__main__":
    sys.exit(main())
