"""A run that is done, opened again: its recipe, its weights, and the denoiser they make.

torch is imported where weights are: a run that is not there is told at once.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from denoisebench.bounded import read_tensors
from denoisebench.errors import UsageError
from denoisebench.plugins.expression import Part, resolve
from denoisebench.plugins.find import Catalogue
from denoisebench.plugins.load import build
from denoisebench.scoring import denoisers
from denoisebench.scoring.result import Result, read_result
from denoisebench.task import Task, load_task, task_names
from denoisebench.training.recipe import Recipe

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module

    from denoisebench.data.dataset import DataSet

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Opened:
    """A run's folder, read.

    Attributes:
        part: the generator or baseline, with its knobs.
        recipe: of a network; None for a baseline.
        task: it was scored under.
    """

    folder: Path
    result: Result
    part: Part
    recipe: Recipe | None
    task: Task

    def generator(self, device: "torch.device") -> "Module":
        """Build the network and load its weights, in eval mode.

        Raises:
            UsageError: it is a baseline, or the weights are not there or do not fit.
        """
        if self.recipe is None:
            raise UsageError(f"{self.folder} is a baseline's run; it has no network")
        return self.network(read_tensors(self.folder / MODEL), device)

    def network(self, weights: "Mapping[str, Tensor]", device: "torch.device") -> "Module":
        """Build the network with other weights, in eval mode.

        Raises:
            UsageError: they do not fit.
        """
        try:
            module: Module = build(self.part)
            module.load_state_dict(dict(weights))
        except RuntimeError as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UsageError(f"cannot load {self.folder / MODEL}: {reason:.150}") from None
        return module.to(device).eval().requires_grad_(False)

    def weights_digest(self) -> str:
        """SHA-256 of the file with a network's weights, in hex.

        Raises:
            UsageError: it is not there.
        """
        try:
            with (self.folder / MODEL).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            raise UsageError(f"{self.folder} has no {MODEL}: its weights are gone") from None

    @property
    def multiple(self) -> int:
        """What the sides of the network's input must be divisible by."""
        return int(str(self.part.card.facts.get("multiple", 1)))

    def denoiser(self, device: "torch.device", dataset: "DataSet") -> denoisers.Denoiser:
        """Return what makes clean slices of noisy ones.

        Args:
            device: where a network runs, or a baseline that takes batches.
            dataset: whose training slices a baseline that learns is shown again.
        """
        if self.recipe is not None:
            return denoisers.network(self.generator(device), self.multiple)
        from denoisebench.scoring.evaluate import filled

        learned = denoisers.learn(self.part, denoisers.lessons(self.part, dataset, self.task))
        part = filled(self.part, self.task)
        return denoisers.baseline(part, self.task.sigma, device=device, learned=learned)

    @property
    def note(self) -> str | None:
        """What a user of it should be told: the network's source has changed since."""
        name = f"generator {self.part.card.name}"
        if not self.recipe or self.recipe.plugins.get(name) == self.part.card.digest:
            return None
        return f"{self.folder.name} was trained with another source of {name}; verify re-scores it"

    def refuse_other(self, dataset: "DataSet") -> None:
        """Raise UsageError for data that the run was not scored on."""
        same = (dataset.digest, dataset.split_digest)
        if same != (self.result.data_digest, self.result.split_digest):
            raise UsageError(
                f"{self.folder} was scored on {self.result.data}, this is {dataset.name} with "
                "other pixels or another split; give --data what the run had"
            )


def find_run(name: str, runs: Path) -> Path:
    """Find a run's folder by its path, or by what tells it from the others below `runs`.

    Args:
        name: a folder; or the name of one below `runs`, with its hash (`resunet-l1-4b3de171`) or
            without (`resunet-l1`); or the first digits of the hash.
        runs: where run folders stand.
    Raises:
        UsageError: none, or more than one.
    """
    if (Path(name) / "result.json").is_file():
        return Path(name)
    folders = sorted(path.parent for path in runs.glob("**/result.json"))
    found = [folder for folder in folders if folder.name == name]
    if not found and name:
        found = [folder for folder in folders if folder.name.rpartition("-")[0] == name]
    if not found and name:
        found = [folder for folder in folders if _hash(folder).startswith(name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(folder.name for folder in found or folders) or "none"
    many = f"{len(found)} runs are called" if found else "no run is called"
    raise UsageError(f"{many} {name!r} below {str(runs)!r}; there are: {names}")


def _hash(folder: Path) -> str:
    """A run's hash; empty for one whose result cannot be read, which must not hide the others."""
    try:
        return read_result(folder / "result.json").recipe
    except UsageError:
        return ""


def open_run(folder: Path, catalogue: Catalogue, task: str | None = None) -> Opened:
    """Read a run's folder; no weights are loaded and no plug-in is imported yet.

    Args:
        folder: see `find_run`.
        catalogue: where its plug-ins are looked up.
        task: a task file, for a run that was scored under one.
    Raises:
        UsageError: it is not done, its task has another version by now, or its plug-in is unknown.
    """
    result = read_result(folder / "result.json")
    if result.status != "done":
        raise UsageError(f"{folder} is {result.status} ({result.reason}); a run that is done can")
    if result.kind == "module":
        raise UsageError(
            f"{folder} holds the scores of a module that was made elsewhere; nothing can build it "
            "again here: denoisebench.evaluate(module) scores it"
        )
    if task is None and result.task not in task_names():
        raise UsageError(f"{folder} was scored under a task {result.task!r}; give its file: --task")
    ruler = load_task(task or result.task)
    if (ruler.name, ruler.version) != (result.task, result.task_version):
        raise UsageError(
            f"{folder} was scored under {result.task} v{result.task_version}, this is {ruler.name} "
            f"v{ruler.version}"
        )
    if result.task_digest not in (None, ruler.digest):
        raise UsageError(
            f"{folder} was scored under a {ruler.name} v{ruler.version} that says something else; "
            "raise a task's version when you change it"
        )
    if result.kind == "baseline":
        (part,) = resolve(result.method, "baseline", catalogue)
        return Opened(folder, result, part, None, ruler)
    recipe = Recipe.read(folder / "recipe.toml")
    (part,) = resolve(recipe.generator, "generator", catalogue)
    return Opened(folder, result, part, recipe, ruler)
