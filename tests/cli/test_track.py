"""denoisebench run --track: what is refused, and that no other command trips over its folders."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

WORDS = ("--gen", "tiny", "--loss", "l1", "--batch", 2, "--patch", 32, "--steps", 6)


@pytest.fixture
def call(denoisebench, plugin, tiny_task, tiny_ct):
    words = ("run", *WORDS, "--plugin", plugin, "--task", tiny_task, "--data", tiny_ct)
    return lambda *more: denoisebench(*words, *more)


def test_a_tracker_that_is_not_there_is_refused_before_anything_is_done(call, monkeypatch):
    answer = call("--track", "tensorbord")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "Error: no tracker named 'tensorbord'; nearest: tensorboard. Trackers: tensorboard, wandb, "
        "or module:Class\n"
    )
    monkeypatch.delitem(sys.modules, "denoisebench.tracking.wandb", raising=False)
    monkeypatch.setitem(sys.modules, "wandb", None)
    answer = call("--track", "tensorboard", "--track", "wandb")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "pip install 'denoisebench[trackers]'" in answer.err
    assert not Path("runs").exists()


def test_a_baseline_has_nothing_to_track(denoisebench):
    answer = denoisebench("run", "--baseline", "bm3d", "--track", "wandb")
    assert (answer.code, answer.err) == (
        2, "Error: --baseline trains nothing; leave out --track\n"
    )  # fmt: skip


def written(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


TASK = """
name = "ct-sigma50"
version = 1
summary = "The same without references"
window_hu = [-160, 240]
metrics = ["psnr", "psnr_body", "ssim", "rmse_hu", "lpips"]
noise = {protocol = "awgn50", sigma = 50}
"""


def test_a_tracked_run_is_published_packed_and_verified_as_any_other(
    call, denoisebench, plugin, tiny_ct, monkeypatch
):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr("secrets.randbits", lambda bits: 2017)  # verify's secret
    Path("task.toml").write_text(TASK)
    assert call("--track", "tensorboard", "--track", "wandb", "--task", "task.toml").code == 0
    (run,) = Path("runs").glob("tiny-*")
    assert list(run.glob("tensorboard/events.out.tfevents.*"))
    assert list(run.glob("wandb/offline-run-*/run-*.wandb"))

    words = ("--plugin", plugin)
    verified = denoisebench("verify", run.name, *words, "--data", tiny_ct, "--json")
    assert "measured" in verified.out, verified.err

    def answers(place: str) -> tuple:
        packed = denoisebench("submit", run, *words, "--out", f"{place}.zip")
        assert packed.code == 0, packed.err
        published = denoisebench("publish", place, *words)
        assert published.code == 0, published.err
        board = denoisebench("leaderboard")
        return Path(f"{place}.zip").read_bytes(), written(Path(place)), board.out

    tracked = answers("tracked")
    with zipfile.ZipFile("tracked.zip") as archive:
        assert not [name for name in archive.namelist() if "wandb" in name or "tensorboard" in name]
    for name in ("tensorboard", "wandb"):
        shutil.rmtree(run / name)
    assert tracked == answers("untracked")


def test_no_tracker_is_imported_unless_it_is_asked_for(plugin, tiny_task, tiny_ct, tmp_path):
    words = ["denoisebench", "run", *WORDS, "--plugin", plugin, "--task", tiny_task,
             "--data", tiny_ct, "--out", tmp_path / "runs"]  # fmt: skip
    script = (
        "import os, sys; from denoisebench.cli.main import main\n"
        f"sys.argv = {[str(word) for word in words]!r}\n"
        f"os.environ['DENOISEBENCH_HOME'] = {str(tmp_path / 'home')!r}\n"
        "try: main()\n"
        "except SystemExit as left: assert not left.code\n"
        "assert 'torch' in sys.modules\n"
        "assert not {'tensorboard', 'wandb'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
