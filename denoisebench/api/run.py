"""A run as an object: what it scored, and its network to work with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from denoisebench.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from torch.nn import Module

    from denoisebench.scoring.opened import Opened
    from denoisebench.scoring.result import MetricResult, Result, Score
    from denoisebench.task.task import Scale
    from denoisebench.training.recipe import Recipe


@dataclass(frozen=True, repr=False)
class Run:
    """A method that was trained or scored, with the folder that says all of it.

    Attributes:
        folder: recipe, log, weights, scores and picture of it.
        result: the row of a board: scores, cost, status, and on what.
        task: the file of the task, where it is not one that comes with denoisebench.
        plugins: files with plug-ins of the user's own that it needs.
    """

    folder: Path
    result: "Result"
    task: str | None = None
    plugins: tuple[Path, ...] = ()

    @property
    def metrics(self) -> "Mapping[str, MetricResult]":
        """Each metric's `mean` over patients, with its 95 % interval `lo`, `hi`, and its `unit`."""
        return self.result.metrics

    @property
    def psnr(self) -> float | None:
        """Mean peak signal-to-noise ratio in dB; None where it was not measured."""
        found = self.result.metrics.get("psnr")
        return found.mean if found else None

    @property
    def multiple(self) -> int:
        """What the sides of the network's input must be divisible by."""
        return self._opened.multiple

    @cached_property
    def scores(self) -> "tuple[Score, ...]":
        """One for each slice and metric: `slice`, `patient`, `metric`, `value`; by pseudonyms."""
        from denoisebench.scoring.result import read_scores

        return tuple(read_scores(self.folder / "scores.csv")) if self.result.metrics else ()

    @cached_property
    def recipe(self) -> "Recipe | None":
        """All that decided the training; None for what denoisebench did not train."""
        from denoisebench.training.recipe import Recipe

        return Recipe.read(self.folder / "recipe.toml") if self.result.kind == "network" else None

    @cached_property
    def _opened(self) -> "Opened":
        from denoisebench.plugins.find import find
        from denoisebench.scoring.opened import open_run

        return open_run(self.folder, find(self.plugins), self.task)

    def generator(self, device: str = "cpu") -> "Module":
        """Build the trained network, in eval mode; it takes and gives (B, 1, H, W) in [-1, 1].

        Args:
            device: cpu, cuda, cuda:1, or auto.
        Raises:
            UsageError: there is no network: a baseline, a run that is not done.
        """
        opened = self._opened

        import torch

        from denoisebench.scoring.environment import torch_device

        with torch.random.fork_rng(devices=[]):  # its first weights are drawn, and not kept
            return opened.generator(torch_device(device))

    def denoise(
        self, image: "ArrayLike", *, input: "Scale" = "hu", device: str = "auto"
    ) -> "NDArray[np.float64]":
        """Denoise slices of any size; not for diagnosis.

        Args:
            image: (H, W) or (N, H, W).
            input: the scale of what comes and goes; see `evaluate`. In HU, what lies beyond the
                task's window stays as it is, as with `denoisebench denoise`.
            device: cpu, cuda, cuda:1, or auto.
        Returns:
            The same shape, float64, on the same scale.
        Raises:
            UsageError: see `generator`; or this is no slice.
        """
        import numpy as np

        from denoisebench.deploy.method import denoised
        from denoisebench.deploy.volume import Plane
        from denoisebench.deploy.window import Window
        from denoisebench.scoring import denoisers
        from denoisebench.task.task import SCALES

        if input not in SCALES:
            raise UsageError(f"no scale named {input!r}; input is one of {', '.join(SCALES)}")
        slices = np.asarray(image, dtype=np.float64)
        if slices.ndim not in (2, 3) or not slices.size or not np.all(np.isfinite(slices)):
            raise UsageError(
                f"an array of shape {slices.shape} is no slice (H, W) and no stack of slices "
                "(N, H, W) of finite numbers"
            )
        task, stack = self._opened.task, slices.reshape(-1, *slices.shape[-2:])
        gain, offset = task.scale(input)
        network = denoisers.network(self.generator(device), self.multiple)
        if input != "hu":
            answers = network((stack - offset) / gain)
            images = [answer.image * gain + offset for answer in answers]
        else:
            window, planes = Window(task, task.sigma), [Plane(hu, hu, 1, 0) for hu in stack]
            images = [done.hu for done in denoised(planes, network, window, self.result.method)]
        return np.stack(images).reshape(slices.shape)

    def __repr__(self) -> str:
        from denoisebench.board.render.numbers import rounded

        result = self.result
        name, found = next(iter(result.metrics.items()), ("", None))
        said: str = result.status
        if found is not None and found.mean is not None:
            said = f"{name} {rounded(found.mean, found.unit)} {found.unit}".rstrip()
        return f"<Run {result.method}: {said}, {result.task} on {result.data}, {self.folder.name}>"

    def _repr_markdown_(self) -> str:
        from denoisebench.board.board import boards, collect
        from denoisebench.board.render.commonmark import section
        from denoisebench.board.render.frame import frame

        entries, _ = collect(self.folder)
        shown = frame(boards(entries)[0])
        notes = () if self.result.status == "done" else shown.notes
        return section(replace(shown, tables=shown.tables[:1], notes=notes)) + "\n"


def load(
    name: str | Path,
    *,
    runs: str | Path = "runs",
    task: str | Path | None = None,
    plugins: Sequence[str | Path] = (),
) -> Run:
    """Open a run that is there.

    Args:
        name: its folder; or of one below `runs` the name, with or without its hash, or the hash's
            first digits.
        runs: where run folders stand.
        task: the file of its task, where it is not one that comes with denoisebench.
        plugins: Python files with plug-ins that it needs.
    Raises:
        UsageError: there is none, or more than one.
    """
    from denoisebench.scoring.opened import find_run
    from denoisebench.scoring.result import read_result

    folder = find_run(str(name), Path(runs)).resolve()
    file = str(Path(task).resolve()) if task is not None and str(task).endswith(".toml") else None
    files = tuple(Path(plugin).resolve() for plugin in plugins)
    return Run(folder, read_result(folder / "result.json"), file, files)
