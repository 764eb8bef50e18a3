import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub import EvalResult, ModelCard
from readers import front_matter
from rich.console import Console

from denoisebench.board import render
from denoisebench.board.board import boards, collect
from denoisebench.board.render.bibtex import bibtex, paper_numbers, papers, published
from denoisebench.board.render.frame import frame
from denoisebench.board.render.latex import latex
from denoisebench.board.render.model_card import model_card
from denoisebench.board.render.plain import plain
from denoisebench.board.seeds import Entry
from denoisebench.plugins.find import find
from denoisebench.scoring.result import MetricResult, Result

RUNS = Path(__file__).with_name("golden") / "runs"


def metric(mean, **changes) -> MetricResult:
    values = {"mean": mean, "lo": None, "hi": None, "unit": "dB", "better": "higher", "version": 1,
              "n": 4, "missing": 0}  # fmt: skip
    return MetricResult(**{**values, **changes})


def result(method="a", psnr=30.0, **changes) -> Result:
    values = {
        "method": method, "kind": "network", "task": "ct-sigma50", "task_version": 1,
        "data": "phantom", "data_digest": "d", "split_digest": "s", "recipe": method,
        "n_slices": 4, "n_patients": 2, "metrics": {"psnr": metric(psnr)}, "parameters": 0,
        "device": "CPU", "status": "done",
    }  # fmt: skip
    return Result(**{**values, **changes})


def board(*results: Result):
    (found,) = boards([Entry(one.method, one) for one in results])
    return found


def on_screen(columns: int, *results: Result) -> list[str]:
    console = Console(width=columns, file=io.StringIO(), color_system=None)
    console.print(render.table([board(*results)]))
    return console.file.getvalue().splitlines()


def test_seconds_of_two_devices_never_share_a_table():
    slow = result("a", seconds_per_slice=2.0, train_seconds=7200.0)
    fast = result("b", seconds_per_slice=0.002, device="GPU", peak_memory=1_500_000_000)
    tables = {table.title: table for table in frame(board(slow, fast)).tables}
    assert tables["cost on CPU"].header == ("method", "training", "time a slice")
    assert tables["cost on CPU"].rows == (("a", "2.0 h", "2.0 s"),)
    assert tables["cost on GPU"].header == ("method", "peak memory", "time a slice")
    assert tables["cost on GPU"].rows == (("b", "1.5 GB", "2 ms"),)


def test_tables_in_which_nothing_stands_are_left_out():
    (table,) = frame(board(result("a"), result("b", 31.0))).tables
    assert [row[0] for row in table.rows] == ["1", "2"]


def test_a_row_without_rank_says_why_in_its_place():
    null = result("d", metrics={"psnr": metric(None, reason="no weights")})
    rows = frame(board(result("a"), result("b", status="failed", reason="x"), null)).tables[0].rows
    assert [row[:2] for row in rows] == [("1", "a"), ("failed", "b"), ("-", "d")]


def test_a_row_alone_has_no_rank():
    assert frame(board(result())).tables[0].header[0] == "method"


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
def test_a_table_goes_on_below_where_the_screen_is_narrow(columns):
    metrics = {f"metric_{number}": metric(30.0 + number) for number in range(9)}
    lines = on_screen(columns, result("x" * 30, metrics=metrics), result("b", metrics=metrics))
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert all(f"{30 + number}.00" in text for number in range(9))


def test_a_name_longer_than_a_column_is_broken_into_lines():
    lines = on_screen(100, result("Q" * 140), result("b"))
    assert max(map(len, lines)) <= 100
    assert sum(line.count("Q") for line in lines) == 140


def test_plain_text_is_one_line_of_what_can_be_seen():
    assert plain("a\tb\r\n c\u2028d\xa0e") == "a b c d e"
    assert plain("\x1b[31m\u202e\u200b\ud800") == "�[31m���"
    assert plain("résumé σ 漢字 🙂 d′") == "résumé σ 漢字 🙂 d′"
    assert len(plain("x" * 1000)) == 300


def test_numbers_out_of_all_bounds_leave_the_table_standing():
    odd = result("a", 1e300, parameters=10**18, train_seconds=-5.0, seconds_per_slice=1e300)
    (table,) = frame(board(odd, result("b"))).tables
    assert table.rows[0] == ("1", "a", "1e+300", "-")


def test_csv_and_json_carry_what_was_measured_unrounded():
    given = result("a", 30.123456789012345, seconds_per_slice=0.1 + 0.2)
    (row,) = csv.DictReader(io.StringIO(render.as_csv([board(given)])))
    assert float(row["metrics.psnr.mean"]) == 30.123456789012345
    assert float(row["seconds_per_slice"]) == 0.1 + 0.2
    (row,) = json.loads(render.as_json([board(given)]))["rows"]
    assert row["metrics"]["psnr"]["mean"] == 30.123456789012345


def test_rows_of_values_say_what_else_is_known():
    rows = {row["method"]: row for row in render.as_rows(boards(collect(RUNS)[0]))}
    assert rows["resunet · l1"]["verification"]["passed"]
    assert rows["resunet · l1"]["runs"] == ["resunet-l1-seed0", "resunet-l1-seed1"]
    assert rows["unet7 · cgan + 100*l1"]["audit"]["invented"]["mean"] == 2.5
    assert rows["unet7 · l1"]["physics"]["bias, soft"]["unit"] == "HU"


def test_latex_has_minus_signs_and_no_argument_at_the_start_of_a_row():
    text = latex([board(result("[9cm]", -1.5), result("*"))])
    assert "$-$1.50" in text
    assert "\n{}1 & * " in text
    assert "\n{}2 & [9cm] " in text


