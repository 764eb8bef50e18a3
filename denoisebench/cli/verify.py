"""denoisebench verify."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from denoisebench.cli import options

if TYPE_CHECKING:
    from denoisebench.scoring.result import Verification


@click.command()
@click.argument("run")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              metavar="DIR", help="Where run folders stand.")  # fmt: skip
@click.option("--data", default="phantom", show_default=True, metavar="DIR",
              help="What the run was scored on, as run --data names it.")  # fmt: skip
@click.option("--slices", type=click.IntRange(min=1), metavar="N",
              help="Measure so many slices, chosen in secret; all if left out.")  # fmt: skip
@options.scored_task
@options.plugin
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@options.as_json
def verify(
    run: str,
    runs: Path,
    data: str,
    slices: int | None,
    task: str | None,
    plugins: tuple[Path, ...],
    device: str,
    as_json: bool,
) -> int:
    """Score a RUN again in a process that is shown noisy pixels only.

    RUN is a folder, or one below --runs: its name, such as resunet-l1, with or without the hash, or
    the first digits of the hash. The noise is fresh, half of the slices are altered in secret, and
    a network must do as well as it reported: within 0.05 dB of PSNR. The answer goes into the run's
    verification.json; 1 where it fails.
    """
    from denoisebench.plugins.find import find

    installed, named = find(), find(plugins)

    from denoisebench.scoring.opened import find_run, open_run

    opened = open_run(find_run(run, runs), named, task)

    from denoisebench.cli.progress import Display
    from denoisebench.data.named import open_data

    where = str(options.torch_device(device))

    with Display() as display:
        dataset = open_data(data, progress=display.reading, waiting=display.waiting)
        opened.refuse_other(dataset)
        if opened.note:
            display.say(f"note: {opened.note}")

        from denoisebench.scoring.result import write_model
        from denoisebench.scoring.verify.verify import verify as measure

        found = measure(
            opened,
            dataset,
            installed,
            plugins=plugins,
            device=where,
            slices=slices,
            advance=lambda done, total: display.working("verifying", done, total),
            say=display.say,
        )
        write_model(opened.folder / "verification.json", found)
    if as_json:
        click.echo(json.dumps(found.model_dump(), indent=1))
    else:
        _print(opened.result.method, found)
    return 0 if found.passed else 1


def _print(method: str, found: "Verification") -> None:
    """Print reported and measured values, and the verdict."""
    details = found.details
    for name, told in details.get("metrics", {}).items():
        click.echo(
            f"{name:16s} reported {told['reported']:9.4f}  measured {told['measured']:9.4f}  "
            f"difference {told['difference']:+.4f}  allowed {told['allowed']:.4f}"
        )
    for name, reason in details.get("unmeasured", {}).items():
        click.echo(f"{name:16s} not measured: {reason}")
    if "altered_fall_db" in details:
        click.echo(
            f"altered slices   {details['altered_fall_db']:+.3f} dB more error, allowed "
            f"{details['allowed_fall_db']:g} dB; {details['slices']} of "
            f"{details['of_slices']} slices"
        )
    verdict = "verified" if found.passed else f"unverified: {found.reason}"
    click.echo(f"{method}: {verdict}")
