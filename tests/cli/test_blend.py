"""denoisebench blend, on twins trained for twelve steps."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from denoisebench.scoring.result import read_result, read_scores
from denoisebench.training.recipe import Recipe

FAST = ("--batch", 2, "--patch", 32, "--steps", 12, "--lr", 0.03)
PLUGIN = '''
"""A network with running means and a whole number, small enough to train in a test."""

import torch
from torch import nn

from denoisebench import generator


class Normed(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 1, 3, padding=1),
        )
        self.register_buffer("table", torch.arange(4))

    def forward(self, noisy):
        return noisy - self.body(noisy)


@generator("normed", multiple=4)
def normed(*, width: int = 4) -> nn.Module:
    """Two convolutions with BatchNorm between."""
    return Normed(width)
'''
L1, GAN = "normed-l1-*", "normed-cgan+l1-*"


@pytest.fixture
def normed(tmp_path) -> Path:
    path = tmp_path / "normed.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Where the runs stand that all tests here blend."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def common(normed, tiny_ct, tiny_task) -> tuple:
    return ("--plugin", normed, "--task", tiny_task, "--data", tiny_ct)


@pytest.fixture
def trained(denoisebench, common, kept) -> tuple[Path, Path]:
    """A network and its twin with a GAN; beside them one of another seed, and a baseline."""
    if not (kept / "runs").exists():
        given = ("run", *common, *FAST, "--gen", "normed")
        assert denoisebench(*given, "--loss", "cgan + l1", "--twin").code == 0
        assert denoisebench(*given, "--loss", "l1", "--seed", 1).code == 0
        assert denoisebench(*given, "--loss", "l1", "--gen", "normed(width=8)").code == 0
        shutil.copytree("runs", kept / "runs")
    shutil.copytree(kept / "runs", "runs", dirs_exist_ok=True)
    (gan,) = Path("runs").glob(GAN)
    twin = read_result(gan / "result.json").twin
    assert twin
    (first,) = Path("runs").glob(f"normed-l1-{twin[:8]}")
    return first, gan


@pytest.fixture
def blend(denoisebench, common, trained):
    def call(*words, ends=trained):
        return denoisebench("blend", *[end.name for end in ends], *common, *words)

    return call


def blends() -> list[Path]:
    return sorted(Path("runs").glob("normed-blend-*"))


def of_weight(weight: float) -> Path:
    (found,) = [folder for folder in blends()
                if read_result(folder / "result.json").blend.weight == weight]  # fmt: skip
    return found


def test_points_stand_between_their_parents_with_the_files_of_any_run(blend, trained):
    answer = blend("--steps", 5, "--json")
    assert answer.code == 0, answer.err
    facts = json.loads(answer.out)
    assert [point["w"] for point in facts["points"]] == [0, 0.25, 0.5, 0.75, 1]
    assert facts["twins"] is True
    assert facts["notes"] == []
    for point, folder in zip((facts["points"][0], facts["points"][-1]), trained, strict=True):
        assert point["run"] == folder.name
        assert point["recipe"] == read_result(folder / "result.json").recipe
    assert len(blends()) == 3
    for folder in blends():
        names = {path.name for path in folder.iterdir()} - {".lock"}
        assert names == {"recipe.toml", "model.safetensors", "scores.csv", "environment.json",
                         "preview.png", "result.json"}  # fmt: skip
        assert not list(folder.glob("*.writing"))


def test_the_weights_are_those_of_both_runs_in_the_share_that_is_told(blend, trained):
    assert blend("--weights", "0.25").code == 0
    first, second = (load_file(folder / "model.safetensors") for folder in trained)
    mixed = load_file(of_weight(0.25) / "model.safetensors")
    assert list(mixed) == list(first)
    moved = [name for name in first if not torch.equal(first[name], second[name])]
    assert {"body.0.weight", "body.1.running_mean", "body.1.running_var"} <= set(moved)
    for name, one in first.items():
        expected = one
        if one.is_floating_point():
            expected = (0.75 * one.double() + 0.25 * second[name].double()).float()
        # 1e-7: a digit of float32
        assert torch.allclose(mixed[name], expected, rtol=1e-7, atol=1e-9), name


def test_a_result_names_both_parents_their_weights_and_where_it_lies(blend, trained):
    import hashlib

    blend("--weights", "0.25")
    folder = of_weight(0.25)
    result, recipe = read_result(folder / "result.json"), Recipe.read(folder / "recipe.toml")
    assert result.blend == recipe.blend
    assert (result.recipe, result.family) == (recipe.hash, recipe.family)
    assert folder.name == f"normed-blend-{recipe.hash[:8]}"
    assert result.method == recipe.method == "normed · l1 to cgan + 100*l1, w = 0.25"
    assert (result.train_steps, result.train_seconds, result.twin) == (0, 0.0, None)
    assert result.blend.twins
    for parent, run in zip(result.blend.parents, trained, strict=True):
        own = read_result(run / "result.json")
        digest = hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()
        assert (parent.method, parent.recipe, parent.weights) == (own.method, own.recipe, digest)


def test_a_blend_scores_what_its_weights_score(blend, denoisebench, common, trained):
    """A blend of a hair's breadth is its parent to the digits that a hair can move."""
    blend("--weights", "0.000001,0.999999")
    for weight, run in zip((1e-6, 1 - 1e-6), trained, strict=True):
        mine, theirs = (
            {(s.slice, s.metric): s.value for s in read_scores(folder / "scores.csv")}
            for folder in (of_weight(weight), run)
        )
        assert mine.keys() == theirs.keys()
        known = [key for key, value in theirs.items() if value is not None]
        assert known
        # 1e-3 dB; the twins are whole hundredths apart, which `assert far` holds
        assert all(abs(mine[key] - theirs[key]) < 1e-3 for key in known)
        other = trained[1] if run is trained[0] else trained[0]
        far = {(s.slice, s.metric): s.value for s in read_scores(other / "scores.csv")}
        assert any(abs(far[key] - theirs[key]) > 1e-2 for key in known)


