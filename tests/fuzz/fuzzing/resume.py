"""A training that goes on from a checkpoint which is sound as a file, and not as a state."""

import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from fuzzing.mutation import JSON_ONLY, changed_values
from fuzzing.target import Target

STEPS = 2


def tiny_training() -> Any:
    """Return a tiny recipe, its data and its task, as `train` takes them."""
    from denoisebench.data.dataset import DataSet
    from denoisebench.data.scan import Slice
    from denoisebench.plugins.find import find
    from denoisebench.task import load_task
    from denoisebench.training.recipe import plan

    random, task, catalogue = np.random.default_rng(0), load_task("ct-sigma50"), find(())
    slices = [
        Slice(random.integers(-200, 200, (64, 64), dtype=np.int16), name, name) for name in "abc"
    ]
    dataset = DataSet("folder-12345678", slices[:1], slices[1:2], slices[2:])
    planned = plan(
        catalogue, generator="dncnn(depth=3, width=4)", loss="l1", steps=STEPS, batch=1, patch=32
    )
    return planned.recipe(task, dataset), dataset, task, catalogue


def seeds(folder: Path) -> list[bytes]:
    """Train to the end."""
    import torch

    from denoisebench.training.loop import train

    train(*tiny_training(), folder, device=torch.device("cpu"))
    return [(folder / "checkpoint.pt").read_bytes()]


def case(random: Random, known: Sequence[bytes]) -> bytes:
    """Change one or two values, tensors among them, of the state."""
    import torch

    state = torch.load(io.BytesIO(random.choice(known)), weights_only=True)
    state = {
        name: dict(value) if isinstance(value, dict) else value for name, value in state.items()
    }
    tensors = (
        torch.zeros(0),
        torch.zeros(3, 3),
        torch.full((4,), float("nan")),
        torch.tensor(True),
    )
    changed = changed_values(random, state, (*JSON_ONLY, *tensors))
    file = io.BytesIO()
    torch.save(changed, file)
    return file.getvalue()


def reader(folder: Path) -> Callable[[bytes], None]:
    """Go on with the training, as `run --resume` does."""
    import torch

    from denoisebench.errors import UsageError
    from denoisebench.training.loop import Diverged, train

    training, place = tiny_training(), folder / "run"
    (folder / "warm").mkdir(exist_ok=True)
    train(*training, folder / "warm", device=torch.device("cpu"))  # torch imports as it goes

    def read(data: bytes) -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / "checkpoint.pt").write_bytes(data)
        try:
            # a state from before the end would train for as long as it says
            trained = train(
                *training, place, device=torch.device("cpu"), resume=True, stopping=lambda: True
            )
        except Diverged as answer:
            raise UsageError(str(answer)) from None
        assert trained.status in ("done", "interrupted")

    return read


TARGET = Target(seeds, case, reader)
