import math
import re
from dataclasses import asdict
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from denoisebench.board.board import boards, collect
from denoisebench.board.page.figures.curves import finding_curves, training_curves
from denoisebench.board.page.figures.names import Named, place_names
from denoisebench.board.page.figures.plots import plots
from denoisebench.scoring.result import Curve, Finding
from denoisebench.training.log import Record

ODD = ["$x^2$", "_hidden", "a\x00\x1bb", "<script>alert(1)</script>", "\"&'", "é" * 500, "\u202e"]


@pytest.fixture
def draw(tmp_path):
    def drawn():
        found, _ = collect(tmp_path / "runs")
        return plots(
            boards(found)[0], lambda row: "network", lambda row: f"runs/{row.entry.folder}.html"
        )

    return drawn


def links(plot) -> list[str]:
    return re.findall(r'href="(runs/[^"]*)"', plot.svg)


def test_devices_never_share_a_plot(draw, make_run):
    for number, device in enumerate(["CPU", "CPU", "H200", "H200", "T4"]):
        make_run(f"r{number}", f"m{number}", 30.0 + number, device=device)
    timed = {plot.title: links(plot) for plot in draw() if " time " in plot.title}
    assert {title: sorted(found) for title, found in timed.items()} == {
        "Quality and time on CPU": ["runs/r0.html", "runs/r1.html"],
        "Quality and time on H200": ["runs/r2.html", "runs/r3.html"],
    }


def test_a_point_links_to_its_run_and_says_what_it_is(draw, make_run):
    make_run("a", "resunet · l1", 30.0)
    make_run("b", "unet7 · l1", 29.0)
    first = draw()[0]
    assert sorted(links(first)) == ["runs/a.html", "runs/b.html"]
    assert 'aria-label="resunet · l1: psnr 30, lpips (less is better) 0.25"' in first.svg


def test_a_row_far_off_is_named_instead_of_squeezing_the_others(draw, make_run):
    for number, psnr in enumerate([30.0, 29.0, 28.0, 27.0, 14.0]):
        make_run(f"r{number}", f"m{number}", psnr)
    assert draw()[0].left_out == ("m4 (14 dB), far off",)


def test_a_gan_is_joined_to_its_twin(draw, make_run):
    make_run("a", "a", 30.0)
    before = draw() if make_run("b", "b", 28.0) else ()
    dashes = [plot.svg.count("stroke-dasharray") for plot in before]
    make_run("c", "c", 27.0, twin=f"{'a':0<64}")
    assert all(plot.svg.count("stroke-dasharray") == 1 for plot in draw())
    assert dashes == [0] * len(dashes)


def test_figures_hold_no_style_and_take_the_pages_colours(draw, make_run):
    make_run("a", "a", 30.0)
    make_run("b", "b", 29.0)
    for plot in draw():
        assert "style" not in plot.svg
        assert "var(--network)" in plot.svg
        assert not re.search(r'(fill|stroke)="#(?!000000)', plot.svg)


def test_figures_are_the_same_bytes_when_drawn_again(draw, make_run):
    make_run("a", "a", 30.0)
    make_run("b", "b", 29.0)
    assert [plot.svg for plot in draw()] == [plot.svg for plot in draw()]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_drawn_as_text(draw, make_run, name):
    make_run("a", name, 30.0)
    make_run("b", "b", 29.0)
    for plot in draw():
        tags = {each.tag.split("}")[1] for each in ElementTree.fromstring(plot.svg).iter()}
        assert tags <= {"svg", "g", "path", "defs", "use", "text", "a", "title", "clipPath", "rect"}


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e300", "-1e300"])
def test_values_that_no_axis_can_hold_are_not_drawn(draw, make_run, value):
    make_run("a", "a", 30.0)
    make_run("b", "b", 29.0)
    path = make_run("c", "c", 28.0) / "result.json"
    text = path.read_text()
    path.write_text(text.replace('"seconds_per_slice": 0.4', f'"seconds_per_slice": {value}'))
    assert path.read_text() != text
    timed = next(plot for plot in draw() if " time " in plot.title)
    assert links(timed) == ["runs/a.html", "runs/b.html"]


def record(step: int, **changes) -> Record:
    plain = Record(step, 0.1, 1.0, 1e-3, 9.0, {"l1": 1.0 / step}, 20.0 + step)
    return Record(**{**asdict(plain), **changes})


def test_a_log_gives_losses_and_validation():
    drawn = training_curves([record(step) for step in range(1, 20)])
    assert [plot.title for plot in drawn] == ["Losses", "Validation"]


def test_a_log_that_is_not_what_it_should_be_is_drawn_as_far_as_it_goes():
    records = [record(1), record(2, losses={"l1": "x" * 9, "_a": 1.0}), record(3, losses=None),
               record(4, validation_psnr=[1]), record(5)]  # fmt: skip
    assert [plot.title for plot in training_curves(records)] == ["Losses", "Validation"]


def test_health_of_the_gan_is_drawn_where_the_log_holds_it():
    records = [record(step) for step in range(1, 5)]
    for number, each in enumerate(records):
        health = {"real_accuracy": 0.5, "fake_accuracy": number / 4, "gradient_ratio": 0.1}
        object.__setattr__(each, "health", health)
    titles = [plot.title for plot in training_curves(records)]
    assert titles == ["Losses", "Validation", "Critic", "Balance of the GAN"]


def test_a_long_log_is_thinned_and_keeps_its_end():
    from denoisebench.board.page.figures.curves import MOST_POINTS, _finite

    x, y = _finite((step, step) for step in range(10_001))
    assert len(x) <= MOST_POINTS + 1
    assert x[-1] == y[-1] == 10_000


def test_curves_with_the_same_axes_share_a_plot():
    def curve(label: str) -> Curve:
        return Curve(x=[0, 1], y=[1, 2], x_label="cycles/mm", y_label=label)

    finding = Finding(
        recipe="r", columns={}, curves={"a": curve("NPS"), "b": curve("NPS"), "c": curve("TTF")}
    )
    assert [plot.title for plot in finding_curves(finding, "physics")] == ["NPS", "TTF"]


@pytest.mark.parametrize("times", [(0.45, 0.48), (0.1, 0.1), (1e-4, 20.0), (0.9, 3.0)])
def test_a_time_axis_has_a_few_round_numbers(draw, make_run, times):
    for number, seconds in enumerate(times):
        make_run(f"r{number}", f"m{number}", 30.0 + number, seconds_per_slice=seconds)
    timed = next(plot for plot in draw() if " time " in plot.title)
    ticks = re.findall(r">([\d.]+) (m?s)<", timed.svg)
    seconds = [float(number) / (1000 if unit == "ms" else 1) for number, unit in ticks]
    assert 2 <= len(seconds) <= 8
    assert {f"{each:e}"[0] for each in seconds} <= {"1", "2", "5"}
    assert min(seconds) <= 3 * min(times)
    assert max(seconds) >= max(times) / 3


def test_a_name_without_room_stands_further_off_with_a_line_to_its_point():
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    crowd = [Named(f"method-{n}", 0.4 + 0.04 * n, 0.5) for n in range(5)]
    place_names(axes, crowd, most=5, longest=20)
    led = [text for text in axes.texts if text.arrow_patch is not None]
    assert {text.get_text() for text in axes.texts} == {point.name for point in crowd}
    assert 0 < len(led) < len(crowd)
    assert all(math.hypot(*text.xyann) > 20 for text in led)
    assert all(text.xy == (point.x, point.y) for text in led for point in crowd
               if point.name == text.get_text())  # fmt: skip
