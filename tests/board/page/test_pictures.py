import base64
import json
import zlib

import numpy as np
import pytest
import torch

from denoisebench.board.board import boards, collect
from denoisebench.board.page.output import Output
from denoisebench.board.page.pictures import Studio, chosen, fits, make_album
from denoisebench.board.page.pixels import STEP_HU, unpack
from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.plugins.find import find
from denoisebench.scoring.classical import run_baseline
from denoisebench.scoring.run import Bench
from denoisebench.task import load_task

TASK = load_task("ct-sigma50").model_copy(update={"metrics": ("psnr",)})


def patients(counts: list[int]) -> tuple[Slice, ...]:
    return tuple(
        Slice(np.full((8, 8), 10 * patient + place, np.int16), f"p{patient}", "1", float(place))
        for patient, count in enumerate(counts)
        for place in range(count)
    )


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, ["p0"]), (2, ["p0", "p2"]), (3, ["p0", "p1", "p2"]), (100, ["p0"] * 5 + ["p1", "p2"])],
)
def test_slices_are_spread_over_patients_before_one_shows_two(count, expected):
    data = DataSet("d", (), (), patients([5, 1, 1]))
    assert [one.patient for one in chosen(data, count)] == expected


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Two baselines, scored on a small phantom."""
    folder = tmp_path_factory.mktemp("scored")
    slices = tuple(Slice(draw(n, 2, size=64), str(n), "1") for n in range(5))
    data = DataSet("phantom", slices[:1], slices[1:2], slices[2:])
    bench = Bench(data, TASK, find(), torch.device("cpu"), folder / "runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENOISEBENCH_HOME", str(folder / "home"))
        for text in ("noisy", "gaussian(width=2)"):
            run_baseline(bench, text)
        yield data, folder / "runs"


def album_of(scored, out, count=2):
    data, runs = scored
    found, _ = collect(runs)
    (board,) = boards(found)
    assert fits(board, data)
    studio = Studio(data, find(), torch.device("cpu"), count)
    output = Output(out)
    output.open()
    return make_album(board, [(entry.folder, entry) for entry in found], "b", studio, output)


def read(path) -> np.ndarray:
    words = path.read_text().removeprefix("denoisebench.register(").removesuffix(");\n")
    _, rows, columns, packed = json.loads(f"[{words}]")
    return unpack(zlib.decompress(base64.b64decode(packed)), rows, columns)


def test_pictures_score_what_the_run_scored(scored, tmp_path):
    album = album_of(scored, tmp_path / "page")
    assert [painter.name for painter in album.painters] == ["clean", "noisy", "gaussian(width=2)"]
    gaussian = album.painters[2]
    assert gaussian.note is None
    for shown, psnr in zip(album.slices, gaussian.psnr, strict=True):
        folder = tmp_path / "page/pictures/b" / shown.key
        error = (read(folder / f"{gaussian.key}.js") - read(folder / "clean.js")) * TASK.grey_per_hu
        # 0.01 dB: two pictures in steps of half a HU, which is 0.3 grey levels, beside errors of 15
        assert 10 * np.log10(255**2 / np.mean(error**2)) == pytest.approx(psnr, abs=0.01)


def test_the_noise_of_the_noisy_slice_is_the_tasks(scored, tmp_path):
    album = album_of(scored, tmp_path / "page")
    folder = tmp_path / "page/pictures/b" / album.slices[0].key
    noise = read(folder / "noisy.js") - read(folder / "clean.js")
    assert album.sigma_hu == pytest.approx(50 * 400 / 255)
    # 4096 pixels: the deviation is known to 1.1 %, three times that.
    assert noise.std() == pytest.approx(album.sigma_hu, rel=0.034)
    assert np.abs(noise / STEP_HU - np.rint(noise / STEP_HU)).max() == 0


def test_a_run_whose_scores_were_edited_is_told(scored, tmp_path):
    data, runs = scored
    (path,) = runs.glob("gaussian*/scores.csv")
    before = path.read_text()
    lines = before.splitlines()
    edited = [lines[0]] + [f"{line.rsplit(',', 1)[0]},40.0" for line in lines[1:]]
    path.write_text("\n".join(edited) + "\n")
    try:
        album = album_of((data, runs), tmp_path / "page")
    finally:
        path.write_text(before)
    assert "dB from what its scores.csv says" in album.painters[2].note


def test_a_run_that_cannot_be_opened_is_left_out_with_its_reason(scored, tmp_path):
    data, runs = scored
    (path,) = runs.glob("gaussian*/result.json")
    before = path.read_text()
    path.write_text(before.replace("gaussian(width=2)", "gausian(width=2)"))
    try:
        album = album_of((data, runs), tmp_path / "page")
    finally:
        path.write_text(before)
    assert len(album.painters) == 2
    assert "no baseline named 'gausian'" in album.left_out[0]
