"""The machine and the libraries behind a result."""

import platform
import re
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
