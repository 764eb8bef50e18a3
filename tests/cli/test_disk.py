"""A disk that is full, read-only, or no folder: one line, and nothing that was good is lost."""

import json
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from denoisebench.training import checkpoint

WORDS = ("--gen", "tiny", "--loss", "l1", "--batch", 2, "--patch", 32, "--steps", 6)


@pytest.fixture
def call(denoisebench, plugin, tiny_task, tiny_ct):
    words = ("run", *WORDS, "--plugin", plugin, "--task", tiny_task, "--data", tiny_ct)
    return lambda *more: denoisebench(*words, *more)


def the_run(runs: Path) -> Path:
    (folder,) = runs.glob("tiny-*")
    return folder


def test_a_disk_that_fills_up_costs_one_line_and_with_room_resume_ends_as_it_would_have(
    call, small_disk, monkeypatch
):
    assert call("--out", "elsewhere").code == 0
    ballast, really = small_disk / "ballast", checkpoint.save

    def save_with_company(path, state):
        """Somebody else fills the disk after the first checkpoint."""
        if ballast.exists():
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        really(path, state)
        ballast.touch()

    monkeypatch.setattr(checkpoint, "save", save_with_company)
    monkeypatch.setattr("denoisebench.training.loop.CHECKPOINT_SECONDS", 0.0)
    answer = call("--out", small_disk)
    mistake = answer.err.splitlines()[-1]
    assert (answer.code, answer.out) == (1, "")
    assert re.fullmatch(
        r"Error: cannot write \S+\.\w+: No space left on device; make room there, "
        r"then --resume goes on",
        mistake,
    )
    folder = the_run(small_disk)
    assert checkpoint.load(folder / "checkpoint.pt", torch.device("cpu"))["step"] < 6
    assert not (folder / "result.json").exists()

    ballast.unlink()
    monkeypatch.setattr(checkpoint, "save", really)
    assert call("--out", small_disk, "--resume").code == 0
    whole = the_run(Path("elsewhere"))
    name = "model.safetensors"
    assert (folder / name).read_bytes() == (whole / name).read_bytes()
    steps = [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert not list(folder.glob("*.writing"))


def test_a_read_only_disk_is_told_before_anything_is_computed(call, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    answer = call("--out", small_disk)
    assert (answer.code, answer.out) == (1, "")
    assert "Read-only file system; use a folder that can be written (--out" in answer.err
    assert "Traceback" not in answer.err
    assert "training" not in answer.err


def test_an_out_that_is_a_file_is_the_users_mistake(call):
    Path("file").write_text("")
    answer = call("--out", "file")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines()[-1].startswith("Error: cannot write file/")
    assert Path("file").read_text() == ""
