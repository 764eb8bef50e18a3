import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

FAST = ("--batch", 2, "--patch", 32, "--steps", 3)


@pytest.fixture
def run(denoisebench, plugin, tiny_task):
    """Run on a task whose only reference is the noisy slice."""
    return lambda *words: denoisebench("run", "--plugin", plugin, "--task", tiny_task, *words)


@pytest.fixture
def fast(run, tiny_ct):
    """Train a tiny network for three steps."""
    return lambda *more: run("--gen", "tiny", "--loss", "l1", *FAST, "--data", tiny_ct, *more)


def the_run(pattern: str = "tiny-*") -> Path:
    (folder,) = Path("runs").glob(pattern)
    return folder


def test_a_run_trains_scores_and_prints_the_board(denoisebench, plugin, tiny_ct):
    words = ("run", "--gen", "tiny", "--loss", "l1", *FAST, "--plugin", plugin, "--data", tiny_ct)
    answer = denoisebench(*words)
    assert answer.code == 0
    for method in ("tiny · l1", "bm3d", "noisy"):
        assert method in answer.out
    assert "non-commercial" in answer.out
    files = {path.name for path in the_run().iterdir() if not path.name.startswith(".")}
    assert files == {"recipe.toml", "log.jsonl", "checkpoint.pt", "best.pt", "model.safetensors",
                     "result.json", "scores.csv", "preview.png", "environment.json"}  # fmt: skip


def test_nothing_but_the_answer_is_on_stdout(fast):
    rows = json.loads(fast("--json").out)["rows"]
    assert {row["method"] for row in rows} == {"tiny · l1", "noisy"}
    noisy = next(row for row in rows if row["method"] == "noisy")
    # 64 × 64 pixels and four slices: the PSNR of σ = 50 spreads by 0.05 dB a slice.
    assert noisy["metrics"]["psnr"]["mean"] == pytest.approx(14.15, abs=0.15)
    assert noisy["n_patients"] == 2
    assert noisy["metrics"]["lpips"]["mean"] is None  # the cache folder of this test has no weights
    assert "weights fetch" in noisy["metrics"]["lpips"]["reason"]


def test_a_run_that_is_done_is_read_and_not_repeated(fast):
    first = fast()
    stamp = (the_run() / "model.safetensors").stat().st_mtime_ns
    second = fast()
    assert second.out == first.out
    assert (the_run() / "model.safetensors").stat().st_mtime_ns == stamp


def test_a_loss_of_ones_own_stands_on_the_board_under_its_name(run, tiny_ct):
    loss = "cgan+50*my_loss(alpha=0.3)"
    answer = run("--gen", "tiny", "--loss", loss, *FAST, "--data", tiny_ct)
    assert answer.code == 0
    assert "tiny · cgan + 50*my_loss(alpha=0.3)" in answer.out
    recipe = tomllib.loads((the_run() / "recipe.toml").read_text())
    assert recipe["loss"] == "cgan + 50*my_loss(alpha=0.3)"
    assert recipe["discriminator"] == "patch3"


def test_a_baseline_is_scored_with_the_same_verb(denoisebench, tiny_ct):
    answer = denoisebench("run", "--baseline", "nlm", "--data", tiny_ct, "--json")
    (row,) = json.loads(answer.out)["rows"]
    assert (answer.code, row["kind"]) == (0, "baseline")
    assert row["metrics"]["psnr"]["mean"] > 20
    # its knob was tuned on validation slices, and stands on the row
    assert row["method"] == f"nlm(h={row['tuned']['h']:g})"
    assert "validation slices" in row["tuning"]


def test_a_knob_that_is_given_is_not_tuned(denoisebench, tiny_ct):
    answer = denoisebench("run", "--baseline", "nlm(h=0.5)", "--data", tiny_ct, "--json")
    (row,) = json.loads(answer.out)["rows"]
    assert (row["method"], row["tuned"], row["tuning"]) == ("nlm", {}, None)


