"""Options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from denoisebench.errors import UsageError

if TYPE_CHECKING:
    import torch

plugin = click.option(
    "--plugin",
    "plugins",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A Python file with plug-ins of your own; repeatable.",
)
scored_task = click.option(
    "--task", metavar="FILE", help="The task file, of a run that was scored under one."
)
track = click.option(
    "--track",
    multiple=True,
    metavar="NAME",
    help="Tell tensorboard or wandb, offline unless WANDB_MODE=online; repeatable.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")


def torch_device(name: str) -> "torch.device":
    """Turn --device into a device that is there."""
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device named {name!r}; use cpu, cuda, cuda:1, or auto") from None
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"device {name!r} is not supported; use cpu or cuda")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"{name!r}: torch finds {torch.cuda.device_count()} CUDA devices here")
    return device
