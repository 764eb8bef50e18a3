import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from denoisebench.scoring.result import Curve, Finding, MetricResult, write_model
from denoisebench.training.recipe import Blend, Parent

PAYLOADS = [
    "<script>document.title='hacked'</script>",
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "'><svg onload=alert(1)>",
    "</script><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<!--<script>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href=javascript:alert(1)>x</a>",
    "<style>@import 'http://198.51.100.1/x.css'</style>",
    "<link rel=stylesheet href=http://198.51.100.1/x.css>",
    "<meta http-equiv=refresh content='0;url=http://198.51.100.1'>",
    "<base href=http://198.51.100.1/>",
    "<form action=http://198.51.100.1><input name=a>",
    "<object data=x></object>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "{{ 7 * 7 }}{% for x in () %}",
    "${alert(1)}`+alert(1)+`",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "\u2028\u2029\u202e\u0000\u001b[31m",
    "' autofocus onfocus=alert(1) x='",
    "../../../../etc/passwd",
    "$\\frac{a}{b}$ _x %s {0}",
]


class Skeleton(HTMLParser):
    """A page without its words: tags and names of attributes."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.words, self.links = [], [], []
        self.plot = False

    def handle_starttag(self, tag, attributes):
        names = sorted(name for name, _ in attributes)
        assert not [name for name in names if name.startswith("on") or name == "style"]
        self.links += [value for name, value in attributes if name in ("href", "src", "action")]
        if tag == "svg":
            self.plot = dict(attributes).get("class") == "plot"
        if not self.plot:  # names in a plot stand where there is room for them
            self.tags.append((tag, names))
        assert tag not in {"iframe", "object", "base", "form", "style", "math", "foreignobject"}

    def handle_endtag(self, tag):
        if tag == "svg":
            self.plot = False

    def handle_data(self, data):
        self.words.append(data)


def skeleton(path: Path) -> Skeleton:
    parser = Skeleton()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def write_hostile(runs: Path, write, number: int, text: str) -> None:
    """Put `text` into every field of a run that holds text."""
    parent = Parent(method=text, recipe=text, family=text, weights=text)
    run = write(
        runs, f"run-{number}", text, 30.0 - number, reason=text, licence=text, inference=text,
        blend=Blend(weight=0.5, twins=False, parents=(parent, parent)),
        tuning=text, split_note=text, tuned={text: text}, data=text, device=text, recipe=text,
        twin=text,
    )  # fmt: skip
    value = MetricResult(mean=1.0, lo=None, hi=None, unit=text, better="lower", version=1, n=1,
                         missing=1, reason=text)  # fmt: skip
    curve = Curve(x=[0, 1], y=[0, 1], x_label=text, y_label=text)
    write_model(run / "audit.json", Finding(
        recipe=text, columns={text: value}, curves={text: curve}, places=[{text: text}],
        details={text: text, "inner": {text: [text]}}))  # fmt: skip
    write(runs, f"failed-{number}", "c", None, status="failed", reason=text, data=text)


@pytest.fixture(scope="module")
def pages(tmp_path_factory, write_run, write_page) -> list[dict[str, Skeleton]]:
    """A page of all payloads, and one of as many words that mean no harm."""
    found = []
    for texts in (PAYLOADS, [f"word {number}" for number in range(len(PAYLOADS))]):
        folder = tmp_path_factory.mktemp("hostile")
        for number, text in enumerate(texts):
            write_hostile(folder / "runs", write_run, number, text)
        write_page(folder / "runs", folder / "page", pictures=True)
        found.append({path.name: skeleton(path) for path in (folder / "page").rglob("*.html")})
    return found


def test_what_results_say_stays_text(pages):
    hostile, benign = pages
    assert len(hostile) == len(benign) == 2 + 2 * len(PAYLOADS)
    for name, page in hostile.items():
        assert page.tags == benign[name].tags, name
        assert all(re.match(r"^(#|[a-z0-9./#=&-]+$)", link) for link in page.links), name


@pytest.mark.parametrize("number", range(len(PAYLOADS)))
def test_a_payload_is_there_to_read(pages, number):
    said = "".join(pages[0][f"run-{number}.html"].words)
    assert PAYLOADS[number].replace("\0", "") in said.replace("\0", "").replace("�", "")


def test_thirty_payloads_are_tried():
    assert len(set(PAYLOADS)) == 30


def test_a_page_is_the_same_bytes_when_rendered_again(tmp_path, write_example, write_page):
    write_example(tmp_path / "runs")
    for name in ("one", "two", "two"):  # into a new folder, and over itself
        write_page(tmp_path / "runs", tmp_path / name)
    one, two = ({path.relative_to(root): path.read_bytes()
                 for path in root.rglob("*") if path.is_file()}
                for root in (tmp_path / "one", tmp_path / "two"))  # fmt: skip
    assert one == two
    assert len(one) > 20


def test_names_of_files_are_safe_and_each_runs_own(tmp_path, make_run, write_page):
    for folder in ("a+b", "a b", "A-B", "con", "clean", "…", "x" * 200):
        make_run(folder, folder, 30.0)
    write_page(tmp_path / "runs", tmp_path / "page")
    names = sorted(path.stem for path in (tmp_path / "page/runs").iterdir())
    assert len(names) == 7
    assert all(re.fullmatch(r"[a-z0-9-]{1,63}", name) for name in names)
    assert not {"con", "clean"} & set(names)


def test_pages_name_no_folder_of_this_machine(tmp_path, write_example, write_page):
    write_example(tmp_path / "runs")
    write_page(tmp_path / "runs", tmp_path / "page")
    for path in (tmp_path / "page").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert str(tmp_path) not in text
        assert str(Path.home()) not in text


def test_a_run_says_where_it_stands_and_links_its_twin(example):
    text = (example / "runs/resunet-cgan-l1-22222222.html").read_text(encoding="utf-8")
    assert "Rank 3 of 5 by psnr: 28.00 dB [27.60, 28.40]" in text
    assert 'href="resunet-l1-11111111.html"' in text
    assert "psnr -2.0" in text


def test_a_run_shows_what_stands_beside_its_result(example):
    text = (example / "runs/resunet-cgan-l1-22222222.html").read_text(encoding="utf-8")
    for words in ("Measured again", "passed", "Audit for hallucinations", "missed lesions", "5.21",
                  "CT physics", "NPS", "Health of the GAN", "80 %", "packages a"):  # fmt: skip
        assert words in text


def test_a_board_says_who_leads_and_whom_it_cannot_be_told_from(example):
    text = (example / "index.html").read_text(encoding="utf-8")
    assert "these patients cannot tell it from resunet · l1." in text


def test_a_page_without_pictures_says_how_to_get_them(two_boards):
    assert "no pictures of this board" in (two_boards / "board-1.html").read_text()
    assert not list(two_boards.glob("compare*"))


def test_seeds_share_a_row_and_each_has_its_own_page(tmp_path, make_run, write_page):
    for seed, psnr in enumerate((30.0, 31.0)):
        make_run(f"run-{seed}", "resunet · l1", psnr, family="f", seeds=(seed,))
    page = tmp_path / "page"
    write_page(tmp_path / "runs", page)
    text = (page / "index.html").read_text(encoding="utf-8")
    assert 'href="runs/run-0.html"' in text
    assert 'href="runs/run-1.html"' not in text
    assert "2 seeds, ± 0.71 dB" in text  # sqrt(1/2)
    own = (page / "runs/run-1.html").read_text(encoding="utf-8")
    assert 'This is seed 1; the row is the mean with <a href="run-0.html">seed 0</a>' in own
    assert "over 2 seeds, ± 0.71 dB" in own