def test_a_nan_stops_the_run_and_the_row_is_never_ranked(run, tiny_ct):
    answer = run("--gen", "tiny", "--loss", "nan_loss", *FAST, "--data", tiny_ct, "--json")
    assert answer.code == 1
    row = next(r for r in json.loads(answer.out)["rows"] if r["kind"] == "network")
    assert (row["rank"], row["status"]) == (None, "diverged")
    assert "nan_loss is nan at step 1" in row["reason"]


def test_a_corrupt_file_among_good_ones_is_named_and_the_good_are_used(fast, tiny_ct):
    (tiny_ct / "patient0" / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 500)
    answer = fast()
    assert answer.code == 0
    assert "broken.dcm" in answer.err


def test_results_and_logs_name_no_patient_and_no_path(fast, tiny_ct):
    assert fast().code == 0
    for path in Path("runs").rglob("*"):
        if path.is_file() and path.suffix in (".json", ".csv", ".toml", ".jsonl"):
            text = path.read_text()
            assert str(tiny_ct.parent) not in text
            assert '"P0"' not in text
            assert "P0," not in text


def test_resume_goes_on_with_an_unfinished_run(fast):
    assert fast().code == 0
    folder = the_run()
    whole = (folder / "model.safetensors").read_bytes()
    for name in ("result.json", "model.safetensors"):
        (folder / name).unlink()
    refused = fast()
    data, mistake = refused.err.splitlines()
    assert (refused.code, refused.out) == (2, "")
    assert data.startswith("folder-")
    assert "holds an unfinished run; go on with --resume" in mistake
    assert fast("--resume").code == 0
    assert (folder / "model.safetensors").read_bytes() == whole


def test_a_done_run_is_scored_again_once_weights_it_lacked_are_there(
    fast, machine_weights, tmp_path
):
    rows = json.loads(fast("--json").out)["rows"]
    assert {row["metrics"]["lpips"]["mean"] for row in rows} == {None}
    kept = (the_run() / "model.safetensors").read_bytes()
    shutil.copytree(machine_weights, tmp_path / "home" / "weights")
    rows = json.loads(fast("--json").out)["rows"]
    assert all(row["metrics"]["lpips"]["mean"] > 0 for row in rows)
    assert (the_run() / "model.safetensors").read_bytes() == kept


def test_out_can_name_a_run_folder_and_another_recipes_is_refused(fast):
    assert fast().code == 0
    folder = the_run()
    assert fast("--out", folder).code == 0
    answer = fast("--seed", 7, "--out", folder)
    assert answer.code == 2
    assert "run of another recipe (seed 0 → 7)" in answer.err


