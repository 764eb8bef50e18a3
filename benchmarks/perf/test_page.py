"""A page of 200 rows × 100 slices: how soon its table is there, and which pictures it loads."""

import shutil
import statistics
from pathlib import Path

import numpy as np
import pytest

from denoisebench.board.board import boards, collect
from denoisebench.board.page.output import Output
from denoisebench.board.page.pictures import Album, Painter, Shown
from denoisebench.board.page.pixels import script
from denoisebench.board.page.site import Site, write_site
from denoisebench.plugins.find import find
from denoisebench.scoring.result import MetricResult, Result, Score, write_model, write_scores

ROWS, SLICES, PATIENTS = 200, 100, 25
PROMISE_SECONDS = 2.0
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
PAINTED = (
    "addEventListener('DOMContentLoaded', () => requestAnimationFrame(() => setTimeout("
    "() => { window.painted = performance.now(); document.title = 'painted'; })))"
)


def write_runs(runs: Path) -> None:
    random = np.random.default_rng(0)
    difficulty = random.normal(0, 1, SLICES)
    for number in range(ROWS):
        folder = runs / f"run-{number:03d}"
        folder.mkdir(parents=True)
        means = {"psnr": 30 - number / 40, "ssim": 0.9 - number / 1000, "lpips": 0.1 + number / 500}
        metrics = {
            name: MetricResult(mean=mean, lo=mean - 0.01, hi=mean + 0.01, unit="", version=1,
                               better="lower" if name == "lpips" else "higher", n=SLICES, missing=0)
            for name, mean in means.items()
        }  # fmt: skip
        result = Result(
            method=f"network{number} · cgan + {number}*l1", kind="network", task="ct-sigma50",
            task_version=1, data="phantom", data_digest="d", split_digest="e",
            recipe=f"{number:064x}", n_slices=SLICES, n_patients=PATIENTS, metrics=metrics,
            parameters=10**6 + 10**4 * number, macs=10**10, seconds_per_slice=0.01 * (1 + number),
            device=f"device {number % 4}", status="done",
        )  # fmt: skip
        write_model(folder / "result.json", result)
        write_scores(folder / "scores.csv", [
            Score(slice=f"{n:016x}", patient=f"p{n % PATIENTS}", metric=name,
                  value=mean + difficulty[n] + random.normal(0, 0.1))
            for name, mean in means.items() for n in range(SLICES)
        ])  # fmt: skip


def write_page(runs: Path, out: Path) -> None:
    """The page with a picture of every method on every slice, eight pixels wide."""
    found, problems = collect(runs)
    site = Site(found, boards(found), problems, find())
    output = Output(out)
    output.open()
    slices = tuple(Shown(f"{n:016x}", f"{n} · patient p{n % PATIENTS}") for n in range(SLICES))
    keys = ["clean", "noisy", *(slug for slug, _ in site.members(site.boards[0]))]
    painters = tuple(Painter(key, key, (30.0,) * SLICES) for key in keys)
    for one in slices:
        for key in keys:
            at = f"board-1/{one.key}/{key}"
            output.write(f"pictures/{at}.js", script(at, np.zeros((8, 8))))
    album = Album("board-1", slices, painters, (), (-160.0, 240.0), 78.4, False)
    write_site(site, output, {"board-1": album}, "")
    output.finish()


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write_runs(folder / "runs")
    write_page(folder / "runs", folder / "page")
    return folder / "page"


@pytest.fixture(scope="module")
def chromium():
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


def test_the_table_of_200_rows_is_there_within_two_seconds(benchmark, compared, chromium, page):
    seconds = []

    def look() -> None:
        tab = chromium.new_page()
        tab.add_init_script(PAINTED)
        tab.goto((page / "index.html").as_uri())
        while tab.title() != "painted":
            tab.wait_for_timeout(10)
        assert tab.locator("table.filtered tbody tr:visible").count() == ROWS
        seconds.append(tab.evaluate("window.painted") / 1000)
        tab.close()

    benchmark.pedantic(look, rounds=5, warmup_rounds=1)
    painted = statistics.median(seconds)
    compared(
        painted / PROMISE_SECONDS,
        beside=f"{PROMISE_SECONDS:g} s promised",
        target=1.0,
        at_most=True,
        seconds=painted,
    )


def test_only_the_pictures_looked_at_are_loaded(benchmark, chromium, page):
    asked = []

    def look() -> None:
        asked.clear()
        tab = chromium.new_page()
        tab.on("request", lambda request: "/pictures/" in request.url and asked.append(request.url))
        tab.goto((page / "compare-board-1.html").as_uri())
        tab.locator("#stage[aria-busy=false]").wait_for()
        tab.close()

    benchmark.pedantic(look, rounds=5, warmup_rounds=1)
    assert len(asked) == 2  # of 20,200
