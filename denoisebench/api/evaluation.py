"""`denoisebench.evaluate`: score a module, a run or a baseline as all else on a board is scored."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from denoisebench.api.run import Run, load
from denoisebench.api.work import at_work, warn
from denoisebench.errors import UsageError

if TYPE_CHECKING:
    from denoisebench.task.task import Scale


def evaluate(
    model: "Callable[..., Any] | Run | str",
    *,
    task: str | Path = "ct-sigma50",
    data: str | Path = "phantom",
    name: str | None = None,
    input: "Scale" = "network",
    sigma: bool = False,
    multiple: int = 1,
    device: str = "auto",
    plugins: Sequence[str | Path] = (),
    out: str | Path = "runs",
    progress: bool = False,
) -> Run:
    """Score a denoiser on the test split, under the task's noise and metrics.

    It is shown noisy slices and nothing else. Its row stands in a folder below `out`, and on the
    boards of that folder, beside all that was scored alike.

    Args:
        model: any `nn.Module` or function of a tensor (B, 1, H, W) that gives one of the same
            shape; a run, to score its network on other data or under another task; or text, the
            expression of a baseline: `"nlm(h=0.4)"`.
        task: window, noise and metrics: a name, or a TOML file.
        data: `phantom`, a name of `denoisebench data list`, or a folder of CT.
        name: what boards call it; its class or function where None.
        input: the scale that it takes and gives: "network" for [-1, 1], "unit" for [0, 1], "grey"
            for 0 to 255, "hu" for Hounsfield units. The task's window lies at these ends; noise
            goes beyond. All four are tried on a piece of a slice that is not in the test split,
            and a warning tells where another fits better.
        sigma: whether it takes the noise's standard deviation, a float on its own scale, as its
            second argument.
        multiple: what the sides must be divisible by; slices are reflected to that and cut back.
        device: where it runs: "auto" is where its weights are. It is brought back from another.
        plugins: Python files with plug-ins of your own.
        out: where run folders stand.
        progress: show it, as the command line does.
    Returns:
        The row: `run.psnr`, `run.metrics` with intervals, `run.scores` by slice. A module is in the
        mode, on the device and with the gradients that it had.
    Raises:
        UsageError: what was asked is wrong, or the model gives no tensor of the shape it is given.
        Unavailable: the work failed: a full disk, memory that ends.
    """
    from denoisebench.plugins.expression import resolve
    from denoisebench.plugins.find import find
    from denoisebench.task import load_task
    from denoisebench.task.task import SCALES

    files = tuple(map(Path, plugins))
    catalogue, ruler = find(files), load_task(str(task))
    if input not in SCALES:
        raise UsageError(f"no scale named {input!r}; input is one of {', '.join(SCALES)}")
    if isinstance(model, str | Run) and (input, sigma, multiple) != ("network", False, 1):
        raise UsageError("input, sigma and multiple are for a module; leave them out")
    if isinstance(model, str):
        (part,) = resolve(model, "baseline", catalogue)
        if name is not None:
            raise UsageError(f"a baseline goes by its expression, {part.text}; leave out name")
    elif isinstance(model, Run):
        name = name or f"{model.result.method}, trained on {model.result.data}"
        multiple = model.multiple
        model = model.generator(device)
    elif not callable(model):
        raise UsageError(
            f"a {type(model).__name__} cannot be scored; give an nn.Module, a function of a tensor "
            "(B, 1, H, W), a run, or the expression of a baseline"
        )
    from denoisebench.scoring.module import device_of, score_module

    own = None if isinstance(model, str) else device_of(model)
    chosen = own if own is not None and device == "auto" else device
    with at_work(chosen, progress=progress) as (where, display, _):
        from denoisebench.data.named import open_data
        from denoisebench.scoring import run as runs
        from denoisebench.scoring.classical import baseline_folder, run_baseline

        dataset = open_data(str(data), progress=display.reading, waiting=display.waiting)
        display.data(dataset)
        bench = runs.Bench(
            dataset, ruler, catalogue, where, Path(out), note=warn, advance=display.working
        )
        if isinstance(model, str):
            run_baseline(bench, model)
            folder = baseline_folder(bench, part)
        else:
            folder = score_module(
                bench, model, name=name, scale=input, sigma=sigma, multiple=multiple
            )
    run = load(folder, task=task, plugins=files)
    if run.result.status != "done":
        warn(f"{run.result.method} {run.result.status}: {run.result.reason}")
    return run
