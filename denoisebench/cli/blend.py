"""denoisebench blend."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import UsageError

if TYPE_CHECKING:
    from denoisebench.cli.progress import Display
    from denoisebench.plugins.find import Catalogue
    from denoisebench.scoring.blend.pair import Pair
    from denoisebench.scoring.blend.points import Point
    from denoisebench.scoring.run import Bench

OPTION_PANELS = {
    "Where between": ["--steps", "--weights", "--choose"],
    "On what": ["--data", "--task", "--plugin", "--device"],
    "Where": ["--runs", "--plot", "--json", "--help"],
}
DIGITS = 6  # of a weight after the point
MOST_WEIGHTS = 101
DRAWN = (".png", ".svg")
SHOWN = ("psnr", "ssim", "lpips")
"""Metrics of the table in the terminal, where the task has them; the runs hold all."""


@click.command(
    context_settings={
        "rich_help_config": {  # the decorator for this imports rich, even for a mistake
            "option_groups": {
                "*": [{"name": title, "options": names} for title, names in OPTION_PANELS.items()]
            },
            "max_width": 100,
        }
    }
)
@click.argument("first")
@click.argument("second")
@click.option("--steps", type=click.IntRange(3, MOST_WEIGHTS), metavar="N",
              help="So many points at equal distances, both runs among them; 5.")  # fmt: skip
@click.option("--weights", metavar="W,W,…", help="Shares of SECOND instead: 0.1,0.25,0.5.")
@click.option("--choose", metavar="METRIC",
              help="Say which point does best on validation slices by psnr or lpips.")  # fmt: skip
@click.option("--data", default="phantom", show_default=True, metavar="DIR",
              help="What the runs were scored on, as run --data names it.")  # fmt: skip
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              metavar="DIR", help="Where run folders stand, those of the blends too.")  # fmt: skip
@options.scored_task
@options.plugin
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE",
              help="Draw the curve into a .png or .svg.")  # fmt: skip
@options.as_json
def blend(
    first: str,
    second: str,
    steps: int | None,
    weights: str | None,
    choose: str | None,
    data: str,
    runs: Path,
    task: str | None,
    plugins: tuple[Path, ...],
    device: str,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Score networks between a run without a GAN, FIRST, and one with it, SECOND.

    Their weights are (1 - w) · FIRST + w · SECOND. Each is a run like any other, with the same
    files, and a row of the board; what is there already is not scored again. FIRST and SECOND are
    folders, names or hashes of runs that are done.
    """
    if steps is not None and weights is not None:
        raise UsageError("give one of --steps, --weights")
    if plot is not None and (plot.suffix not in DRAWN or not plot.parent.is_dir()):
        raise UsageError(f"--plot writes a .png or .svg into a folder, got {str(plot)!r}")
    chosen = _read(weights) if weights is not None else _spaced(steps or 5)

    from denoisebench.plugins.expression import resolve
    from denoisebench.plugins.find import find

    catalogue = find(plugins)
    if choose is not None:
        (part,) = resolve(choose, "metric", catalogue)
        choose = part.text

    pair = _pair((first, second), runs, catalogue, task)
    _refuse(pair, choose, plot)

    from denoisebench.cli.progress import Display
    from denoisebench.data.named import open_data

    with Display() as display:
        for note in pair.notes:
            display.say(f"note: {note}")
        dataset = open_data(data, progress=display.reading, waiting=display.waiting)
        for opened in pair.ends:
            opened.refuse_other(dataset)

        from denoisebench.scoring.blend.points import run_blends
        from denoisebench.scoring.run import Bench

        where = options.torch_device(device)
        bench = Bench(dataset, pair.first.task, catalogue, where, runs, advance=display.working)
        points = run_blends(bench, pair, chosen)
        best = None
        if choose is not None:
            best, points = _chosen(bench, pair, points, choose, display)
    if plot is not None:
        _draw(plot, pair, runs)
    if as_json:
        click.echo(json.dumps(_facts(pair, points, best), indent=1, allow_nan=False))
    else:
        _print(pair, points, best)
    return 0 if all(point.result.status == "done" for point in points) else 1


def _pair(names: tuple[str, str], runs: Path, catalogue: "Catalogue", task: str | None) -> "Pair":
    """Open both runs; no weights are loaded yet."""
    from denoisebench.scoring.blend.pair import paired
    from denoisebench.scoring.opened import find_run, open_run

    first, second = (open_run(find_run(name, runs), catalogue, task) for name in names)
    return paired(first, second, catalogue)


def _refuse(pair: "Pair", choose: str | None, plot: Path | None) -> None:
    """Refuse, before any work, a choice or a drawing for which scores are missing."""
    from denoisebench.board.blends import perceptual

    measured = pair.second.result.metrics
    if choose is not None and choose not in measured:
        raise UsageError(
            f"--choose {choose}: {pair.first.task.name} measures {', '.join(measured)}; "
            "choose by one of them"
        )
    known = [name for name, found in measured.items() if found.mean is not None]
    if plot is not None and not perceptual(known):
        raise UsageError(
            f"nothing to draw into {plot.name}: {pair.second.folder.name} has no perceptual "
            "metric; denoisebench weights fetch lpips, and score both runs again"
        )