def test_points_that_are_done_are_not_scored_again(blend):
    assert blend("--weights", "0.5").code == 0
    done = of_weight(0.5)
    stamps = {path: path.stat().st_mtime_ns for path in done.glob("*.*")}
    assert blend("--weights", "0.25,0.5").code == 0
    assert {path: path.stat().st_mtime_ns for path in done.glob("*.*")} == stamps
    assert len(blends()) == 2
    (of_weight(0.25) / "result.json").unlink()  # as a kill before the end leaves it
    before = (done / "scores.csv").read_bytes()
    assert blend("--weights", "0.25,0.5").code == 0
    assert {path: path.stat().st_mtime_ns for path in done.glob("*.*")} == stamps
    assert (done / "scores.csv").read_bytes() == before
    assert (of_weight(0.25) / "result.json").exists()


def test_a_killed_blend_leaves_whole_points_and_goes_on(blend, common, trained, tmp_path):
    words = [sys.executable, "-m", "denoisebench", "blend", *[end.name for end in trained],
             *map(str, common), "--steps", "9"]  # fmt: skip
    env = os.environ | {"DENOISEBENCH_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(Path("runs").glob("normed-blend-*/result.json")):
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    whole = list(Path("runs").glob("normed-blend-*/result.json"))
    assert 1 <= len(whole) < 7, "it was done before it was killed"
    stamps = {path: path.stat().st_mtime_ns for path in whole}
    for path in whole:
        assert read_result(path).status == "done"
        assert read_scores(path.with_name("scores.csv"))
    assert blend("--steps", 9).code == 0
    assert len(blends()) == 7
    assert {path: path.stat().st_mtime_ns for path in whole} == stamps
    assert not list(Path("runs").glob("*/*.writing"))


def test_other_commands_read_a_blend(blend, denoisebench, common, normed, tiny_ct):
    assert blend("--weights", "0.5").code == 0
    name = of_weight(0.5).name
    rows = json.loads(denoisebench("leaderboard", "--json").out)["rows"]
    assert [row["rank"] is not None for row in rows if row["run"] == name] == [True]
    answer = denoisebench("audit", name, *common, "--slices", 2, "--seeds", 2, "--json")
    assert answer.code == 0, answer.err
    assert (Path("runs") / name / "audit.json").exists()
    answer = denoisebench("publish", "page", "--plugin", normed)
    assert answer.code == 0, answer.err
    page = Path("page/index.html").read_text(encoding="utf-8")
    assert "To choose w by these scores is to tune on the test split" in page
    assert "normed · l1 to cgan + 100*l1, w = 0.5" in page
    own = next(Path("page/runs").glob("normed-blend-*.html")).read_text(encoding="utf-8")
    assert "A blend, trained by nothing of its own" in own
    assert "denoisebench blend" in own


def test_the_terminal_says_which_end_is_which(blend, trained):
    answer = blend("--steps", 3)
    lines = [" ".join(line.replace("│", " ").split()) for line in answer.out.splitlines()]
    for start, run, end in (("0 ", trained[0], "FIRST"), ("1 ", trained[1], "SECOND")):
        (line,) = [line for line in lines if line.endswith(f"{run.name} = {end}")]
        assert line.startswith(start)
    assert "to choose w by these scores is to tune on the test split" in answer.out
    psnr = read_result(of_weight(0.5) / "result.json").metrics["psnr"]
    assert f"{psnr.mean:.2f} [{psnr.lo:.2f}, {psnr.hi:.2f}]" in answer.out


def test_a_point_is_chosen_on_validation_slices(blend):
    answer = blend("--steps", 5, "--choose", "psnr", "--json")
    assert answer.code == 0, answer.err
    facts = json.loads(answer.out)
    chosen, values = facts["chosen"], facts["chosen"]["validation"]
    assert len(values) == 5
    weights = [point["w"] for point in facts["points"]]
    assert chosen["w"] == weights[values.index(max(values))]
    told = {folder: read_result(folder / "result.json").tuned for folder in blends()}
    marked = [folder for folder, tuned in told.items() if tuned]
    assert marked == ([of_weight(chosen["w"])] if 0 < chosen["w"] < 1 else [])
    # on other slices than those of the test split: the very means would be the board's
    means = [point["metrics"]["psnr"]["mean"] for point in facts["points"]]
    assert all(abs(ours - theirs) > 1e-6 for ours, theirs in zip(values, means, strict=True))


def test_a_blend_of_other_seeds_is_told_and_is_of_another_family(blend, trained):
    (other,) = [run for run in Path("runs").glob(L1)
                if read_result(run / "result.json").seeds == (1,)]  # fmt: skip
    assert blend("--weights", "0.5").code == 0
    answer = blend("--weights", "0.5", ends=(other, trained[1]))
    assert answer.code == 0
    assert "note: no twins (seed 1 → 0)" in answer.err
    results = [read_result(folder / "result.json") for folder in blends()]
    assert {result.blend.twins for result in results} == {True, False}
    assert len({result.family for result in results}) == 2


def copied(run: Path, name: str, **changes) -> Path:
    """A run beside another with some fields of its result changed."""
    folder = run.with_name(name)
    shutil.copytree(run, folder)
    values = json.loads((folder / "result.json").read_text()) | changes
    (folder / "result.json").write_text(json.dumps(values))
    return folder


def test_what_cannot_be_blended_is_refused_in_a_line(blend, trained):
    first, gan = trained
    (wide,) = [path.parent for path in Path("runs").glob(f"{L1}/recipe.toml")
               if "width" in Recipe.read(path).generator]  # fmt: skip
    (noisy,) = Path("runs").glob("noisy-*")
    assert blend("--weights", "0.5").code == 0
    mixed = of_weight(0.5)
    result = json.loads((gan / "result.json").read_text())
    newer = {name: m | {"version": 9} for name, m in result["metrics"].items()}
    refused = {
        "is a baseline's run": (noisy, gan),
        "is a blend itself": (first, mixed),
        "are one run": (first, first),
        "only networks of one generator": (wide, gan),
        "turn them round": (gan, first),
        "another data set": (first, copied(gan, "data", data_digest="0" * 64)),
        "another split": (first, copied(gan, "split", split_digest="0" * 64)),
        "another version of the evaluation": (first, copied(gan, "old", evaluation_version=0)),
        "another metrics": (first, copied(gan, "newer", metrics=newer)),
        "is diverged": (first, copied(gan, "lost", status="diverged", reason="nan")),
    }
    before = sorted(Path("runs").iterdir())
    for said, ends in refused.items():
        answer = blend(ends=ends)
        assert (answer.code, answer.out) == (2, ""), said
        assert said in answer.err
        assert answer.err.count("\n") == 1, answer.err
    assert sorted(Path("runs").iterdir()) == before


def test_weights_that_are_not_there_or_do_not_fit_are_refused(blend, trained):
    gan = trained[1]
    tensors = load_file(gan / "model.safetensors")
    for said, change in {
        "'body.0.bias' is float32 4 in one, absent": lambda t: t.pop("body.0.bias"),
        "float32 4 in one, float32 5": lambda t: t.update({"body.0.bias": torch.zeros(5)}),
        "float32 4 in one, float64 4": lambda t: t.update({"body.0.bias": torch.zeros(4).double()}),
    }.items():
        changed = dict(tensors)
        change(changed)
        save_file(changed, gan / "model.safetensors")
        answer = blend()
        assert answer.code == 2
        assert said in answer.err
    (gan / "model.safetensors").unlink()
    answer = blend()
    assert answer.code == 2
    assert "without its weights a run cannot be blended" in answer.err
    assert blends() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--weights", "0.5,x"), "write numbers"),
        (("--weights", "1.5"), "a share of SECOND, from 0 to 1"),
        (("--weights", "nan"), "a share of SECOND, from 0 to 1"),
        (("--weights", "0.5", "--steps", 5), "give one of --steps, --weights"),
        (("--steps", 2), "2 is not in the range"),
        (("--plot", "curve.pdf"), "--plot writes a .png or .svg into a folder"),
        (("--plot", "nowhere/curve.png"), "into a folder, got 'nowhere/curve.png'"),
        (("--choose", "pnsr"), "nearest: psnr"),
        (("--choose", "psnr"), "no run is called"),
    ],
)
def test_a_mistake_is_told_in_a_line(denoisebench, words, said):
    answer = denoisebench("blend", "one", "two", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert said in answer.err


def test_a_metric_that_the_task_lacks_chooses_nothing(blend):
    answer = blend("--choose", "ssim")
    assert answer.code == 2
    assert "tiny-task measures psnr, lpips" in answer.err


def test_a_curve_without_a_perceptual_score_is_not_drawn_and_says_why(blend):
    answer = blend("--weights", "0.5", "--plot", "curve.png")
    assert answer.code == 2
    assert "denoisebench weights fetch lpips" in answer.err
    assert not Path("curve.png").exists()


def test_a_curve_is_drawn_into_a_file(blend, denoisebench, common, tmp_path, machine_weights):
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "weights").symlink_to(machine_weights)
    for loss in ("l1", "cgan + l1"):  # scored again, with the metric whose weights have come
        assert denoisebench("run", *common, *FAST, "--gen", "normed", "--loss", loss).code == 0
    for name, head in (("one.png", b"\x89PNG"), ("one.svg", b"<?xml"), ("two.svg", b"<?xml")):
        answer = blend("--weights", "0.5", "--plot", name)
        assert answer.code == 0, answer.err
        assert Path(name).read_bytes().startswith(head)
    assert Path("one.svg").read_bytes() == Path("two.svg").read_bytes()
