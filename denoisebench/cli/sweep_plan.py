"""What `denoisebench sweep` prints on stdout: its plan, and at the end the boards."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import rich_click as click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from denoisebench.board import board as boards
from denoisebench.board import render
from denoisebench.board.render.plain import plain
from denoisebench.board.render.terminal import WIDE
from denoisebench.fleet.job import Job
from denoisebench.fleet.sweep import Standing, labels
from denoisebench.training.recipe import Recipe

TITLES = ("run", "seed", "budget", "state", "folder")


def print_plan(jobs: Sequence[Job], standings: Mapping[str, Standing], as_json: bool) -> int:
    """Print what would be run, what is done of it, and what it takes; 0."""
    if as_json:
        click.echo(json.dumps([_facts(job, standings[job.name]) for job in jobs], indent=1))
        return 0
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for title in TITLES:
        table.add_column(title, justify="right" if title in ("seed", "budget") else "left")
    told = labels(jobs)
    for job in jobs:
        name = f"{job.method} ({told[job.name]})" if told[job.name] else job.method
        seed = str(job.recipe.seed) if job.recipe else ""
        budget = _budget(job.recipe) if job.recipe else ""
        cells = (name, seed, budget, _state(standings[job.name]), job.name)
        table.add_row(*(Text(plain(cell), overflow="fold") for cell in cells))
    console.print(table)
    console.print(Text(f"\n{_totals(jobs, standings)}"))
    return 0


def print_boards(jobs: Sequence[Job], runs: Path, as_json: bool) -> None:
    """Print the boards on which the runs of a sweep stand."""
    entries, _ = boards.collect(runs)
    names = {job.name for job in jobs}
    found = [
        board
        for board in boards.boards(entries)
        if any(entry.folder in names for row in board.rows for entry in row.members)
    ]
    if as_json:
        click.echo(render.as_json(found), nl=False)
    else:
        render.print_tables(found)


def _facts(job: Job, before: Standing) -> dict[str, object]:
    recipe, last = job.recipe, before.last
    return {
        "run": job.name,
        "method": job.method,
        "discriminator": recipe.discriminator if recipe else None,
        "seed": recipe.seed if recipe else None,
        "steps": recipe.steps if recipe else None,
        "minutes": recipe.minutes if recipe else None,
        "state": before.stage,
        "step": last.step if last else None,
        "reason": before.reason,
    }


def _budget(recipe: Recipe) -> str:
    return f"{recipe.steps:,} steps" if recipe.steps else f"{recipe.minutes:g} min"


def _state(before: Standing) -> str:
    if before.stage == "unfinished" and before.last:
        return f"unfinished at step {before.last.step:,}"
    if before.stage in ("failed", "diverged"):
        return f"{before.stage}: {before.reason}"
    return before.stage


def _totals(jobs: Sequence[Job], standings: Mapping[str, Standing]) -> str:
    """Say how many runs there are, how many are left, and what their training takes."""
    left = [job for job in jobs if standings[job.name].stage not in ("done", "diverged")]
    words = [f"{_counted(len(jobs))}, {len(left)} to do"]
    for what, some in (("in all", jobs), ("left", left)):
        steps, minutes = 0.0, 0.0
        for job in some:
            last = standings[job.name].last
            share = 1 - (last.progress if last and what == "left" else 0.0)
            if job.recipe:
                steps += share * (job.recipe.steps or 0)
                minutes += share * (job.recipe.minutes or 0)
        amounts = [f"{round(steps):,} steps"] if steps else []
        amounts += [f"{minutes:,.1f} minutes".replace(".0 ", " ")] if minutes else []
        if amounts:
            words.append(f"training {what}: {' and '.join(amounts)}")
    return "; ".join(words)


def _counted(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"