def _spaced(steps: int) -> list[float]:
    return [round(step / (steps - 1), DIGITS) for step in range(steps)]


def _read(text: str) -> list[float]:
    """Read weights, in ascending order, each once; both ends are added, whose scores are there."""
    try:
        found = {round(float(word), DIGITS) for word in text.split(",")}
    except ValueError:
        raise UsageError(f"--weights {text!r:.80}: write numbers, for example 0.25,0.5") from None
    if not all(0 <= weight <= 1 for weight in found):
        raise UsageError(f"--weights {text!r:.80}: a weight is a share of SECOND, from 0 to 1")
    if len(found | {0.0, 1.0}) > MOST_WEIGHTS:
        raise UsageError(f"--weights: {len(found)} are too many; give {MOST_WEIGHTS} at most")
    return sorted(found | {0.0, 1.0})


def _chosen(
    bench: "Bench", pair: "Pair", points: "list[Point]", metric: str, display: "Display"
) -> "tuple[dict[str, Any], list[Point]]":
    """Choose a point on validation slices, and note it in that point's result."""
    from denoisebench.scoring.blend.points import SLICES, best, choose, note_choice

    means = choose(
        bench,
        pair,
        [point.weight for point in points],
        metric,
        advance=lambda done, total: display.working(f"choosing by {metric}", done, total),
    )
    higher = pair.second.result.metrics[metric].better == "higher"
    place = best(means, higher=higher)
    if place is None:
        raise UsageError(
            f"--choose {metric}: it cannot be computed here; denoisebench weights fetch may mend it"
        )
    slices = min(SLICES, len(bench.dataset.val))
    points[place] = note_choice(points[place], metric, len(points), slices)
    chosen = points[place].weight
    return {"metric": metric, "w": chosen, "slices": slices, "validation": means}, points


def _draw(plot: Path, pair: "Pair", runs: Path) -> None:
    """Draw the pair's curve, with the other rows of the board as context."""
    from denoisebench.board.board import boards, collect
    from denoisebench.board.page.figures.blends import save_curve
    from denoisebench.board.page.site import kind_of

    entries, _ = collect(runs)
    there = {entry.result.recipe for entry in entries}
    for opened in pair.ends:  # may stand elsewhere
        entries += collect(opened.folder)[0] if opened.result.recipe not in there else []
    save_curve(plot, boards(entries), pair.parents, lambda row: kind_of(row.members[0]))


def _facts(pair: "Pair", points: "Sequence[Point]", best: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "first": pair.first.folder.name,
        "second": pair.second.folder.name,
        "twins": pair.twins,
        "notes": pair.notes,
        "chosen": best,
        "points": [
            {
                "w": point.weight,
                "run": point.folder.name,
                "method": point.result.method,
                "recipe": point.result.recipe,
                "status": point.result.status,
                "reason": point.result.reason,
                "metrics": {n: m.model_dump() for n, m in point.result.metrics.items()},
            }
            for point in points
        ],
    }


def _print(pair: "Pair", points: "Sequence[Point]", best: dict[str, Any] | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from denoisebench.board.render.numbers import MISSING, rounded

    metrics = pair.second.result.metrics
    names = [name for name in SHOWN if name in metrics] or list(metrics)
    title = f"{pair.first.part.text}, {pair.first.task.name} on {pair.first.result.data}"
    table = Table(title=Text(title))
    table.add_column("w", justify="right")
    for name in names:
        arrow = {"higher": "↑", "lower": "↓"}[metrics[name].better]
        table.add_column(Text(" ".join(filter(None, (name, metrics[name].unit, arrow)))))
    table.add_column("run")
    for point in points:
        cells = []
        for name in names:
            found = point.result.metrics.get(name)
            cells.append(MISSING)
            if found and found.mean is not None:
                cells[-1] = rounded(found.mean, found.unit)
                if found.lo is not None and found.hi is not None:
                    ends = (rounded(end, found.unit) for end in (found.lo, found.hi))
                    cells[-1] += f" [{', '.join(ends)}]"
        end = {0.0: " = FIRST", 1.0: " = SECOND"}.get(point.weight, "")
        mark = " *" if best and best["w"] == point.weight else ""
        status = "" if point.result.status == "done" else f" {point.result.status}"
        told = f"{point.folder.name}{end}{status}{mark}"
        table.add_row(f"{point.weight:g}", *cells, Text(told))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)
    for line in _told(pair, best):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _told(pair: "Pair", best: dict[str, Any] | None) -> list[str]:
    """What a reader of the table must know."""
    ends = [f"{name}: {opened.result.method}" for name, opened in
            zip(("FIRST, w = 0", "SECOND, w = 1"), pair.ends, strict=True)]  # fmt: skip
    found = [*ends, "means over patients with 95 % intervals, on the test split"]
    if best is None:
        return [*found, "to choose w by these scores is to tune on the test split; --choose METRIC"
                " chooses on validation slices"]  # fmt: skip
    return [*found, f"* best {best['metric']} on {best['slices']} validation slices: "
            f"w = {best['w']:g}"]  # fmt: skip
