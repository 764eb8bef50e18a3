"""The page in a real browser, opened from file://."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from denoisebench.board.page.pixels import STEP_HU, script

PAGES = ("index.html", "compare-board-1.html", "runs/resunet-cgan-l1-22222222.html",
         "runs/unet7-l1-66666666.html")  # fmt: skip
PICTURE = "document.getElementById('pane-a').toDataURL()"


class Tab:
    """A tab that notes what it asks for, and what goes wrong in it."""

    def __init__(self, context):
        self.page = context.new_page()
        self.asked, self.wrong = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self.wrong.append(said.text))

    def open(self, path: Path, fragment: str = ""):
        self.page.goto(f"{path.as_uri()}{fragment}")
        if path.name.startswith("compare"):
            self.settled()
        return self

    def settled(self):
        """Wait until what was asked for is drawn."""
        self.page.locator("#stage[aria-busy=false]").wait_for()
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => "
                           "requestAnimationFrame(done)))")  # fmt: skip

    def network(self) -> list[str]:
        return [url for url in self.asked if not url.startswith(("file:", "data:", "blob:"))]

    def pictures(self) -> list[str]:
        return [url.split("/pictures/")[1] for url in self.asked if "/pictures/" in url]


@pytest.fixture
def tab(chromium):
    contexts = []

    def make(**options) -> Tab:
        contexts.append(chromium.new_context(**{"viewport": {"width": 1280, "height": 900}}
                                             | options))  # fmt: skip
        return Tab(contexts[-1])

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    package = pytest.importorskip("axe_playwright_python", reason="pip install axe-core in test")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def faults(tab: Tab, axe: str) -> list[str]:
    """What axe finds that is serious or critical."""
    tab.page.evaluate(axe)
    found = tab.page.evaluate("axe.run({preload: false})")["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html']}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_asks_no_network_and_fails_nowhere(tab, axe, example, name, scheme):
    opened = tab(color_scheme=scheme).open(example / name)
    assert opened.wrong == []
    assert opened.network() == []
    assert faults(opened, axe) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_of_blends_is_accessible_and_fits_a_phone(tab, axe, blended, scheme):
    opened = tab(color_scheme=scheme).open(blended / "index.html")
    assert opened.wrong == []
    assert opened.network() == []
    assert faults(opened, axe) == []
    phone = tab(viewport={"width": 390, "height": 844}).open(blended / "index.html")
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 390


def test_blends_are_filtered_as_a_kind_of_their_own(tab, blended):
    opened = tab().open(blended / "index.html")
    assert len(methods(opened)) == 9
    opened.page.get_by_role("checkbox", name="blend").uncheck()
    assert len(methods(opened)) == 6
    assert not [name for name in methods(opened) if "w =" in name]


def test_an_index_of_boards_is_accessible(tab, axe, two_boards):
    opened = tab().open(two_boards / "index.html")
    assert faults(opened, axe) == []
    opened.page.get_by_role("link", name="ct-sigma50-wide").click()
    assert "resunet · mse" in opened.page.get_by_role("table").first.inner_text()


def test_every_link_of_a_page_leads_to_a_file(tab, example, two_boards):
    for root in (example, two_boards):
        opened = tab()
        for path in sorted(root.rglob("*.html")):
            opened.open(path)
            links = opened.page.eval_on_selector_all(
                "a[href]", "all => all.map(each => (each.href.baseVal ? new URL("
                "each.href.baseVal, document.baseURI).href : each.href))")  # fmt: skip
            for link in links:
                target = Path(link.removeprefix("file://").split("#")[0])
                assert target.is_file(), f"{path.name} links to {link}"


def test_a_planted_fault_turns_the_accessibility_check_red(tab, axe, example):
    opened = tab().open(example / "index.html")
    opened.page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [each.split(":")[0] for each in faults(opened, axe)] == ["button-name"]


def test_a_planted_request_is_seen_and_the_policy_forbids_it(tab, example, tmp_path):
    page = tmp_path / "page"
    shutil.copytree(example, page)
    text = (page / "index.html").read_text(encoding="utf-8")
    planted = text.replace("</main>", '<img alt="" src="http://198.51.100.1/beacon.png"></main>')
    (page / "index.html").write_text(planted, encoding="utf-8")
    guarded = tab().open(page / "index.html")
    assert any("Content Security Policy" in each for each in guarded.wrong)
    bare = planted.replace("Content-Security-Policy", "X-Nothing")
    (page / "index.html").write_text(bare, encoding="utf-8")
    assert tab().open(page / "index.html").network() == ["http://198.51.100.1/beacon.png"]


def test_an_inline_script_does_not_run(tab, example, tmp_path):
    page = tmp_path / "page"
    shutil.copytree(example, page)
    text = (page / "index.html").read_text(encoding="utf-8")
    planted = text.replace("</main>", "<script>document.title = 'hacked'</script></main>")
    (page / "index.html").write_text(planted, encoding="utf-8")
    assert tab().open(page / "index.html").page.title() != "hacked"


def methods(opened: Tab) -> list[str]:
    rows = opened.page.locator("table.filtered tbody tr:visible th a")
    return rows.all_inner_texts()


def test_the_table_stands_without_scripts(tab, example):
    opened = tab(java_script_enabled=False).open(example / "index.html")
    assert methods(opened)[-1] == "unet7 · l1"
    assert len(methods(opened)) == 6
    assert not opened.page.locator(".filters").is_visible()


def test_a_column_sorts_best_first_then_the_other_way_by_keyboard(tab, example):
    opened = tab().open(example / "index.html")
    head = opened.page.get_by_role("button", name="psnr").first
    head.focus()
    opened.page.keyboard.press("Enter")
    down = methods(opened)
    opened.page.keyboard.press("Enter")
    up = methods(opened)
    assert down[0] == "bm3d"
    assert down[:-1] == up[-2::-1]
    assert down[-1] == up[-1] == "unet7 · l1"  # what has no value comes last either way
    for _ in range(2):
        opened.page.get_by_role("button", name="parameters").first.click()
        assert {each.split()[0] for each in methods(opened)[:3]} == {"resunet", "unet7"}
    opened.page.get_by_role("button", name="psnr").first.click()
    assert opened.page.locator("table.filtered th[aria-sort]").count() == 1
    assert opened.page.locator("table.filtered th[aria-sort=descending]").inner_text()[:4] == "psnr"


def test_the_table_is_filtered_by_words_and_by_kind(tab, example):
    opened = tab().open(example / "index.html")
    opened.page.get_by_label("Filter").fill("l1 resunet")
    assert set(methods(opened)) == {"resunet · l1", "resunet · cgan + 100*l1"}
    opened.page.get_by_role("checkbox", name="GAN").uncheck()
    assert methods(opened) == ["resunet · l1"]
    assert opened.page.locator("#shown").inner_text() == "1 of 6 rows"


def test_only_the_pictures_that_are_looked_at_are_loaded(tab, example):
    opened = tab().open(example / "compare-board-1.html")
    assert len(opened.pictures()) == 2
    opened.page.locator("#b").select_option(label="median(size=5)")
    opened.settled()
    assert len(opened.pictures()) == 3
    assert opened.pictures()[-1].endswith("median-44444444.js")
    opened.page.get_by_label("error").check()
    opened.settled()
    assert len(opened.pictures()) == 3  # clean is there already


def test_captions_hold_the_slices_psnr(tab, example):
    opened = tab().open(example / "compare-board-1.html")
    opened.page.locator("#a").select_option(label="noisy")
    opened.page.get_by_role("button", name="Next slice").click()
    opened.settled()
    assert opened.page.locator("#caption-a").inner_text() == "A: noisy · 21.10 dB"


def test_what_is_chosen_stands_in_the_address_and_comes_back_from_it(tab, example):
    opened = tab().open(example / "compare-board-1.html")
    opened.page.locator("#a").select_option(label="median(size=5)")
    opened.page.get_by_label("z-map").check()
    opened.settled()
    fragment = opened.page.url.split("#")[1]
    again = tab().open(example / "compare-board-1.html", f"#{fragment}")
    assert again.page.locator("#caption-a").inner_text().startswith("A: median(size=5)")
    assert again.page.get_by_label("z-map").is_checked()


@pytest.mark.parametrize("fragment", ["#a=%3Cimg%20src=x%3E", "#a=../../x&mode=nothing", "#%"])
def test_an_address_that_makes_no_sense_is_ignored(tab, example, fragment):
    opened = tab().open(example / "compare-board-1.html", fragment)
    assert opened.page.locator("#caption-a").inner_text().startswith("A: bm3d")
    assert opened.wrong == []


def test_each_pane_shows_its_own_method_and_x_swaps_them(tab, example):
    opened = tab().open(example / "compare-board-1.html", "#a=clean&b=noisy")
    other = PICTURE.replace("pane-a", "pane-b")
    before = opened.page.evaluate(PICTURE), opened.page.evaluate(other)
    opened.page.locator("#stage").focus()
    opened.page.keyboard.press("x")
    opened.settled()
    assert (opened.page.evaluate(other), opened.page.evaluate(PICTURE)) == before
    assert before[0] != before[1]


KEYS = ["+", "+", "ArrowRight", "ArrowDown", "-"]


def test_both_pictures_zoom_and_pan_together_by_keyboard(tab, example):
    opened = tab().open(example / "compare-board-1.html", "#a=clean&b=clean")
    opened.page.locator("#stage").focus()
    seen = [opened.page.evaluate(PICTURE)]
    for key in KEYS:
        opened.page.keyboard.press(key)
        opened.settled()
        seen.append(opened.page.evaluate(PICTURE))
        assert seen[-1] == opened.page.evaluate(PICTURE.replace("pane-a", "pane-b"))
    assert len(set(seen)) == len(seen)
    opened.page.keyboard.press("0")
    opened.settled()
    assert opened.page.evaluate(PICTURE) == seen[0]


def test_both_pictures_zoom_by_pinch(tab, example):
    phone = tab(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone.open(example / "compare-board-1.html", "#mode=side")
    before = phone.page.evaluate(PICTURE)
    phone.page.locator("#pane-a").scroll_into_view_if_needed()
    box = phone.page.locator("#pane-a").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = phone.page.context.new_cdp_session(phone.page)
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 90)):
        points = [{"x": x - apart, "y": y}, {"x": x + apart, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    phone.settled()
    assert phone.page.evaluate(PICTURE) != before
    assert phone.page.locator("#stage").evaluate("each => each.classList.contains('near')")


def test_blinking_shows_one_then_the_other_and_stops(tab, example):
    opened = tab().open(example / "compare-board-1.html", "#mode=blink")
    captions = set()
    for _ in range(20):
        captions.add(opened.page.locator("#caption-a").inner_text()[0])
        opened.page.wait_for_timeout(100)
    assert captions == {"A", "B"}
    opened.page.get_by_role("button", name="Pause blinking").click()
    before = opened.page.locator("#caption-a").inner_text()
    opened.page.wait_for_timeout(900)
    assert opened.page.locator("#caption-a").inner_text() == before


def test_who_wants_less_motion_gets_no_blinking(tab, example):
    opened = tab(reduced_motion="reduce").open(example / "compare-board-1.html", "#mode=blink")
    before = opened.page.locator("#caption-a").inner_text()
    opened.page.wait_for_timeout(900)
    assert opened.page.locator("#caption-a").inner_text() == before
    opened.page.get_by_role("button", name="Show the other").click()
    assert opened.page.locator("#caption-a").inner_text() != before


def test_the_slider_divides_two_pictures(tab, example):
    opened = tab().open(example / "compare-board-1.html", "#mode=slider&a=clean&b=noisy")
    half = opened.page.evaluate(PICTURE)
    opened.page.get_by_label("Divider").fill("0")
    opened.settled()
    assert opened.page.evaluate(PICTURE) != half


def test_windows_outside_of_the_tasks_cannot_be_chosen(tab, example):
    opened = tab().open(example / "compare-board-1.html")
    texts = opened.page.locator("#preset option:disabled").all_inner_texts()
    assert [text.split(":")[0] for text in texts] == ["lung", "bone"]
    assert "the task's window ends at 240 HU" in texts[1]
    before = opened.page.evaluate(PICTURE)
    opened.page.get_by_label("Window").select_option(label="liver: W 150, L 30")
    opened.settled()
    assert opened.page.evaluate(PICTURE) != before
    assert opened.page.locator("#width-value").inner_text() == "150 HU"


def test_a_picture_that_is_not_there_is_told(tab, example, tmp_path):
    page = tmp_path / "page"
    shutil.copytree(example, page)
    shutil.rmtree(page / "pictures")
    opened = tab()
    opened.page.goto((page / "compare-board-1.html").as_uri())
    opened.page.locator("#status", has_text="is not there").wait_for()


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_a_page_without_scrolling_sideways(tab, example, name):
    opened = tab(viewport={"width": 390, "height": 844}).open(example / name)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_browser_reads_the_pixels_that_were_written(tab, example, tmp_path):
    page = tmp_path / "page"
    shutil.copytree(example, page)
    hu = np.random.default_rng(0).normal(40, 900, (37, 53))
    (page / "pictures" / "odd.js").write_text(script("odd", hu))
    opened = tab().open(page / "compare-board-1.html")
    read = opened.page.evaluate(
        "denoisebench.load('odd', {step: 0.5, offset: -16384}).then(each => [...each.hu])"
    )
    assert np.abs(np.array(read) - hu.ravel()).max() <= STEP_HU / 2


def test_a_z_map_of_noise_alone_is_standard_normal_and_as_scipy_smooths(tab, example):
    opened = tab().open(example / "compare-board-1.html")
    noise = np.random.default_rng(0).normal(0, 78.4, (128, 160))
    z = np.array(
        opened.page.evaluate(
            "hu => [...denoisebench.zMap({rows: 128, columns: 160, hu: Float32Array.from(hu)}, "
            "78.4, 4).hu]",
            noise.ravel().tolist(),
        )
    ).reshape(noise.shape)
    # 20,480 pixels are some 100 independent ones under a Gaussian of 4 pixels: ± 3 · 0.07.
    assert np.std(z) == pytest.approx(1, abs=0.21)
    expected = gaussian_filter(noise, 4, truncate=3) / (78.4 / (2 * 4 * np.sqrt(np.pi)))
    inside = (slice(12, -12), slice(12, -12))
    # 0.5 %: scipy's kernel, cut at 3 σ, sums to 1, and the formula's is not cut.
    assert np.abs(z - expected)[inside].max() < 0.005 * np.abs(expected).max()


def test_no_script_holds_a_result(example):
    facts = (example / "compare-board-1.html").read_text(encoding="utf-8")
    text = facts.split('<script type="application/json" id="facts">')[1].split("</script>")[0]
    assert json.loads(text)["slices"][0]["key"] == "0" * 16
