"""denoisebench sweep."""

from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from denoisebench.cli import options
from denoisebench.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from denoisebench.fleet.grid import Sweep
    from denoisebench.fleet.job import Executor
    from denoisebench.plugins.find import Catalogue
    from denoisebench.training.device import Speedup

OPTION_PANELS = {
    "What": ["--gen", "--loss", "--disc", "--seed", "--twin", "--baseline", "--plugin"],
    "On what": ["--data", "--task"],
    "How long, each": ["--minutes", "--steps", "--epochs"],
    "How": [
        "--preset",
        "--batch",
        "--accumulate",
        "--patch",
        "--lr",
        "--gan-after",
        "--precision",
        "--speedup",
    ],
    "On which machines": ["--device", "--jobs", "--ray"],
    "Where": ["--out", "--track", "--dry-run", "--json", "--help"],
}
KINDS = {"gen": "generator", "loss": "loss", "disc": "discriminator", "baseline": "baseline"}
DATA, TASK = "phantom", "ct-sigma50"
RAY = "denoisebench.fleet.cluster.executor"


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
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE.toml]")
@click.option("--gen", metavar="EXPRS", help="Generators, for example unet7,resunet(width=64).")
@click.option("--loss", metavar="EXPRS", help="Losses, for example l1,cgan+l1.")
@click.option("--disc", metavar="EXPRS", help="Discriminators, for the losses with a GAN term.")
@click.option("--seed", metavar="SEEDS", help="0..2 for 0, 1 and 2; or a list, 0,1,5.")
@click.option("--twin", is_flag=True, help="Beside each GAN, train the same without it.")
@click.option("--baseline", metavar="EXPRS", help="Score baselines as well, for example bm3d,nlm.")
@options.plugin
@click.option("--data", metavar="DIR",
              help="phantom, a name of denoisebench data list, or a folder of CT.")  # fmt: skip
@click.option("--task", help="Window, noise, metrics; ct-sigma50 by default.")
@click.option("--minutes", type=float, help="Train each for so long.")
@click.option("--steps", type=int, help="Train each for so many batches.")
@click.option("--epochs", type=float, help="Train each for so many passes over the train slices.")
@click.option("--preset", help="Where the defaults come from; quick by default.")
@click.option("--batch", metavar="LIST", help="Crops a step.")
@click.option("--accumulate", type=int, metavar="N", help="Work on a batch in N parts.")
@click.option("--patch", metavar="LIST", help="Side of a crop in pixels.")
@click.option("--lr", metavar="LIST", help="Learning rate of both networks.")
@click.option("--gan-after", type=float, metavar="SHARE",
              help="Of the budget, first without the GAN terms.")  # fmt: skip
@options.precision
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@click.option("--speedup", type=click.Choice(["none", "compile", "graphs"]), default="none",
              show_default=True, help="Compile networks; graphs: CUDA graphs, too.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), metavar="N",
              help="Runs at the same time; 1, or one a GPU of a cluster.")  # fmt: skip
