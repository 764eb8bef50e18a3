"""What a call of the API has around it: progress, Ctrl-C, and nothing left behind."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from denoisebench.cli.progress import Display
from denoisebench.cli.signals import Stopping, stop_on_interrupt

if TYPE_CHECKING:
    import torch


@contextmanager
def at_work(
    device: "str | torch.device", *, progress: bool
) -> "Iterator[tuple[torch.device, Display, Stopping]]":
    """Show progress where it is wanted, take Ctrl-C, and leave torch's random numbers as they were.

    Yields:
        The device; what shows; and whether somebody asked to stop.
    """
    import torch

    from denoisebench.scoring.environment import torch_device

    where = torch_device(device) if isinstance(device, str) else device
    gpus = [where] if where.type == "cuda" else []
    with (
        Display(silent=not progress) as display,
        stop_on_interrupt() as stopping,
        torch.random.fork_rng(devices=gpus),
    ):
        yield where, display, stopping


def warn(text: str) -> None:
    """Tell what could not be done as asked, or looks wrong, at the caller's own line."""
    frame, level, ours = sys._getframe(), 1, 1
    while frame := frame.f_back:  # type: ignore[assignment]
        level += 1
        if frame.f_globals.get("__name__", "").startswith("denoisebench."):
            ours = level
    warnings.warn(text, UserWarning, stacklevel=ours + 1)
