"""Outputs cannot attack the reader: thirty texts in every place that a result fills, all formats.

Each format is read as its readers read it and compared with the board of a harmless text: the same
elements, rows and cells, and the text itself as text.
"""

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import markdown as python_markdown
import pybtex.database
import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from payloads import PAYLOADS
from readers import Page, front_matter, latex_shape, latex_text, screen, spreadsheet
from rich.console import Console

from denoisebench.board import render
from denoisebench.board.board import boards
from denoisebench.board.render import bibtex, commonmark, html, latex, model_card, values
from denoisebench.board.render import frame as frames
from denoisebench.board.render.frame import frame
from denoisebench.board.render.plain import plain
from denoisebench.board.seeds import Entry
from denoisebench.plugins.card import Card
from denoisebench.scoring.result import Best, Finding, Health, MetricResult, Result, Verification
from denoisebench.scoring.statistics import Difference
from denoisebench.training.recipe import Blend, Parent

HARMLESS = "harmless"
WIDTH = 400


def entries(text: str) -> list[Entry]:
    """Two rows in whose every text the given one stands."""
    metric = MetricResult(mean=-1.5, lo=-2.0, hi=-1.0, unit=text, better="higher", version=1, n=4,
                          missing=0)  # fmt: skip
    null = metric.model_copy(update={"mean": None, "lo": None, "hi": None, "reason": text})
    health = Health(real_accuracy=1, fake_accuracy=1, saturated=0.5, gradient_ratio=None,
                    output_spread=0.1, collapsed=text)  # fmt: skip
    metrics = {"psnr": metric, text: metric}
    shared = {
        "task": text, "task_version": 1, "data": text, "data_digest": text, "split_digest": text,
        "split_note": text, "n_slices": 4, "n_patients": 2, "parameters": 1_234_567,
        "licence": text, "tuned": {text: text}, "tuning": text, "device": text, "inference": text,
        "seconds_per_slice": 0.25, "train_seconds": 60.0, "family": text,
    }  # fmt: skip
    parent = Parent(method=text, recipe=text, family=text, weights=text)
    done = Result(**shared, method=text, kind="network", recipe=text, metrics=metrics,
                  status="done", health=health,
                  blend=Blend(weight=0.5, twins=True, parents=(parent, parent)),
                  best=Best(step=7, validation_psnr=30.0, metrics=metrics))  # fmt: skip
    failed = Result(**shared, method=f"{text} 2", kind="baseline", recipe="b", status="failed",
                    reason=text, metrics={"psnr": null, text: null})  # fmt: skip
    finding = Finding(recipe=text, columns={text: metric})
    verified = Verification(recipe=text, metric=text, reported=-1.5, measured=-1.5, passed=True,
                            reason=text)  # fmt: skip
    return [
        Entry(text, done, verification=verified, audit=finding, physics=finding),
        Entry(f"{text} 2", failed),
    ]


def board(text: str):
    """A board whose first row is compared with another, which has the text as its name."""
    (found,) = boards(entries(text))
    first, *rest = found.rows
    versus = {text: Difference(mean=-1.5, low=-2.0, high=-1.0, patients=2, p=0.5, above=0)}
    return replace(found, rows=(replace(first, versus=versus), *rest))


def card(text: str) -> Card:
    return Card(kind="loss", name="mine", summary=text, knobs=(), facts={"paper": text},
                path=Path("mine.py"), line=1, object_name="mine", module=None, origin="file",
                digest="")  # fmt: skip


def cells(text: str) -> list[list[list[str]]]:
    return [[list(table.header), *map(list, table.rows)] for table in frame(board(text)).tables]


