"""One file from a server that fails in every way that servers do."""

import errno
import hashlib
import os
import socket
from itertools import repeat

import pytest

from denoisebench import Unavailable
from denoisebench.data.fetch import transfer
from denoisebench.data.fetch.transfer import Away, Lost, Transfer

CONTENT = bytes(range(256)) * 800  # 200 kB: several chunks
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def save(archive, tmp_path):
    """Fetch /file of the stand-in, which holds CONTENT, and return what is on disk."""
    archive.files["/file"] = CONTENT
    path = tmp_path / "part.dcm"

    def call(name="/file", **known):
        transfers = Transfer()
        try:
            transfers.save(archive.url + name, path, **known)
        finally:
            transfers.close()
            call.left = path.exists()
        return path.read_bytes()

    return call


def test_a_file_comes_whole(save):
    assert save(size=len(CONTENT), md5=MD5) == CONTENT


@pytest.mark.parametrize("fault", ["cut", "cut chunked", 503, 429, 500])
def test_what_goes_wrong_twice_is_tried_again(save, archive, fault):
    archive.faults["/file"] = iter([fault, fault])
    assert save() == CONTENT
    assert archive.requests() == 3


@pytest.mark.parametrize(
    ("fault", "told", "known"),
    [
        ("cut", "the connection was cut|cut off after", {}),
        ("cut chunked", "the connection was cut", {}),
        (503, "the archive answers 503", {}),
        (b"short", f"cut off after 5 of {len(CONTENT)} bytes", {"size": len(CONTENT)}),
    ],
)
def test_what_goes_wrong_always_is_given_up(save, archive, fault, told, known):
    archive.faults["/file"] = repeat(fault)
    with pytest.raises(Lost, match=told):
        save(**known)
    assert not save.left
    assert archive.requests() == transfer.RETRIES + 1


@pytest.mark.parametrize(
    ("fault", "told", "known"),
    [
        (404, "the archive answers 404", {}),
        (403, "the archive answers 403", {}),
        (b"other", "another MD5", {"md5": MD5}),
        (CONTENT + b"more", f"more than the {len(CONTENT)} bytes", {"size": len(CONTENT)}),
    ],
)
def test_what_no_second_try_mends_is_asked_for_once(save, archive, fault, told, known):
    archive.faults["/file"] = repeat(fault)
    with pytest.raises(Lost, match=told):
        save(**known)
    assert not save.left
    assert archive.requests() == 1


def test_a_server_that_trickles_is_left_after_a_time(save, archive, monkeypatch):
    monkeypatch.setattr(transfer, "FILE_SECONDS", 0.2)
    archive.faults["/file"] = repeat("trickle")
    with pytest.raises(Lost, match=r"too slow: \d+ bytes in 0.2 s"):
        save()
    assert not save.left


def test_a_server_that_falls_silent_is_left_after_a_time(save, archive, monkeypatch):
    monkeypatch.setattr(transfer, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(transfer, "RETRIES", 1)
    archive.faults["/file"] = repeat("silent")
    with pytest.raises(Lost, match=r"no byte in 0.1 s"):
        save()
    assert not save.left


def test_a_file_of_unknown_size_has_an_end(save, archive, monkeypatch):
    monkeypatch.setattr(transfer, "LARGEST", 1000)
    with pytest.raises(Lost, match="more than the 1000 bytes"):
        save()
    assert not save.left


def test_an_archive_that_refuses_connections_is_away(tmp_path, archive):
    with socket.socket() as held:  # bound and not listening: nobody else gets the port
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/file"
        with pytest.raises(Away, match=r"127.0.0.1: Connection refused"):
            Transfer().save(url, tmp_path / "part.dcm")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["ftp://host/file", "http://", "nothing"])
def test_a_url_that_is_none_is_said_so(tmp_path, archive, url):
    with pytest.raises(Away, match="not a URL of http"):
        Transfer().save(url, tmp_path / "part.dcm")


def test_a_full_disk_is_no_fault_of_the_archive(archive, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    archive.files["/file"] = CONTENT
    path = tmp_path / "part.dcm"
    path.symlink_to("/dev/full")
    with pytest.raises(Unavailable, match=os.strerror(errno.ENOSPC)):
        Transfer().save(f"{archive.url}/file", path)
    assert not path.is_symlink()
    assert archive.requests() == 1


def test_no_password_goes_out_and_the_program_says_its_name(save, archive, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    save()
    ((_, headers),) = archive.asked
    assert headers["User-Agent"].startswith("denoisebench/")
    assert not {"Authorization", "Cookie"} & set(headers)


def test_a_proxy_of_the_environment_is_used(archive, tmp_path, monkeypatch):
    archive.files["/file"] = CONTENT
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", archive.url)
    Transfer().save("http://archive.invalid/file", tmp_path / "part.dcm")
    assert archive.asked[0][0] == "http://archive.invalid/file"
