"""denoisebench run."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from click import get_current_context
from click.core import ParameterSource

from denoisebench.cli import options
from denoisebench.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from denoisebench.cli.signals import Stopping
    from denoisebench.scoring.result import Result
    from denoisebench.scoring.run import Bench
    from denoisebench.training.device import Speedup
    from denoisebench.training.recipe import Recipe

OPTION_PANELS = {
    "What": ["--gen", "--loss", "--disc", "--twin", "--baseline", "--plugin"],
    "On what": ["--data", "--task"],
    "How long": ["--minutes", "--steps", "--epochs"],
    "How": [
        "--preset",
        "--batch",
        "--accumulate",
        "--patch",
        "--lr",
        "--gan-after",
        "--seed",
        "--precision",
        "--device",
        "--speedup",
    ],
    "Where": ["--out", "--resume", "--audit", "--track", "--json", "--help"],
}


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
@click.option("--gen", metavar="EXPR", help="Generator, for example unet7(norm='batch').")
@click.option("--loss", metavar="EXPR", help="Loss, for example cgan + 100*l1 + 10*ssim.")
@click.option("--disc", metavar="EXPR", help="Discriminator, for losses with a GAN term.")
@click.option("--twin", is_flag=True, help="Before it, train the same without the GAN term.")
@click.option("--baseline", metavar="EXPR", help="Score a baseline such as bm3d instead.")
@options.plugin
@click.option("--data", default="phantom", show_default=True, metavar="DIR",
              help="phantom, a name of denoisebench data list, or a folder of CT.")  # fmt: skip
@click.option("--task", default="ct-sigma50", show_default=True, help="Window, noise, metrics.")
@click.option("--minutes", type=float, help="Train for so long.")
@click.option("--steps", type=int, help="Train for so many batches.")
@click.option("--epochs", type=float, help="Train for so many passes over the train slices.")
@click.option("--preset", default="quick", show_default=True, help="Where the defaults come from.")
@click.option("--batch", type=int, help="Crops a step.")
@click.option(
    "--accumulate", type=int, metavar="N", help="Work on a batch in N parts: less memory."
)
@click.option("--patch", type=int, help="Side of a crop in pixels.")
@click.option("--lr", type=float, help="Learning rate of both networks.")
@click.option("--gan-after", type=float, metavar="SHARE",
              help="Of the budget, first without the GAN terms.")  # fmt: skip
@click.option("--seed", type=int, help="Of weights, crops and training noise.")
@options.precision
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@click.option("--speedup", type=click.Choice(["none", "compile", "graphs"]), default="none",
              show_default=True, help="Compile networks; graphs: CUDA graphs, too.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              metavar="DIR", help="Where run folders stand.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with an unfinished run of the same recipe.")
@click.option("--audit", "audited", is_flag=True, help="Audit it for hallucinations as well.")
@options.track
@options.as_json
def run(
    gen: str | None,
    loss: str | None,
    disc: str | None,
    twin: bool,
    baseline: str | None,
    plugins: tuple[Path, ...],
    data: str,
    task: str,
    minutes: float | None,
    steps: int | None,
    epochs: float | None,
    preset: str,
    batch: int | None,
    accumulate: int | None,
    patch: int | None,
    lr: float | None,
    gan_after: float | None,
    seed: int | None,
    precision: str | None,
    device: str,
    speedup: "Speedup",
    out: Path,
    resume: bool,
    audited: bool,
    track: tuple[str, ...],
    as_json: bool,
) -> int:
    """Train a network, or score a baseline, and print the board.

    The test split is scored by PSNR, SSIM, LPIPS and more, beside the noisy input and BM3D, whose
    scores are computed once and cached. The run's folder holds recipe, log, weights, scores and a
    picture.
    """
    budget = {"minutes": minutes, "steps": steps, "epochs": epochs}
    if sum(value is not None for value in budget.values()) > 1:
        raise UsageError("give one of --minutes, --steps, --epochs")
    choices = {**budget, "batch": batch, "accumulate": accumulate, "patch": patch,
               "learning_rate": lr, "gan_after": gan_after, "seed": seed,
               "precision": precision}  # fmt: skip
    if baseline is not None:
        given = {"--gen": gen, "--loss": loss, "--disc": disc, "--lr": lr, "--batch": batch,
                 "--patch": patch, "--seed": seed, "--accumulate": accumulate,
                 "--gan-after": gan_after, "--precision": precision}  # fmt: skip
        given |= {f"--{name}": value for name, value in budget.items()}
        given |= {"--twin": twin or None, "--resume": resume or None}
        given["--preset"] = preset if _typed("preset") else None
        given["--speedup"] = speedup if _typed("speedup") else None
        given["--track"] = " ".join(track) or None
        ignored = [name for name, value in given.items() if value is not None]
        if ignored:
            raise UsageError(f"--baseline trains nothing; leave out {', '.join(ignored)}")

    # What can be refused is refused before data is read and torch is imported.
    from denoisebench.plugins.expression import canonical, resolve
    from denoisebench.plugins.find import find

    catalogue = find(plugins)
    named = {"generator": gen, "discriminator": disc, "loss": loss, "baseline": baseline}
    for kind, text in named.items():
        if text is not None:  # before NumPy and pydantic are imported: a mistake is told at once
            resolve(text, kind, catalogue)

    from denoisebench.task import load_task

    chosen_task, planned = load_task(task), None
    if baseline is None:
        from denoisebench.training.recipe import plan

        planned = plan(
            catalogue, preset=preset, generator=gen, discriminator=disc, loss=loss, **choices
        )
        if twin and planned.twin is None:
            text = canonical(planned.losses)
            raise UsageError(f"--twin needs a GAN term and another beside it, got --loss {text!r}")

    from denoisebench.cli.progress import Display
    from denoisebench.cli.signals import stop_on_signals
    from denoisebench.data.named import open_data
    from denoisebench.tracking import find_trackers, open_trackers
    from denoisebench.workers import rank

    find_trackers(track)

    first = rank() == 0  # the others only train beside it
    with Display(silent=not first) as display, stop_on_signals() as stopping, ExitStack() as stack:
        dataset = open_data(data, progress=display.reading, waiting=display.waiting)
        display.data(dataset)

        from denoisebench.scoring import run as runs
        from denoisebench.scoring.classical import run_baseline
        from denoisebench.training.world import Lost, joined

        world, where = stack.enter_context(joined(options.torch_device(device)))
        folder_of_runs, own = runs.place(out)
        bench = runs.Bench(
            dataset,
            chosen_task,
            catalogue,
            where,
            folder_of_runs,
            world=world,
            speedup=speedup,
            note=display.say,
            advance=display.working,
        )
        if planned is None and not first:
            return 0
        if planned is None:
            assert baseline is not None
            result, todo = run_baseline(bench, baseline), []
        else:
            world.rows(planned.settings.batch, planned.settings.accumulate or 1)  # refuses, early
            recipe = planned.recipe(chosen_task, dataset)
            todo = [(recipe, own or runs.run_folder(bench, recipe))]
            if twin and planned.twin:
                other = planned.twin.recipe(chosen_task, dataset)
                todo.insert(0, (other, runs.run_folder(bench, other)))
            if not first:
                return _follow(bench, todo, stopping)
            for each, folder in todo:
                runs.refuse(folder, each, resume=resume)
            for reference in chosen_task.references:
                run_baseline(bench, reference)
            try:
                with stopping:
                    for each, folder in todo:
                        display.training(each, folder, bench.device)
                        with open_trackers(
                            track, each, folder, report=display.report, note=display.say
                        ) as trackers:
                            result = runs.run_network(
                                bench,
                                each,
                                folder,
                                resume=resume,
                                report=trackers.report,
                                stopping=stopping,
                            )
                            trackers.finish(result)
            except runs.Interrupted as reason:
                display.say(f"{reason}; the same command with --resume goes on")
                return 130
            except runs.OutOfMemory:
                raise
            except Unavailable as reason:
                raise Unavailable(f"{reason}, then --resume goes on") from None
            except Lost as error:
                raise Unavailable(f"another process of this training ended ({error})") from None
        if audited:
            from denoisebench.cli.audit import examine
            from denoisebench.scoring.opened import find_run, open_run
            from denoisebench.scoring.result import read_result

            made = [folder for _, folder in todo] or [find_run(result.recipe, bench.runs)]
            for folder in made:
                if read_result(folder / "result.json").status != "done":
                    continue
                opened = open_run(folder, catalogue, task)
                if not (folder / "audit.json").exists():
                    examine(opened, dataset, display, device=bench.device)
    return _print_board(bench.runs, result, as_json)


def _typed(name: str) -> bool:
    """Whether an option with a default was given."""
    return get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _follow(bench: "Bench", todo: "list[tuple[Recipe, Path]]", stopping: "Stopping") -> int:
    """Train beside the first process, which tells all there is to tell."""
    from denoisebench.scoring.run import follow
    from denoisebench.training.world import Lost

    try:
        with stopping:
            for recipe, folder in todo:
                if not follow(bench, recipe, folder):
                    break
    except Lost as error:
        raise Unavailable(f"another process of this training ended ({error})") from None
    return 0


def _print_board(runs: Path, result: "Result", as_json: bool) -> int:
    """Print the board on which the result stands; 1 where it is not a result to rank."""
    from denoisebench.board import board as boards
    from denoisebench.board import render

    found, _ = boards.collect(runs)
    board = boards.board_of(found, result)
    if as_json:
        click.echo(render.as_json([board]), nl=False)
    else:
        render.print_tables([board])
    return 0 if result.status == "done" else 1
