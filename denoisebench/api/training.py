"""`denoisebench.train`: what `denoisebench run` does, from Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from denoisebench.api.given import Plugin, named
from denoisebench.api.run import Run, load
from denoisebench.api.work import at_work, warn
from denoisebench.errors import Unavailable

if TYPE_CHECKING:
    from denoisebench.training.device import Speedup
    from denoisebench.training.recipe import Precision


def train(
    generator: Plugin | None = None,
    *,
    loss: Plugin | None = None,
    discriminator: Plugin | None = None,
    data: str | Path = "phantom",
    task: str | Path = "ct-sigma50",
    minutes: float | None = None,
    steps: int | None = None,
    epochs: float | None = None,
    preset: str = "quick",
    batch: int | None = None,
    accumulate: int | None = None,
    patch: int | None = None,
    learning_rate: float | None = None,
    gan_after: float | None = None,
    seed: int | None = None,
    precision: "Precision | None" = None,
    device: str = "auto",
    speedup: "Speedup" = "none",
    plugins: Sequence[str | Path] = (),
    references: bool = True,
    out: str | Path = "runs",
    resume: bool = False,
    progress: bool = False,
) -> Run:
    """Train a network, score it on the test split, and leave a folder that says all of it.

    It is what `denoisebench run` does: the same words make the same recipe, and so the same run.
    One that is done already is read, not repeated. What is left out is the preset's.

    Args:
        generator, discriminator, loss: expressions, `"unet7(norm='batch')"`, `"cgan + 100*l1"`; or
            functions marked with `@denoisebench.generator("name")` and so on, that stand in a file.
        data: `phantom`, a name of `denoisebench data list`, or a folder of CT.
        task: window, noise and metrics: a name, or a TOML file.
        minutes, steps, epochs: the budget; one of them.
        preset: where the defaults come from.
        batch: crops a step.
        accumulate: parts in which a batch is worked on: less memory.
        patch: side of a crop in pixels.
        learning_rate: of both networks.
        gan_after: share of the budget, first without the GAN terms.
        seed: of weights, crops and training noise.
        precision: float32 or bfloat16, in which networks multiply while they learn; by default
            bfloat16 on a GPU, float32 on a CPU.
        device: cpu, cuda, cuda:1, or auto.
        speedup: none, compile, or graphs (CUDA graphs, too).
        plugins: Python files with plug-ins of your own.
        references: whether the task's reference baselines are scored first, on the same slices.
        out: where run folders stand.
        resume: go on with an unfinished run of the same recipe.
        progress: show it, as the command line does.
    Returns:
        The run; `run.result.status` is "diverged", with a warning, where a loss, a weight or a
        score became NaN or infinite.
    Raises:
        UsageError: what was asked is wrong; nothing is written.
        Unavailable: the work failed: a full disk, memory that ends.
        KeyboardInterrupt: on Ctrl-C or a notebook's stop button; during training, after a
            checkpoint is written, from which `resume=True` goes on.
    """
    texts, catalogue, files = named(
        {"generator": generator, "discriminator": discriminator, "loss": loss}, plugins
    )

    from denoisebench.task import load_task
    from denoisebench.training.recipe import plan

    ruler = load_task(str(task))
    planned = plan(
        catalogue,
        preset=preset,
        **texts,
        minutes=minutes,
        steps=steps,
        epochs=epochs,
        batch=batch,
        accumulate=accumulate,
        patch=patch,
        learning_rate=learning_rate,
        gan_after=gan_after,
        seed=seed,
        precision=precision,
    )
    with at_work(device, progress=progress) as (where, display, stopping):
        from denoisebench.data.named import open_data
        from denoisebench.scoring import run as runs
        from denoisebench.scoring.classical import run_baseline

        dataset = open_data(str(data), progress=display.reading, waiting=display.waiting)
        display.data(dataset)
        folder, own = runs.place(Path(out))
        bench = runs.Bench(
            dataset, ruler, catalogue, where, folder, speedup=speedup, note=warn,
            advance=display.working,
        )  # fmt: skip
        recipe = planned.recipe(ruler, dataset)
        folder = own or runs.run_folder(bench, recipe)
        runs.refuse(folder, recipe, resume=resume)
        for reference in ruler.references if references else ():
            run_baseline(bench, reference)
        display.training(recipe, folder, where)
        try:
            with stopping:
                result = runs.run_network(
                    bench, recipe, folder, resume=resume, report=display.report, stopping=stopping
                )
        except runs.Interrupted as reason:
            raise KeyboardInterrupt(f"{reason}; the same call with resume=True goes on") from None
        except runs.OutOfMemory:
            raise
        except Unavailable as reason:
            raise Unavailable(f"{reason}, then resume=True goes on") from None
    if result.status != "done":
        warn(f"{result.method} {result.status}: {result.reason}")
    return load(folder, task=task, plugins=files)
