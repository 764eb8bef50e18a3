"""denoisebench leaderboard."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import UsageError

if TYPE_CHECKING:
    from denoisebench.board.board import Board
    from denoisebench.board.seeds import Entry

FORMATS = ("table", "md", "csv", "json", "tex", "html", "bibtex", "model-index")
ENDINGS = {".md": "md", ".csv": "csv", ".json": "json", ".tex": "tex", ".html": "html",
           ".bib": "bibtex"}  # fmt: skip


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--task", help="Only boards of this task.")
@click.option("--data", help="Only boards of this data set, as the board names it.")
@click.option("--against", metavar="RUN",
              help="Also show each row minus that of this run, patient by patient.")  # fmt: skip
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How the boards are written: a table, or as the ending of --out says. bibtex has the "
    "papers behind them; model-index is a Hugging Face model card of one run.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write to a file.")
@options.plugin
@options.as_json
def leaderboard(
    runs: Path,
    task: str | None,
    data: str | None,
    against: str | None,
    form: str | None,
    out: Path | None,
    plugins: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Print the boards of all runs below RUNS.

    Results share a board when task, data, split and metric versions are the same.
    """
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form} are two formats; leave out one")
    form = "json" if as_json else form or _form_of(out)
    if form == "table" and out:
        raise UsageError(f"a table is for the terminal; --format {' or '.join(FORMATS[1:])}")
    if not runs.is_dir():
        raise UsageError(f"no folder {str(runs)!r}; denoisebench run makes one, or name another")

    from denoisebench.board import board, render
    from denoisebench.board.chosen import chosen
    from denoisebench.board.render.plain import plain
    from denoisebench.scoring.opened import find_run
    from denoisebench.scoring.result import read_result

    entries, problems = board.collect(runs)
    shown = chosen(entries, task, data, str(runs))
    rival = (
        read_result(find_run(against, runs) / "result.json").recipe if against is not None else None
    )
    boards = board.boards(shown, rival)
    if form == "table":
        render.print_tables(boards, problems)
        return
    text = _text(form, shown, boards, problems, plugins)
    if form != "json":
        for problem in problems:
            click.echo(plain(f"left out: {problem}"), err=True)
    if out:
        _write(out, text)
    else:
        click.echo(text.encode(), nl=False)  # the same bytes whatever the terminal's encoding


def _form_of(out: Path | None) -> str:
    """The format that a file's ending names."""
    if out is None:
        return "table"
    if out.suffix not in ENDINGS:
        raise UsageError(
            f"{out.name} does not say in which format; --format {' or '.join(FORMATS[1:])}"
        )
    return ENDINGS[out.suffix]


def _text(
    form: str,
    entries: "Sequence[Entry]",
    boards: "Sequence[Board]",
    problems: Sequence[str],
    plugins: Sequence[Path],
) -> str:
    from denoisebench.board import render

    if form == "json":
        return render.as_json(boards, problems)
    if form == "csv":
        return render.as_csv(boards)
    if form == "tex":
        from denoisebench.board.render.latex import latex

        return latex(boards)
    if form == "html":
        from denoisebench.board.render.html import html

        return html(boards)
    if form == "bibtex":
        from denoisebench.board.render.bibtex import bibtex
        from denoisebench.plugins.find import find

        return bibtex(entries, find(plugins))
    if form == "model-index":
        from denoisebench.board.render.model_card import model_card

        if len(entries) > 1:
            raise UsageError(
                f"a model card is of one run, here are {len(entries)}; name its folder: "
                "denoisebench leaderboard runs/NAME --format model-index --out README.md"
            )
        return model_card(boards[0])
    return render.markdown(boards)


def _write(out: Path, text: str) -> None:
    from denoisebench.atomic import write_text

    try:
        write_text(out, text)
    except OSError as error:
        raise UsageError(f"cannot write {str(out)!r}: {error.strerror}") from None
