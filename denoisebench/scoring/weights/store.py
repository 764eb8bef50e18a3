"""The weights in the cache folder: fetched, listed and loaded."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from denoisebench.bounded import read_tensors
from denoisebench.errors import Unavailable, UsageError
from denoisebench.home import home
from denoisebench.scoring.weights import known
from denoisebench.scoring.weights.archive import digest_of, tensors_in
from denoisebench.scoring.weights.package_index import Progress, stream

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Entry:
    """One line of the list of weights; `size` is of the file in bytes, None where it is absent."""

    name: str
    present: bool
    size: int | None
    licence: str
    source: str
    path: Path


def path_of(name: str) -> Path:
    """Return where the weights of that name are kept, there or not."""
    return home() / "weights" / f"{name}.safetensors"


def listing() -> list[Entry]:
    """Return one entry for each of the known weights."""
    entries = []
    for name, facts in known.KNOWN.items():
        size = path.stat().st_size if (path := path_of(name)).is_file() else None
        entries.append(Entry(name, size is not None, size, facts.licence, facts.source, path))
    return entries


def load_weights(name: str, device: "torch.device | None" = None) -> Mapping[str, "Tensor"]:
    """Return the tensors of fetched weights, float32 on `device` (the CPU); not to be written to.

    `features.I.weight` and `features.I.bias` are the backbone's convolutions in their order,
    `heads.I.weight` the linear heads of LPIPS, in PyTorch's layout; `alpha` and `beta` weigh the
    channels of DISTS. A process reads and checks a file once.

    Raises:
        Unavailable: they are not in the cache folder, or are damaged there.
    """
    path = path_of(name)
    written = path.stat().st_mtime_ns if path.is_file() else 0
    return _checked(name, path, written, device)


@lru_cache(maxsize=8)
def _checked(
    name: str, path: Path, written: int, device: "torch.device | None"
) -> Mapping[str, "Tensor"]:
    """Read and check; `path` and `written` are there to tell one file from another."""
    import torch

    # A metric is the first to ask in inference mode; a loss could not train by its tensors.
    with torch.inference_mode(False):
        facts, tensors = known.known_as(name), read(name)
        if digest_of(tensors) != facts.digest:
            raise Unavailable(f"weights {name} are not what was fetched: {known.mend(name)}")
        return {key: tensor.to(device) for key, tensor in tensors.items()}


def read(name: str) -> dict[str, "Tensor"]:
    """Return the tensors in the cache folder without judging them."""
    path = path_of(name)
    if not path.is_file():
        raise Unavailable(f"weights {name} are missing: {known.mend(name)}")
    try:
        return read_tensors(path)
    except UsageError:  # its message has the path, and a metric's reason goes into results
        raise Unavailable(f"weights {name} cannot be read: {known.mend(name)}") from None


def intact(name: str) -> bool:
    """Say whether the weights are in the cache folder and are the known ones."""
    try:
        load_weights(name)
    except Unavailable:
        return False
    return True


def fetch(name: str, progress: Progress | None = None) -> list[Path]:
    """Fetch weights, or all of a group, and return where they are; what is there stays.

    Raises:
        Unavailable: no source could be reached, or what came is not what is known; nothing is
            written then.
    """
    from safetensors.torch import save

    missing = [each for each in known.names(name) if not intact(each)]
    for archive in dict.fromkeys(known.KNOWN[each].archive for each in missing):
        folder = home() / "weights"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            stream(archive, file, progress)
            wanted = [each for each in missing if known.KNOWN[each].archive == archive]
            made = {each: tensors_in(file, known.KNOWN[each]) for each in wanted}
        for each, tensors in made.items():
            replace(path_of(each), save(tensors))
    return [path_of(each) for each in known.names(name)]


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0o600 would shut out others who share the folder
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
