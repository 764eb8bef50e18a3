"""denoisebench leaderboard."""

from pathlib import Path

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import UsageError


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--task", help="Only boards of this task.")
@click.option("--data", help="Only boards of this data set, as the board names it.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "md", "csv", "json"]),
    default="table",
    show_default=True,
    help="How the boards are written.",
)
@options.as_json
def leaderboard(runs: Path, task: str | None, data: str | None, form: str, as_json: bool) -> None:
    """Print the boards of all runs below RUNS.

    Results share a board when task, data, split and metric versions are the same.
    """
    if not runs.is_dir():
        raise UsageError(f"no folder {str(runs)!r}; denoisebench run makes one, or name another")

    from denoisebench.board import board as boards
    from denoisebench.board import render

    found, problems = boards.collect(runs)
    shown = [
        board
        for board in boards.boards(found)
        if task in (None, board.key.task) and data in (None, board.data)
    ]
    if not shown:
        what = "".join(f" of {word}" for word in (task, data) if word)
        there = "; ".join(f"{b.key.task} on {b.data}" for b in boards.boards(found)) or "none"
        raise UsageError(f"no results{what} below {str(runs)!r}; there are: {there}")
    if as_json or form == "json":
        click.echo(render.as_json(shown, problems), nl=False)
    elif form == "table":
        render.print_tables(shown, problems)
    else:
        text = render.markdown(shown) if form == "md" else render.as_csv(shown)
        click.echo(text, nl=False)
        for problem in problems:
            click.echo(f"left out: {problem}", err=True)