@click.option("--ray", metavar="ADDRESS", help="Run on a Ray cluster: auto, or host:port.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              metavar="DIR", help="Where run folders stand.")  # fmt: skip
@options.track
@click.option("--dry-run", is_flag=True, help="Print what would be run, and what is done.")
@options.as_json
def sweep(
    file: Path | None,
    plugins: tuple[Path, ...],
    data: str | None,
    task: str | None,
    device: str,
    speedup: "Speedup",
    jobs: int | None,
    ray: str | None,
    out: Path,
    track: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    **lists: Any,
) -> int:
    """Train every combination of what is listed, and print the board.

    Lists are separated by commas; FILE.toml says the same in a file. What is done already is
    skipped, what was interrupted goes on from its checkpoint, and a run that fails leaves a row
    with its reason while the others go on. After any end the same command goes on.
    """
    asked, catalogue, plugins = _asked(file, plugins, lists)

    from denoisebench.fleet import grid
    from denoisebench.task import load_task

    plans = grid.expand(asked, catalogue)
    data, task = data or asked.data or DATA, task or asked.task or TASK
    chosen_task = load_task(task)
    track = (*asked.track, *track)
    if (out / "recipe.toml").exists():
        raise UsageError(f"{out} is a run; --out names the folder of all runs")
    on_ray = _on_ray(ray, jobs, device)
    # Ray finds devices on its own machines.
    here = options.torch_device("cpu" if on_ray else device)

    from denoisebench.cli.progress import Display
    from denoisebench.cli.signals import stop_on_signals
    from denoisebench.cli.sweep_board import SweepBoard
    from denoisebench.cli.sweep_plan import print_boards, print_plan
    from denoisebench.data.named import open_data
    from denoisebench.fleet import sweep as sweeps
    from denoisebench.fleet.here import one_by_one
    from denoisebench.fleet.job import Setting
    from denoisebench.scoring.run import Bench
    from denoisebench.tracking import find_trackers

    find_trackers(track)

    with stop_on_signals() as stopping:
        with Display() as display:
            dataset = open_data(data, progress=display.reading, waiting=display.waiting)
            display.data(dataset)
        bench = Bench(dataset, chosen_task, catalogue, here, out.resolve())
        todo = sweeps.jobs_of(plans, asked.baseline, bench)
        standings = {job.name: sweeps.standing(job, bench) for job in todo}
        if dry_run:
            return print_plan(todo, standings, as_json)
        setting = Setting(
            data=data,
            data_digest=dataset.digest,
            split_digest=dataset.split_digest,
            task=task,
            plugins=tuple(path.resolve() for path in plugins),
            device=device,
            track=track,
            runs=bench.runs,
            speedup=speedup,
        )
        execute = on_ray or one_by_one(stopping)
        with SweepBoard(todo, standings) as board:
            try:
                with stopping if on_ray else nullcontext():
                    sweeps.sweep(todo, setting, bench, execute, standings=standings,
                                 tell=board.tell, stopping=stopping)  # fmt: skip
            except KeyboardInterrupt:
                board.say(f"stopped; {board.totals()}; the same command goes on")
                return 130
    board.conclude()
    print_boards(todo, bench.runs, as_json)
    return 1 if board.failures() else 0


def _asked(
    file: Path | None, plugins: tuple[Path, ...], lists: dict[str, Any]
) -> "tuple[Sweep, Catalogue, tuple[Path, ...]]":
    """Return what is to be swept over, the plug-ins in reach, and the files that hold some."""
    # Not `in (None, False)`: 0 is equal to False, and a mistake.
    given = {
        name: value for name, value in lists.items() if value is not None and value is not False
    }
    if file is not None and given:
        told = ", ".join(f"--{name}" for name in given)
        raise UsageError(f"{file} says what is run; leave out {told}, or the file")

    # What can be refused is refused before data is read and torch is imported.
    from denoisebench.fleet import listed
    from denoisebench.plugins.expression import resolve
    from denoisebench.plugins.find import find

    catalogue = find(plugins)
    for name in KINDS.keys() & given.keys():
        for text in listed.expressions(given[name]):
            resolve(text, KINDS[name], catalogue)
    if "seed" in given:
        listed.seeds(given["seed"])

    from denoisebench import tomlfile
    from denoisebench.fleet.grid import Sweep, read_sweep

    if file is None:
        return tomlfile.validate(given, Sweep, "denoisebench sweep"), catalogue, plugins
    asked = read_sweep(file)
    plugins = (*map(Path, asked.plugin), *plugins)
    return asked, find(plugins), plugins


def _on_ray(address: str | None, jobs: int | None, device: str) -> "Executor | None":
    """Return the executor for several runs at a time; None where one after another will do."""
    if address is None and jobs in (None, 1):
        return None
    if find_spec("ray") is None:
        raise Unavailable(
            "--jobs and --ray need ray, which is not installed: pip install 'denoisebench[cluster]'"
        )
    ray: Any = import_module(RAY)
    ray.refuse(address, device)
    executor: Executor = ray.on_ray(address, jobs)
    return executor
