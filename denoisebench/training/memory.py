"""The most memory that was in use since a moment, and whether it will suffice."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import finalize

import torch
from torch import Tensor, UntypedStorage
from torch.func import functional_call
from torch.nn import Module
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_MEMORY = Path("/proc/meminfo")


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


def ended(error: Exception) -> bool:
    """Say whether an error says that memory does not suffice."""
    told = ("can't allocate memory", "not enough memory")  # of torch's allocator on CPUs
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in told)


def suffices(network: Module, shape: tuple[int, ...]) -> bool:
    """Say whether this machine's free memory holds what a network makes of an input; no gradients.

    Half of it must: libraries have workspace of their own. True where nobody can say.
    """
    with suppress(OSError):  # Linux only
        found = re.search(r"^MemAvailable:\s+(\d+) kB", _MEMORY.read_text("ascii"), re.MULTILINE)
        if found and (needed := reckoned(network, shape)):
            return needed * 2 < int(found[1]) * 1024
    return True


def reckoned(network: Module, shape: tuple[int, ...]) -> int | None:
    """Bytes of a network's tensors for an input at their most; nothing is computed.

    None for a network that cannot do without values.
    """
    tensors = [*network.named_parameters(), *network.named_buffers()]
    stand_ins = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}
    reckoning = _Reckoning()
    try:
        with torch.no_grad(), reckoning:
            functional_call(network, stand_ins, torch.empty(shape, device="meta"))
    except Exception:  # a network of any kind
        return None
    return reckoning.most


class _Reckoning(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the memory that is held by tensors."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._hold(tensor.untyped_storage())
        return made

    def _hold(self, storage: UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key not in self.known:
            self.known.add(key)
            self.now += size
            self.most = max(self.most, self.now)
            finalize(storage, self._release, key, size)

    def _release(self, key: int, size: int) -> None:
        self.known.remove(key)
        self.now -= size
