"""Networks between two others, on a board's page and in files of their own."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from statistics import fmean
from xml.etree import ElementTree

import pytest
from matplotlib.image import imread

from denoisebench.board.blends import from_first, ways
from denoisebench.board.board import boards, collect
from denoisebench.board.page.figures.blends import blend_plots, save_curve
from denoisebench.board.page.figures.svg import COLOURS, light
from denoisebench.board.page.site import kind_of
from denoisebench.errors import UsageError

ENDS = ("resunet-l1-1", "resunet-cgan+l1-2")


def kind(row) -> str:
    return kind_of(row.members[0])


@pytest.fixture
def board(tmp_path, make_run, make_blend):
    def built(*, shuffled=False):
        make_run(ENDS[0], "resunet · l1", 30.0, lpips=0.3)
        make_run(ENDS[1], "resunet · cgan + 100*l1", 28.0, lpips=0.1,
                 twin=f"{ENDS[0]:0<64}"[:64])  # fmt: skip
        points = [(0.25, 29.8, 0.22), (0.5, 29.3, 0.16), (0.75, 28.7, 0.12)]
        for weight, psnr, lpips in points[::-1] if shuffled else points:
            make_blend(ENDS, weight, psnr, lpips)
        found, _ = collect(tmp_path / "runs")
        return boards(found)[0]

    return built


def draw(board):
    (plot,) = blend_plots(board, kind, lambda row: f"runs/{row.entry.folder}.html")
    return plot


def test_a_way_goes_from_the_first_to_the_second_by_weight(board):
    (way,) = ways(board(shuffled=True))
    assert [point.weight for point in way.points] == [0, 0.25, 0.5, 0.75, 1]
    methods = [point.row.result.method for point in way.points]
    assert (methods[0], methods[-1]) == ("resunet · l1", "resunet · cgan + 100*l1")
    assert (way.distortion, way.perception) == ("psnr", "lpips")
    assert way.title == "resunet · l1 to resunet · cgan + 100*l1"


def test_the_points_stand_in_order_along_both_axes(board):
    """What is drawn, read back: from the first to the second errors grow and lpips falls."""
    root = ElementTree.fromstring(draw(board()).svg)
    places = {}
    for group in root.iter("{http://www.w3.org/2000/svg}g"):
        if found := re.fullmatch(r"blend0-blend0-(\d)", group.get("id", "")):
            (use,) = group.iter("{http://www.w3.org/2000/svg}use")
            places[int(found[1])] = (float(use.get("x")), float(use.get("y")))
    across, down = zip(*(places[place] for place in sorted(places)), strict=True)
    assert len(places) == 5
    assert list(across) == sorted(across)  # PSNR falls to the right: its axis is turned round
    assert list(down) == sorted(down)  # SVG counts from the top


def test_points_are_named_by_their_weight_and_ends_by_their_method(board):
    svg = draw(board()).svg
    for text in ("w = 0.25", "w = 0.5", "w = 0.75", "resunet · l1", "↙ better",
                 "psnr (dB), more is better", "lpips, less is better"):  # fmt: skip
        assert f">{text}<" in svg, text
    assert 'aria-label="resunet · l1 to cgan + 100*l1, w = 0.5: psnr 29.3, lpips 0.16"' in svg
    assert "var(--blend)" in svg


def test_distortion_is_an_error_where_the_board_has_one(board, tmp_path):
    board()
    for path in (tmp_path / "runs").rglob("*"):
        if path.suffix in (".json", ".csv"):
            path.write_text(path.read_text().replace("ssim", "rmse_hu"))
    (way,) = ways(boards(collect(tmp_path / "runs")[0])[0])
    assert way.distortion == "rmse_hu"


def test_other_rows_are_context_and_far_ones_are_named(board, make_run, tmp_path):
    baseline = {"kind": "baseline", "parameters": 0}
    board()
    make_run("bm3d", "bm3d", 27.5, lpips=0.35, **baseline)
    make_run("noisy", "noisy", 14.0, lpips=0.9, **baseline)
    plot = draw(boards(collect(tmp_path / "runs")[0])[0])
    assert ">bm3d<" in plot.svg
    assert plot.left_out == ("noisy (14, 0.9)",)


def test_a_row_is_named_as_on_the_board(board, make_run, tmp_path):
    """With what tells it from others of its method."""
    board()
    make_run("late", "resunet · cgan + 100*l1", 29.0, lpips=0.2)
    found = boards(collect(tmp_path / "runs")[0])[0]
    rows = [replace(row, entry=replace(row.entry, apart="gan_after 0.5"))
            if row.entry.folder == "late" else row for row in found.rows]  # fmt: skip
    named = draw(replace(found, rows=tuple(rows))).svg
    assert ">resunet · cgan + 100*l1 (gan_after 0.5)<" in named


def test_an_end_from_elsewhere_is_missed_and_told(make_run, make_blend, tmp_path):
    make_run(ENDS[0], "resunet · l1", 30.0, lpips=0.3)
    make_blend(ENDS, 0.5, 29.3, 0.16)
    found = boards(collect(tmp_path / "runs")[0])[0]
    (way,) = ways(found)
    assert [point.weight for point in way.points] == [0, 0.5]
    assert "An end that is no row of this board is missing" in draw(found).caption


def test_seeds_of_both_ends_are_one_way(make_run, make_blend, tmp_path):
    for seed in (0, 1):
        ends = (f"l1-{seed}", f"gan-{seed}")
        known = {"seeds": (seed,)}
        make_run(ends[0], "resunet · l1", 30.0 + seed, lpips=0.3, family="a", **known)
        make_run(ends[1], "resunet · cgan + 100*l1", 28.0 + seed, lpips=0.1, family="b", **known)
        make_blend(ends, 0.5, 29.3 + seed, 0.16, family="c", **known)
    make_blend(ends, 0.25, 30.8, 0.2, family="d", seeds=(1,))  # of one seed only
    (way,) = ways(boards(collect(tmp_path / "runs")[0])[0])
    assert [point.weight for point in way.points] == [0, 0.25, 0.5, 1]
    assert [len(point.row.members) for point in way.points] == [2, 1, 2, 2]
    # Held against its own parent of 31.0 dB, not against the mean of both seeds, 30.5 dB. 0.06: a
    # slice's scores deviate by 0.05 dB, over 24 slices of both.
    assert from_first(way, way.points[1], "psnr").mean == pytest.approx(-0.2, abs=0.06)


def test_an_end_is_its_blends_parents_and_no_other_seed(board, make_run, tmp_path):
    board()
    for folder, seed in ((ENDS[0], 0), ("l1-again", 1)):
        if seed:
            make_run(folder, "resunet · l1", 20.0, lpips=0.9, seeds=(1,))
        path = tmp_path / "runs" / folder / "result.json"
        path.write_text(path.read_text().replace('"family": null', '"family": "a"', 1))
    found = boards(collect(tmp_path / "runs")[0])[0]
    assert [row.result.seeds for row in found.rows if row.result.method == "resunet · l1"] == [
        (0, 1)
    ]
    (way,) = ways(found)
    assert way.points[0].row.result.seeds == (0,)
    assert way.points[0].row.result.metrics["psnr"].mean == 30.0


def test_blends_stand_in_no_other_plot(board):
    from denoisebench.board.page.figures.plots import plots

    for plot in plots(board(), kind, lambda row: f"runs/{row.entry.folder}.html"):
        assert "w = 0.5" not in plot.svg


def test_what_a_point_gains_and_loses_is_paired_by_patient(board):
    (way,) = ways(board())
    point = way.points[2]
    found = from_first(way, point, "psnr")
    ours, theirs = (
        {(s.slice, s.patient): s.value for s in row.entry.scores if s.metric == "psnr"}
        for row in (point.row, way.points[0].row)
    )
    # 1e-9: float64 means in another order; every patient has two slices
    assert found.mean == pytest.approx(fmean(ours[k] - theirs[k] for k in ours), abs=1e-9)
    assert found.patients == 12
    assert found.mean < 0
    assert from_first(way, way.points[0], "psnr") is None


class Table(HTMLParser):
    """Cells of the table of points."""

    def __init__(self, text: str):
        super().__init__()
        self.rows, self.inside, self.cell = [], False, None
        self.feed(text[text.index('<h2 id="blends">') :].split("</section>")[0])

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        self.cell = [] if tag in ("td", "th") else self.cell

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append("".join(self.cell))
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)


def test_the_table_beside_the_curve_says_the_same(blended):
    text = (blended / "index.html").read_text(encoding="utf-8")
    rows = Table(text).rows
    assert rows[0] == ["network", "psnr dB ↑", "lpips ↓", "psnr minus first", "lpips minus first"]
    assert [row[0] for row in rows[1:]] == [
        "resunet · l1", "w = 0.25", "w = 0.5", "w = 0.75", "resunet · cgan + 100*l1",
    ]  # fmt: skip
    assert rows[3][1] == "29.30 [28.90, 29.70]"
    # 0.06: deviation of 0.05 dB a slice, over 24 slices of both
    assert float(rows[3][3].split()[0]) == pytest.approx(29.3 - 29.999, abs=0.06)
    assert rows[3][3].endswith("] 0/12")
    assert "is to tune on the test split" in text


def test_a_page_without_blends_says_nothing_of_them(example):
    text = (example / "index.html").read_text(encoding="utf-8")
    assert "Between two networks" not in text
    assert 'value="blend"' not in text


def test_a_blends_page_links_its_ends(blended):
    (path,) = (blended / "runs").glob("*blend*0-5.html")
    text = path.read_text(encoding="utf-8")
    assert "w = 0.5" in text
    assert 'href="resunet-l1-11111111.html"' in text
    assert 'href="resunet-cgan-l1-22222222.html"' in text


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_curve_is_saved_on_white_in_the_pages_light_colours(board, tmp_path, ending):
    built = board()
    (way,) = ways(built)
    path = tmp_path / f"curve.{ending}"
    save_curve(path, [built], way.parents, kind)
    if ending == "svg":
        text = path.read_text()
        assert light()["blend"] in text
        assert not [name for name, stands in COLOURS.items() if stands in text]
    else:
        pixels = imread(path)
        assert pixels.shape[0] > 600
        assert (pixels[0, 0, :3] == 1).all()
        assert pixels[0, 0, 3:].min(initial=1) == 1


def test_a_curve_that_is_not_on_the_board_is_not_drawn(board, tmp_path):
    built = board()
    (way,) = ways(built)
    with pytest.raises(UsageError, match="nothing to draw"):
        save_curve(tmp_path / "curve.svg", [built], way.parents[::-1], kind)
    assert not (tmp_path / "curve.svg").exists()


def test_two_ways_of_one_name_have_two_figures(make_run, make_blend, tmp_path):
    """A GAN that joins late and one from the start are called alike."""
    make_run(ENDS[0], "resunet · l1", 30.0, lpips=0.3)
    for name, psnr, weight in (("gan-2", 29.0, 0.5), ("gan-3", 25.0, 0.25)):
        make_run(name, "resunet · cgan + 100*l1", psnr, lpips=0.2)
        path = make_blend((ENDS[0], name), weight, psnr + 0.4, 0.25) / "result.json"
        path.write_text(path.read_text().replace('"resunet cgan + 100*l1"', f'"{name}"'))
    (found,) = boards(collect(tmp_path / "runs")[0])
    drawn = blend_plots(found, kind, lambda row: f"runs/{row.entry.folder}.html")
    assert len(drawn) == len(ways(found)) == 2
    for way, plot in zip(ways(found), drawn, strict=True):
        assert f"psnr {way.points[-1].row.result.metrics['psnr'].mean:.4g}" in plot.svg
    assert drawn[0].svg != drawn[1].svg
