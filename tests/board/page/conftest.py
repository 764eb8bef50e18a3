"""Boards of made-up results, written as pages, and a browser to open them."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from denoisebench.board.board import boards, collect
from denoisebench.board.page.output import Output
from denoisebench.board.page.pictures import Album, Painter, Shown
from denoisebench.board.page.pixels import script
from denoisebench.board.page.site import Site, write_site
from denoisebench.plugins.find import find
from denoisebench.scoring.result import (
    Curve,
    Finding,
    Health,
    MetricResult,
    Result,
    Score,
    Verification,
    write_model,
    write_scores,
)
from denoisebench.training.log import Record, append
from denoisebench.training.recipe import Blend, Parent

UNITS = {"psnr": ("dB", "higher"), "ssim": ("", "higher"), "lpips": ("", "lower")}
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENTS, EACH = 12, 2
SIDE = 96


def metric(name: str, mean: float | None) -> MetricResult:
    unit, better = UNITS[name]
    ends = (None, None) if mean is None else (mean - 0.4, mean + 0.4)
    return MetricResult(mean=mean, lo=ends[0], hi=ends[1], unit=unit, better=better, version=1,
                        n=24, missing=0)  # fmt: skip


def run_folder(runs: Path, folder: str, method: str, psnr: float | None, **changes) -> Path:
    """Write a run's folder as `denoisebench run` leaves it, with scores of twelve patients."""
    path = runs / folder
    path.mkdir(parents=True)
    lpips = changes.pop("lpips", 1 - (psnr or 0) / 40)
    values = {"psnr": psnr, "ssim": (psnr or 0) / 40, "lpips": lpips}
    values = values if psnr is not None else {}
    result = {
        "method": method, "kind": "network", "task": "ct-sigma50", "task_version": 1,
        "data": "phantom", "data_digest": "d" * 64, "split_digest": "e" * 64,
        "recipe": f"{folder:0<64}"[:64], "n_slices": PATIENTS * EACH, "n_patients": PATIENTS,
        "metrics": {name: metric(name, value) for name, value in values.items()},
        "parameters": 1_040_000, "macs": 31_000_000_000, "train_seconds": 120.0,
        "seconds_per_slice": 0.4, "device": "CPU, 2 threads", "status": "done", "seeds": (0,),
    } | changes  # fmt: skip
    write_model(path / "result.json", Result(**result))
    # A patient's own difficulty, and a little that a method adds: paired tests can tell rows apart.
    random = np.random.default_rng(len(folder))
    scores = [
        Score(slice=slice_key(number), patient=f"p{number // EACH:02d}", metric=name,
              value=value + number % 7 / 10 + random.normal(0, 0.05))
        for name, value in values.items()
        for number in range(PATIENTS * EACH)
    ]  # fmt: skip
    write_scores(path / "scores.csv", scores)
    (path / "environment.json").write_text(json.dumps({"python": "3.11", "packages": {"a": "1"}}))
    return path


def slice_key(number: int) -> str:
    return f"{number:016x}"


@pytest.fixture
def make_run(tmp_path) -> Callable[..., Path]:
    return lambda folder, method, psnr, **changes: run_folder(
        tmp_path / "runs", folder, method, psnr, **changes
    )


def write_log(path: Path) -> None:
    for step in range(10, 400, 10):
        record = Record(step, step / 400, step, 1e-3, 9.0, {"cgan": 0.7, "l1": 1 / step}, None)
        if step % 50 == 0:
            record = Record(**{**asdict(record), "validation_psnr": 20 + step / 100})
        append(path, record)


def example_runs(runs: Path) -> None:
    """A board with a bit of everything: twins, ties, a baseline, a diverged run, sidecars."""
    twin = run_folder(runs, "resunet-l1-11111111", "resunet · l1", 29.999)
    gan = run_folder(
        runs, "resunet-cgan+l1-22222222", "resunet · cgan + 100*l1", 28.0,
        twin=f"{twin.name:0<64}"[:64],
        health=Health(real_accuracy=0.8, fake_accuracy=0.75, saturated=0.1, gradient_ratio=0.02,
                      output_spread=0.97),
    )  # fmt: skip
    baseline = {"kind": "baseline", "parameters": 0, "macs": None, "train_seconds": 0.0,
                "seeds": (), "device": "CPU, 1 core"}  # fmt: skip
    run_folder(runs, "bm3d-33333333", "bm3d", 30.0, licence="non-commercial", **baseline)
    run_folder(runs, "median-44444444", "median(size=5)", 24.0, **baseline)
    run_folder(runs, "noisy-55555555", "noisy", 14.15, **baseline)
    run_folder(runs, "unet7-l1-66666666", "unet7 · l1", None, status="diverged",
              reason="the loss is NaN at step 40", device="NVIDIA H200")  # fmt: skip
    write_log(gan / "log.jsonl")
    recipe = f"{gan.name:0<64}"[:64]
    write_model(gan / "verification.json", Verification(
        recipe=recipe, metric="psnr", reported=28.0, measured=27.99, passed=True))  # fmt: skip
    write_model(gan / "audit.json", Finding(
        recipe=recipe, columns={"missed lesions": MetricResult(
            mean=0.04, lo=0.01, hi=0.09, unit="", better="lower", version=1, n=50, missing=0)},
        places=[{"slice": slice_key(3), "z": 5.21}]))  # fmt: skip
    write_model(gan / "physics.json", Finding(
        recipe=recipe, columns={}, details={"pixels": 512},
        curves={name: Curve(x=[0, 0.5, 1], y=[0, high, 0], x_label="cycles/mm", y_label="NPS")
                for name, high in (("output", 1.0), ("noisy", 4.0))}))  # fmt: skip


