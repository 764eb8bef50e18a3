"""Options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

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
precision = click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    help="Of training; by default bfloat16 on a GPU, float32 on a CPU.",
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
    from denoisebench.scoring import environment

    return environment.torch_device(name)
