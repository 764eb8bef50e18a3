"""What a device asks for: the layout of tensors, precision, compiled networks, memory."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn import Module

from denoisebench.training.recipe import Precision

Speedup = Literal["none", "compile", "graphs"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def layout(device: torch.device) -> torch.memory_format:
    """Where channels stand: on a CPU channels_last makes a U-Net's step 1.5 times as long."""
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def autocast(device: torch.device, precision: Precision | None) -> AbstractContextManager[Any]:
    """bfloat16, on a GPU unless told; it has float32's range, so no loss is scaled."""
    if (precision or ("bfloat16" if device.type == "cuda" else "float32")) == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def reseed(device: torch.device, seed: int) -> None:
    """Seed what networks draw from; `torch.manual_seed` does the same in 40 times the time."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


class Fast:
    """A network compiled when it is called, or as it is where that cannot be done.

    Args:
        network: called with tensors.
        how: "compile": kernels made for its shapes; "graphs": launched together, too, on a GPU.
        note: told in a line where it has to do without.
    """

    def __init__(self, network: Module, how: Speedup, note: Callable[[str], None]) -> None:
        mode = "reduce-overhead" if how == "graphs" else None
        self._plain, self._note = network, note
        self._compiled: Callable[..., Any] | None = (
            None if how == "none" else torch.compile(network, mode=mode, dynamic=False)
        )

    def __call__(self, *tensors: Any) -> Any:
        """Call the network."""
        if self._compiled is not None:
            try:
                return self._compiled(*tensors)
            except torch.OutOfMemoryError:
                raise  # the network as it is needs more
            except Exception as error:  # no compiler, no Triton, a network that it cannot read
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                self._note(f"torch.compile did not work, training goes on without: {reason:.120}")
                self._compiled = None
        return self._plain(*tensors)


def watch(device: torch.device) -> bool:
    """Begin to watch memory: forget what was in use before; False where the system does not."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:  # Linux only; 5 resets the peak (man 5 proc)
        _RESET.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_memory(device: torch.device) -> int | None:
    """Bytes in use at most since `watch`; None where the system does not say.

    On a GPU what tensors took there; on a CPU the whole process, the data set included.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    return None
