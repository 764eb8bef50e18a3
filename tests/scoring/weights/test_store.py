import os

import pytest
import torch

from denoisebench import Unavailable, load_weights
from denoisebench.scoring.weights import store

FILE = "/files/thing-1.0.tar.gz"  # where `published` puts it


def test_fetched_weights_are_loaded_in_torch_layout(published, cache, layers):
    assert store.fetch("net-a") == [cache / "net-a.safetensors"]
    tensors = load_weights("net-a")
    assert set(tensors) == {"features.0.weight", "features.0.bias", "heads.0.weight"}
    kernel = tensors["features.0.weight"]
    assert kernel.shape == (5, 4, 2, 3)
    assert kernel[4, 3, 1, 2] == layers["Net_0"]["Conv_0"]["kernel"][1, 2, 3, 4]
    assert tensors["heads.0.weight"].shape == (1, 5, 1, 1)


def test_a_group_is_fetched_with_one_download_and_never_again(published, cache, index, files):
    store.fetch("net")
    assert files() == ["net-a.safetensors", "net-b.safetensors"]
    asked = len(index.asked)
    assert asked == 2  # the page, the file
    assert store.fetch("net") == [cache / "net-a.safetensors", cache / "net-b.safetensors"]
    assert len(index.asked) == asked


def test_damaged_weights_are_refused_and_fetched_again(published, cache):
    (path,) = store.fetch("net-a")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(Unavailable, match="not what was fetched: denoisebench weights fetch net"):
        load_weights("net-a")
    path.write_bytes(content[:20])
    with pytest.raises(Unavailable, match=r"cannot be read: denoisebench weights fetch net"):
        load_weights("net-a")
    store.fetch("net-a")
    assert load_weights("net-a")


def test_a_process_reads_a_file_once_until_it_changes(published, monkeypatch):
    (path,) = store.fetch("net-a")
    read, asked = store.read, []
    monkeypatch.setattr(store, "read", lambda name: asked.append(name) or read(name))
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


def test_a_wrong_archive_leaves_nothing_behind(published, files, index):
    index.answers[FILE] = ("", index.answers[FILE][1][:-1] + b"!")
    with pytest.raises(Unavailable, match="SHA-256 is"):
        store.fetch("net")
    assert files() == []


def test_a_cut_transfer_leaves_nothing_behind(published, files, index):
    kind, content = index.answers[FILE]
    index.answers[FILE] = (kind, content[:100])
    index.promised[FILE] = len(content)
    with pytest.raises(Unavailable, match="cut off after 100 of"):
        store.fetch("net")
    assert files() == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"member": "thing-1.0/weights/other.ckpt"}, "damaged.*other.ckpt"),
        ({"sha256": "0" * 64}, "net.ckpt is not what is known"),
        ({"digest": "0" * 64}, "gives other tensors than are known"),
    ],
)
def test_an_archive_that_holds_something_else_leaves_nothing_behind(
    changes, told, published, files
):
    published(**changes)
    with pytest.raises(Unavailable, match=told):
        store.fetch("net")
    assert files() == []


def test_a_full_disk_leaves_the_old_file(published, files, monkeypatch):
    (path,) = store.fetch("net-a")
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        store.fetch("net-a")
    assert files() == ["net-a.safetensors"]
    assert path.read_bytes() == b"old"


def test_weights_read_in_inference_mode_can_be_trained_through(published):
    store.fetch("net-a")
    with torch.inference_mode():
        tensors = load_weights("net-a")
    assert not any(tensor.is_inference() for tensor in tensors.values())


def test_the_list_says_what_is_there(published, cache):
    assert [entry.present for entry in store.listing()] == [False, False]
    store.fetch("net-b")
    first, second = store.listing()
    assert (first.name, first.present, first.size) == ("net-a", False, None)
    assert (second.present, second.size) == (True, second.path.stat().st_size)
    assert "thing-1.0.tar.gz" in second.source