MISTAKES = {
    "unknown generator": (("--gen", "unet77"), "nearest: unet7"),
    "unknown loss": (("--loss", "cgan+l11"), "no loss named 'l11'; nearest: l1"),
    "unknown knob": (("--gen", "unet7(nrom='batch')"), "norm"),
    "unknown baseline": (("--baseline", "bm4d"), "nearest: bm3d"),
    "unknown task": (("--task", "ct-sigma51"), "ct-sigma50"),
    "unknown preset": (("--preset", "quik"), "quick"),
    "side": (("--gen", "unet7", "--patch", 200), "divisible by 256, got 200; use --patch 256"),
    "batch 0": (("--batch", 0), "batch"),
    "steps 0": (("--steps", 0), "steps"),
    "minutes below 0": (("--minutes", -1), "minutes"),
    "two budgets": (("--steps", 5, "--minutes", 1), "one of"),
    "rate nan": (("--lr", "nan"), "learning_rate"),
    "no such folder": (("--data", "nowhere"), "nowhere"),
    "no such plug-in": (("--plugin", "nowhere.py"), "nowhere.py"),
    "no such option": (("--bacth", 3), "--batch"),
    "critic without GAN": (("--loss", "l1", "--disc", "patch3"), "no GAN term"),
    "baseline with gen": (("--baseline", "bm3d", "--gen", "unet7"), "leave out --gen"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_code_2_and_leaves_nothing(denoisebench, mistake):
    words, said = MISTAKES[mistake]
    answer = denoisebench("run", *words)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.count("\n") == 1
    assert said in answer.err
    assert not Path("runs").exists()


def test_a_malformed_expression_is_shown_with_a_caret(denoisebench):
    answer = denoisebench("run", "--loss", "cgan+*l1")
    assert answer.code == 2
    _, text, caret = answer.err.rstrip("\n").splitlines()
    assert text[caret.index("^")] == "*"


def test_an_empty_folder_and_one_without_ct_are_refused(denoisebench, tmp_path):
    (tmp_path / "empty").mkdir()
    answer = denoisebench("run", "--data", tmp_path / "empty")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    (tmp_path / "empty" / "notes.txt").write_text("no CT here")
    answer = denoisebench("run", "--data", tmp_path / "empty")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert not Path("runs").exists()


def test_a_single_patient_is_split_by_blocks_and_the_result_says_so(run, one_patient):
    answer = run("--gen", "tiny", "--loss", "l1", *FAST, "--data", one_patient, "--json")
    assert answer.code == 0
    assert "one patient only" in json.loads(answer.out)["rows"][0]["split_note"]


def test_the_leaderboard_prints_every_format(fast, denoisebench):
    assert fast().code == 0
    assert "tiny · l1" in denoisebench("leaderboard").out
    assert denoisebench("leaderboard", "--format", "md").out.startswith("### ")
    assert denoisebench("leaderboard", "--format", "csv").out.startswith("rank,")
    rows = json.loads(denoisebench("leaderboard", "--format", "json").out)["rows"]
    assert len(rows) == 2
    assert denoisebench("leaderboard", "--task", "other").code == 2
    shutil.rmtree("runs")
    assert denoisebench("leaderboard").code == 2


@pytest.fixture
def start(plugin, tiny_ct, tiny_task, tmp_path):
    """Start a run of 12,000 steps in a process of its own: (folder of runs, *words) → process."""
    words = ["run", "--gen", "tiny", "--loss", "l1", "--batch", "2", "--patch", "32", "--steps",
             "12000", "--plugin", plugin, "--task", tiny_task, "--data", tiny_ct]  # fmt: skip
    environment = {**os.environ, "DENOISEBENCH_HOME": str(tmp_path / "home")}

    def start(runs, *more):
        command = [sys.executable, "-m", "denoisebench", *words, "--out", runs, *more]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            list(map(str, command)), env=environment, stdout=pipe, stderr=pipe, text=True
        )

    return start


def wait_for(process, folder, name):
    """Wait until a file is in the run's folder, and return the folder."""
    while not (found := list(folder.glob(f"tiny-*/{name}"))):
        assert process.poll() is None
        time.sleep(0.05)
    return found[0].parent


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)]
)
def test_a_signal_leaves_a_checkpoint_and_resume_goes_on(start, tmp_path, number):
    process = start(tmp_path)
    folder = wait_for(process, tmp_path, "log.jsonl")
    process.send_signal(number)
    sent = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - sent < 10
    assert "--resume" in err.splitlines()[-1]
    assert (folder / "checkpoint.pt").exists()
    assert not (folder / "result.json").exists()
    resumed = start(tmp_path, "--resume")
    assert "tiny · l1" in resumed.communicate()[0]
    assert resumed.returncode == 0


def test_a_run_killed_at_once_ends_with_the_weights_of_an_undisturbed_one(start, tmp_path):
    undisturbed = start(tmp_path / "undisturbed")
    _, err = undisturbed.communicate()
    assert undisturbed.returncode == 0, err
    process = start(tmp_path / "killed")
    folder = wait_for(process, tmp_path / "killed", "checkpoint.pt")
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "model.safetensors").exists()
    resumed = start(tmp_path / "killed", "--resume")
    _, err = resumed.communicate()
    assert resumed.returncode == 0, err
    (whole,) = (tmp_path / "undisturbed").glob("tiny-*")
    assert (folder / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    steps = [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert steps[-1] == 12_000
