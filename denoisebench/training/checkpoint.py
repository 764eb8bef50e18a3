"""A checkpoint is the old one or the new one, never half, and it is tensors, not code."""

import os
from pathlib import Path
from typing import Any

import torch

from denoisebench.errors import UsageError


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values beside `path`, then put the file in its place at once."""
    beside = path.with_suffix(".writing")
    with beside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint; refuses files that hold anything but tensors and plain values.

    Raises:
        UsageError: there is none, or it is damaged or not one of ours.
    """
    try:
        state: Any = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"nothing to resume: {path} does not exist") from None
    except Exception as error:  # the unpickler of damaged bytes raises whatever it meets
        reason = str(error).splitlines()[0] if str(error).strip() else type(error).__name__
        raise _unreadable(path, reason) from None
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise _unreadable(path, "it holds something else than the state of a training")
    return state


def _unreadable(path: Path, reason: str) -> UsageError:
    return UsageError(f"{path} is not a checkpoint that can be read: {reason:.120}")
