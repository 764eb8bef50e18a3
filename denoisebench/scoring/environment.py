"""The machine and the libraries behind a result."""

import platform
import re
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from denoisebench.errors import UsageError
from denoisebench.workers import cores

if TYPE_CHECKING:
    import torch

PACKAGES = ("denoisebench", "torch", "torchvision", "numpy", "scipy", "scikit-image", "pydicom",
            "piq", "kornia", "timm", "bm3d")  # fmt: skip


def environment() -> dict[str, Any]:
    """Describe what decides speed and the last digits; names no user, host or path."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "byte_order": sys.byteorder,
        "cpu": cpu_name(),
        "cores": cores(),
        "torch_threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "cuda": torch.version.cuda if cuda else None,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def torch_device(name: str) -> "torch.device":
    """Turn a name into a device that is there: cpu, cuda, cuda:1, or auto."""
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


def device_name(device: "torch.device") -> str:
    """What stands beside a speed: the GPU's name, or the CPU's and the number of threads."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{cpu_name()}, {torch.get_num_threads()} threads"


def cpu_name() -> str:
    """What the processor calls itself; "CPU" where the system does not say."""
    with suppress(OSError):  # Linux: Python's own platform module leaves it empty there
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE):
            return found[1].strip()
    return platform.processor() or "CPU"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