def test_the_hub_reads_a_model_card_back_as_it_was():
    given = result("unet7 · l1", metrics={"psnr": metric(30.5), "ssim": metric(0.9, unit=""),
                                          "lpips": metric(None, reason="no weights")})  # fmt: skip
    card = ModelCard(model_card(board(given)))
    shared = {
        "task_type": "image-to-image", "task_name": "CT denoising", "dataset_type": "phantom",
        "dataset_name": "phantom, ct-sigma50 v1", "dataset_config": "ct-sigma50",
        "dataset_split": "test", "dataset_revision": "d", "metric_config": "v1",
        "verified": False,
    }  # fmt: skip
    assert card.data.eval_results == [
        EvalResult(**shared, metric_type="psnr", metric_name="psnr (dB)", metric_value=30.5),
        EvalResult(**shared, metric_type="ssim", metric_name="ssim", metric_value=0.9),
    ]
    assert card.data.model_name == "unet7 · l1"
    assert "lpips is missing: no weights" in card.text


LICENCES = [(None, (None, None)), ("Apache-2.0", ("apache-2.0", None)),
            ("non-commercial (x)", ("other", "non-commercial (x)"))]  # fmt: skip


@pytest.mark.parametrize(("licence", "expected"), LICENCES)
def test_a_model_card_names_the_licence_as_the_hub_knows_it(licence, expected):
    values, _ = front_matter(model_card(board(result(licence=licence))))
    assert (values.get("license"), values.get("license_name")) == expected


def test_every_paper_on_a_card_has_an_entry_and_every_entry_a_card():
    cards = [card for card in find().cards if card.origin == "built-in"]
    named = {number for card in cards for number in paper_numbers(card.text)}
    known = published()
    assert named - known.keys() == set()
    assert {paper.key for paper in known.values()} == {known[number].key for number in named}


def test_entries_of_papers_are_whole():
    for paper in published().values():
        fields = {field.key for field in paper.fields}
        assert {"author", "title", "year"} <= fields
        assert fields & {"doi", "eprint"}
        assert fields & {"journal", "booktitle"} or paper.entry_type == "misc"


def test_numbers_of_papers_are_read_whatever_stands_around_them():
    text = "(a, doi:10.1016/0167-2789(92)90242-F), (DOI:10.1118/1.1513158): arXiv:1611.07004)."
    assert list(paper_numbers(text)) == [
        "doi:10.1016/0167-2789(92)90242-f",
        "doi:10.1118/1.1513158",
        "arxiv:1611.07004",
    ]


def test_bibtex_has_the_papers_of_methods_metrics_and_references():
    text = bibtex([Entry("a", result("unet7 · cgan + 100*l1"))], find())
    keys = [line[line.index("{") + 1 : -1] for line in text.splitlines() if line[:1] == "@"]
    assert keys == sorted(keys)
    # network, GAN term, BM3D as the task's reference; psnr has no paper
    assert {"isola2017pix2pix", "goodfellow2014gan", "dabov2007bm3d"} <= set(keys)
    assert bibtex([Entry("a", result("no such", task="x.toml"))], find()) == ""


def test_bibtex_knows_the_discriminator_from_the_recipe(tmp_path):
    recipe = {"generator": "unet7", "loss": "cgan", "discriminator": "multiscale"}
    values = {**recipe, "steps": 1, "batch": 1, "patch": 256, "learning_rate": 1e-4,
              "task": "ct-sigma50", "task_version": 1, "data": "x", "data_digest": "d",
              "split_digest": "s"}  # fmt: skip
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    plugins = ["[plugins]", '"generator unet7" = "0"', '"discriminator multiscale" = "0"']
    (tmp_path / "recipe.toml").write_text("\n".join([*lines, *plugins]))
    assert "wang2018pix2pixhd" in bibtex([Entry("a", result(), path=tmp_path)], find())
    (tmp_path / "recipe.toml").write_text("no recipe")
    assert "wang2018pix2pixhd" not in bibtex([Entry("a", result(), path=tmp_path)], find())


OWN = '''
from denoisebench import loss


@loss("mine", paper="{paper}")
def mine(output, target):
    """A loss of my own."""
'''


@pytest.mark.parametrize(
    ("paper", "field"),
    [("Doe & Roe, 2030", r"note = {Doe \& Roe, 2030}"), ("arXiv:3001.00001", "{3001.00001}")],
)
def test_a_paper_from_elsewhere_is_told_in_its_own_words(tmp_path, paper, field):
    (tmp_path / "mine.py").write_text(OWN.format(paper=paper))
    catalogue = find([tmp_path / "mine.py"])
    text = bibtex([Entry("a", result("unet7 · mine"))], catalogue)
    assert "@misc{loss-mine," in text
    assert "mine: A loss of my own." in text
    assert field in text
    assert [paper.key for paper in papers(catalogue.get("loss", "mine"))] == ["loss-mine"]


def test_a_result_that_cannot_be_read_is_left_out_by_name(tmp_path):
    shutil.copytree(RUNS / "bm3d", tmp_path / "bm3d")
    shutil.copytree(RUNS / "bm3d", tmp_path / "broken\x1b[31m")
    (tmp_path / "broken\x1b[31m" / "result.json").write_text("{")
    entries, problems = collect(tmp_path)
    console = Console(width=200, file=io.StringIO(), color_system=None)
    console.print(render.table(boards(entries), problems))
    assert "broken�[31m" in console.file.getvalue()
    assert "\x1b" not in console.file.getvalue()
