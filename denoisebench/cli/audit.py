"""denoisebench audit."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from denoisebench.cli import options

if TYPE_CHECKING:
    import torch

    from denoisebench.cli.progress import Display
    from denoisebench.data.dataset import DataSet
    from denoisebench.scoring.opened import Opened
    from denoisebench.scoring.result import Finding, MetricResult

SLOW_SECONDS = 1.0  # a slice; an audit denoises some two hundred


@click.command()
@click.argument("run")
@click.option("--data", default="phantom", show_default=True, metavar="DIR",
              help="What the run was scored on, as run --data names it.")  # fmt: skip
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              metavar="DIR", help="Where run folders stand.")  # fmt: skip
@click.option("--slices", type=click.IntRange(min=2), help="Of the test split; 12.")
@click.option("--seeds", type=click.IntRange(min=2), help="Noises a slice; 8.")
@click.option("--physics", is_flag=True, help="Measure noise, sharpness and detectability instead.")
@options.scored_task
@options.plugin
@options.as_json
def audit(
    run: str,
    data: str,
    runs: Path,
    slices: int | None,
    seeds: int | None,
    physics: bool,
    task: str | None,
    plugins: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Look for what a run's denoiser removes or invents; RUN is a folder, a name or a hash.

    It is calibrated on validation slices and looks at test slices. audit.json and a picture of the
    worst places go into the run's folder; with --physics, physics.json and its curves.
    """
    from denoisebench.plugins.find import find

    catalogue = find(plugins)

    from denoisebench.scoring.opened import find_run, open_run

    opened = open_run(find_run(run, runs), catalogue, task)

    from denoisebench.cli.progress import Display
    from denoisebench.data.named import open_data

    with Display() as display:
        if opened.note:
            display.say(f"note: {opened.note}")
        dataset = open_data(data, progress=display.reading, waiting=display.waiting)
        opened.refuse_other(dataset)
        finding = examine(opened, dataset, display, physics=physics, slices=slices, seeds=seeds)
    if as_json:
        import json

        click.echo(json.dumps(finding.model_dump(), indent=1, allow_nan=False))
    else:
        _print(finding, opened, "physics" if physics else "audit")


def examine(
    opened: "Opened",
    dataset: "DataSet",
    display: "Display",
    *,
    device: "torch.device | None" = None,
    physics: bool = False,
    slices: int | None = None,
    seeds: int | None = None,
) -> "Finding":
    """Run the audit, or the physics, with progress; what is None has its default."""
    from denoisebench.scoring.audit.audit import audit_run
    from denoisebench.scoring.physics.physics import measure_run

    device = device or options.torch_device("auto")
    given = {"slices": slices, "seeds": seeds}
    counts = {name: count for name, count in given.items() if count is not None}
    work = measure_run if physics else audit_run
    seconds = opened.result.seconds_per_slice
    if seconds is not None and seconds > SLOW_SECONDS:
        display.say(f"{opened.result.method} took {seconds:.2g} s a slice when it was scored; "
                    "fewer --slices and --seeds make this shorter")  # fmt: skip
    return work(opened, dataset, device, advance=display.working, **counts)


def _print(finding: "Finding", opened: "Opened", what: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    details = finding.details
    title = f"{opened.result.method}, {opened.task.name} on {opened.result.data}"
    caption = (
        f"{details['slices']} slices of {details['patients']} patients, {details['seeds']} noises "
        f"each; mean over patients and its 95 % interval"
    )
    table = Table("", what, "95 % interval", "unit", title=escape(title), caption=caption)
    for name, value in finding.columns.items():
        table.add_row(name, *_cells(value))
    console = Console()
    console.print(table)
    console.print(escape(str(opened.folder / f"{what}.json")), soft_wrap=True, highlight=False)


def _cells(value: "MetricResult") -> tuple[str, str, str]:
    if value.mean is None:
        return "–", value.reason or "", value.unit
    between = "" if value.lo is None else f"{value.lo:.3g} to {value.hi:.3g}"
    return f"{value.mean:.3g}", between, value.unit
