"""Make timm and piq importable where torchvision does not match torch.

Both import torchvision, whose wheel on the package index is built for the CUDA torch. Beside a CPU
torch its C++ operators are absent, and its import raises «operator torchvision::nms does not
exist» while it describes two of them. Nothing here uses them, so declaring that they exist is
enough.
"""

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

_declarations: list[object] = []  # a library's operators are gone when the library is collected


def prepare() -> None:
    """Declare torchvision's operators `nms` and `qnms` unless its extension can be loaded.

    Cheap (imports torch, not torchvision), harmless to repeat, and without effect where torchvision
    is absent, was imported already, or matches torch.
    """
    if _declarations or "torchvision" in sys.modules:
        return
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    import torch

    if extension_loads(Path(spec.origin).parent):
        return
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        library.define(name + SCHEMA)  # type: ignore[no-untyped-call]
    _declarations.append(library)


def extension_loads(folder: Path) -> bool:
    """Load torchvision's operators from its folder as its own `extension.py` does; say if it went.

    A library for another torch fails at its missing symbols, before it registers anything.
    """
    import torch

    for suffix in EXTENSION_SUFFIXES:
        file = folder / f"_C{suffix}"
        if file.is_file():
            try:
                torch.ops.load_library(file)  # type: ignore[no-untyped-call]
            except OSError:
                return False
            return hasattr(torch.ops.torchvision, "nms")
    return False