def judge_terminal(text: str) -> None:
    console = Console(width=WIDTH, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(render.table([board(text)], [text]))
    written = console.file.getvalue()
    shown = screen(written, WIDTH)
    assert shown == [line.rstrip() for line in written.split("\n")]
    assert {frame(board(text)).title, f"left out: {plain(text)}"} <= set(shown)
    assert set(frame(board(text)).notes) <= set(shown)


READERS = {
    "github": MarkdownIt("gfm-like").render,
    "mkdocs": lambda text: python_markdown.markdown(
        text, extensions=["tables", "attr_list", "admonition", "toc", "footnotes", "def_list"]
    ),
}


def judge_markdown(text: str) -> None:
    for name, reader in READERS.items():
        page = Page(reader(render.markdown([board(text)])))
        same = Page(reader(render.markdown([board(HARMLESS)])))
        assert without_ids(page) == without_ids(same), name
        assert page.tables == cells(text), name
        assert plain(f"licence {text}: {text}, {text} 2") in page.texts[-9:], name


def without_ids(page: Page) -> list:
    """The elements; a heading's id is made of its text."""
    assert not any(name.startswith("on") for _, found in page.elements for name, _ in found)
    return [(tag, [pair for pair in found if pair[0] != "id"]) for tag, found in page.elements]


def judge_html(text: str) -> None:
    page, same = (Page(html.html([board(each)])) for each in (text, HARMLESS))
    assert page.elements == same.elements
    assert page.tables == cells(text)
    assert plain(f"{text} is missing: {text}") in page.texts


def judge_csv(text: str) -> None:
    rows, same = (spreadsheet(render.as_csv([board(each)])) for each in (text, HARMLESS))
    assert [len(row) for row in rows] == [len(row) for row in same]
    assert "-1.5" in rows[1]  # a number stays one
    method = rows[1][rows[0].index("method")]
    bare, wanted = (re.sub(r"(^|;)'", r"\1", each) for each in (method, plain(text)))
    assert bare == wanted


def judge_json(text: str) -> None:
    written = render.as_json([board(text)], [text])
    assert not re.search(r"[<>&\x7f-\U0010ffff]|(?!\n)[\x00-\x1f]", written)
    found = json.loads(written)
    assert [row["method"] for row in found["rows"]] == [text, f"{text} 2"]
    assert found["problems"] == [text]


def judge_latex(text: str) -> None:
    written = latex.latex([board(text)])
    assert latex_shape(written) == latex_shape(latex.latex([board(HARMLESS)]))
    assert written.isascii()
    assert re.search(r"(\\\\|rule) *\n *[\[*]", written) is None  # taken for an argument
    assert latex_text(latex.escape(plain(text))) == plain(text)


def judge_model_card(text: str) -> None:
    alone = entries(text)[:1]
    written = model_card.model_card(boards(alone)[0])
    (values, body), (same, _) = map(front_matter, (written, one_model_card(HARMLESS)))
    assert shape(values) == shape(same)
    assert values["model-index"][0]["name"] == plain(text)
    assert ModelCard(written).data.eval_results[1].metric_type == plain(text)
    for reader in READERS.values():
        assert without_ids(Page(reader(body))) == without_ids(
            Page(reader(front_matter(one_model_card(HARMLESS))[1]))
        )


@cache
def one_model_card(text: str) -> str:
    return model_card.model_card(boards(entries(text)[:1])[0])


def shape(values):
    if isinstance(values, dict):
        return {key: shape(value) for key, value in values.items()}
    return [shape(value) for value in values] if isinstance(values, list) else type(values)


def judge_bibtex(text: str) -> None:
    papers = bibtex.papers(card(text))
    written = bibtex.written(papers)
    found = pybtex.database.parse_string(written, "bibtex").entries
    assert list(found) == ["loss-mine"]
    fields = found["loss-mine"].fields
    assert list(fields) == ["title", "note"]
    assert latex_shape(fields["note"]) == []
    assert latex_text(fields["note"]) == plain(text)


JUDGES = {
    "terminal": judge_terminal, "markdown": judge_markdown, "html": judge_html, "csv": judge_csv,
    "json": judge_json, "latex": judge_latex, "model card": judge_model_card,
    "bibtex": judge_bibtex,
}  # fmt: skip


def test_there_are_thirty():
    assert len(PAYLOADS) == 30


@pytest.mark.parametrize("form", JUDGES)
@pytest.mark.parametrize("name", PAYLOADS)
def test_a_text_stays_a_text(form, name):
    JUDGES[form](PAYLOADS[name])


def unescaped(escape: Callable[..., Any]) -> Callable[..., Any]:
    """An escape function that lets the payloads through, and them alone."""
    texts = {each for text in PAYLOADS.values() for each in (text, plain(text))}

    def leaky(text: Any, *rest: Any) -> Any:
        inside = [each for each in texts if each in text] if isinstance(text, str) else []
        if not inside:
            return escape(text, *rest)
        payload = max(inside, key=len)
        return payload.join(escape(part, *rest) for part in text.split(payload))

    return leaky


def without_escaping(form: str, patch: pytest.MonkeyPatch) -> None:
    """Switch the escaping of one format off."""
    places = {
        "terminal": [(frames, "plain")],
        "markdown": [(commonmark, "escape"), (commonmark, "_line")],
        "csv": [(values, "cell")],
        "json": [(values, "_embeddable")],
        "latex": [(latex, "escape")],
        "model card": [(commonmark, "escape"), (commonmark, "_line"), (model_card, "escape")],
        "bibtex": [(bibtex, "escape")],
    }
    for module, name in places.get(form, ()):
        patch.setattr(module, name, unescaped(getattr(module, name)))
    if form == "html":
        environment = html._environment()
        environment.autoescape = False
        patch.setattr(html, "_environment", lambda: environment)


def found_without_escaping(form: str) -> set[str]:
    found = set()
    for name, text in PAYLOADS.items():
        try:
            JUDGES[form](text)
        except Exception:  # whatever a reader stumbles over
            found.add(name)
    return found


@cache
def attacks(form: str) -> frozenset[str]:
    """The texts that a format would let act on its reader if it escaped none."""
    with pytest.MonkeyPatch.context() as patch:
        without_escaping(form, patch)
        JUDGES[form](HARMLESS)
        return frozenset(found_without_escaping(form))


@pytest.mark.parametrize("form", JUDGES)
def test_without_escaping_the_reader_is_attacked(form):
    assert attacks(form) >= {name for name in PAYLOADS if name.split()[0] == form}
    assert attacks(form)


def test_every_text_attacks_some_reader():
    assert frozenset().union(*map(attacks, JUDGES)) == set(PAYLOADS)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_latex_prints_all_of_them(tmp_path):
    head = (
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs}\\begin{document}\n"
    )
    tables = [latex.latex([board(text)]) + "\\clearpage\n" for text in PAYLOADS.values()]
    (tmp_path / "all.tex").write_text(
        head + "".join(tables) + "\\end{document}\n", encoding="ascii"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "root:" not in done.stdout
