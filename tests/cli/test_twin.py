"""`run --twin`: a network with the GAN beside the same without."""

import json
import tomllib
from pathlib import Path

import pytest

from denoisebench.plugins.find import find
from denoisebench.training.recipe import plan

FAST = ("--batch", 2, "--patch", 32, "--steps", 3)


@pytest.fixture
def run(denoisebench, plugin, tiny_ct, tiny_task):
    return lambda *words: denoisebench(
        "run",
        "--plugin",
        plugin,
        "--task",
        tiny_task,
        "--gen",
        "tiny",
        "--data",
        tiny_ct,
        *FAST,
        *words,
    )


def test_twin_trains_both_and_the_board_shows_their_difference(run):
    answer = run("--loss", "cgan + l1", "--twin", "--json")
    assert answer.code == 0
    rows = {row["method"]: row for row in json.loads(answer.out)["rows"]}
    assert set(rows) == {"tiny · cgan + 100*l1", "tiny · l1", "noisy"}
    gan, twin = rows["tiny · cgan + 100*l1"], rows["tiny · l1"]
    assert gan["twin"] == twin["recipe"]
    apart = gan["metrics"]["psnr"]["mean"] - twin["metrics"]["psnr"]["mean"]
    # 1e-9: float64 means in another order
    assert gan["versus"]["twin"]["mean"] == pytest.approx(apart, abs=1e-9)
    assert "twin" not in twin["versus"]
    answer = run("--loss", "cgan + l1")
    assert "minus twin" in answer.out
    assert "3.01 dB" in answer.out


def test_a_twin_trained_by_itself_is_the_same_run(run):
    assert run("--loss", "l1").code == 0
    (folder,) = Path("runs").glob("tiny-l1-*")
    stamp = (folder / "model.safetensors").stat().st_mtime_ns
    assert run("--loss", "cgan + 100*l1", "--twin").code == 0
    assert [*Path("runs").glob("tiny-l1-*")] == [folder]
    assert (folder / "model.safetensors").stat().st_mtime_ns == stamp
    (other,) = Path("runs").glob("tiny-cgan+l1-*")
    recipes = [tomllib.loads((each / "recipe.toml").read_text()) for each in (folder, other)]
    differing = {key for key in recipes[1] if recipes[0].get(key) != recipes[1][key]}
    assert differing == {"discriminator", "loss", "plugins", "twin"}


def test_a_twin_keeps_weights_between_terms_and_drops_penalties():
    catalogue = find()
    planned = plan(catalogue, loss="hinge + 50*l1 + 10*ssim + 5*r1", steps=3)
    assert [part.text for part in planned.twin.losses] == ["50*l1", "10*ssim"]
    assert planned.twin.discriminator is None
    assert planned.twin.twin is None
    assert plan(catalogue, loss="cgan", steps=3).twin is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--loss", "l1", "--twin"), "--twin needs a GAN term and another beside it, got --loss"),
        (("--loss", "cgan", "--twin"), "--twin needs a GAN term"),
    ],
)
def test_what_has_no_twin_is_refused(run, words, message):
    answer = run(*words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert message in answer.err


@pytest.mark.parametrize(
    "words", [("--twin",), ("--resume",), ("--preset", "quick"), ("--speedup", "none")]
)
def test_a_baseline_has_no_twin_and_nothing_else_of_a_training(denoisebench, words):
    answer = denoisebench("run", "--baseline", "noisy", *words)
    assert answer.code == 2
    assert f"leave out {words[0]}" in answer.err


def test_seeds_are_one_row_with_health_and_costs(run):
    for seed in (0, 1):
        answer = run("--loss", "cgan + l1", "--seed", seed, "--json")
    rows = {row["method"]: row for row in json.loads(answer.out)["rows"]}
    row = rows["tiny · cgan + 100*l1"]
    assert row["seeds"] == [0, 1]
    assert len(rows) == 2  # and the noisy slices
    single = [json.loads(path.read_text()) for path in Path("runs").glob("tiny-*/result.json")]
    assert len({each["family"] for each in single}) == 1
    assert len({each["recipe"] for each in single}) == 2
    means = [each["metrics"]["psnr"]["mean"] for each in single]
    assert row["metrics"]["psnr"]["mean"] == pytest.approx(sum(means) / 2, abs=1e-9)
    for each in single:
        assert 0 <= each["health"]["real_accuracy"] <= 1
        assert each["health"]["gradient_ratio"] > 0
        assert each["macs"] > each["parameters"] > 0
        assert each["peak_memory"] is None or each["peak_memory"] > 2**20
        assert each["train_images"] == 6
