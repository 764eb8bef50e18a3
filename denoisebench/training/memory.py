"""The most memory that was in use since a moment."""

import re
from contextlib import suppress
from pathlib import Path

import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def watch(device: torch.device) -> None:
    """Begin: forget what was in use before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):  # Linux only; 5 resets the peak (man 5 proc)
        _RESET.write_text("5", encoding="ascii")


def peak(device: torch.device) -> int | None:
    """Bytes in use at most since `watch`; None where the system does not say.

    On a GPU what tensors took there; on a CPU the whole process, the data set included.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    return None