def blended_runs(runs: Path) -> None:
    """The example, and three networks between the twins."""
    example_runs(runs)
    ends = ("resunet-l1-11111111", "resunet-cgan+l1-22222222")
    for weight, psnr, lpips in ((0.25, 29.8, 0.21), (0.5, 29.3, 0.17), (0.75, 28.7, 0.15)):
        between(runs, ends, weight, psnr, lpips)


def between(
    runs: Path, ends: tuple[str, str], weight: float, psnr: float, lpips: float, **changes
) -> Path:
    """Write the run of a blend of two others."""
    losses = ("l1", "cgan + 100*l1")
    parents = tuple(
        Parent(
            method=f"resunet · {loss}",
            recipe=f"{end:0<64}"[:64],
            family=f"resunet {loss}",
            weights="a" * 64,
        )
        for loss, end in zip(losses, ends, strict=True)
    )
    facts = {
        "blend": Blend(weight=weight, twins=True, parents=parents),
        "lpips": lpips,
        "train_seconds": 0.0,
    } | changes
    method = f"resunet · l1 to cgan + 100*l1, w = {weight:g}"
    return run_folder(runs, f"resunet-blend-{ends[0][-1]}{weight:g}", method, psnr, **facts)


def picture(painter: int, number: int) -> np.ndarray:
    """A disc that differs from painter to painter, in HU; it lies outside the task's window too."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    disc = (rows - 40) ** 2 + (columns - 40 - 3 * number) ** 2 < (20 + painter) ** 2
    noise = np.random.default_rng(number).normal(0, 78.4, (SIDE, SIDE))
    return np.where(disc, 60.0, -120.0) + (noise if painter == 1 else 0) + painter


def write_album(site: Site, output: Output, count: int = 3) -> Album:
    """Pictures of the first board's rows."""
    board = site.boards[0]
    folder = site.folder(board)
    names = {"clean": "clean", "noisy": "noisy"}
    names |= {slug: entry.result.method for slug, entry in site.members(board)}
    painters = []
    for place, (key, name) in enumerate(names.items()):
        psnr = tuple(None if place == 0 else 20.0 + place + n / 10 for n in range(count))
        painters.append(Painter(key, name, psnr))
        for number in range(count):
            at = f"{folder}/{slice_key(number)}/{key}"
            output.write(f"pictures/{at}.js", script(at, picture(place, number)))
    shown = tuple(Shown(slice_key(n), f"{n + 1} · patient p{n:02d}") for n in range(count))
    return Album(folder, shown, tuple(painters), (), (-160.0, 240.0), 78.4, False)


def page_of(runs: Path, out: Path, *, pictures: bool = True) -> Site:
    found, problems = collect(runs)
    site = Site(found, boards(found), problems, find())
    output = Output(out)
    output.open()
    albums = {"board-1": write_album(site, output)} if pictures else {}
    write_site(site, output, albums, "no pictures of this board")
    output.finish()
    return site


@pytest.fixture(scope="session")
def write_run() -> Callable[..., Path]:
    return run_folder


@pytest.fixture
def write_example() -> Callable[[Path], None]:
    return example_runs


@pytest.fixture(scope="session")
def write_page() -> Callable[..., Site]:
    return page_of


@pytest.fixture(scope="session")
def example(tmp_path_factory) -> Path:
    """The example's page."""
    folder = tmp_path_factory.mktemp("example")
    example_runs(folder / "runs")
    page_of(folder / "runs", folder / "page")
    return folder / "page"


@pytest.fixture
def make_blend(tmp_path) -> Callable[..., Path]:
    return lambda ends, weight, psnr, lpips, **changes: between(
        tmp_path / "runs", ends, weight, psnr, lpips, **changes
    )


@pytest.fixture(scope="session")
def blended(tmp_path_factory) -> Path:
    """A page with networks between two others."""
    folder = tmp_path_factory.mktemp("blended")
    blended_runs(folder / "runs")
    page_of(folder / "runs", folder / "page", pictures=False)
    return folder / "page"


@pytest.fixture(scope="session")
def two_boards(tmp_path_factory) -> Path:
    """A page of two boards, without pictures."""
    folder = tmp_path_factory.mktemp("two")
    example_runs(folder / "runs")
    run_folder(folder / "runs", "other", "resunet · mse", 31.0, task="ct-sigma50-wide")
    page_of(folder / "runs", folder / "page", pictures=False)
    return folder / "page"


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A headless Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if not found:
        pytest.skip("no Chromium on this machine: apt install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()
