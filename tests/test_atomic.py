"""Old or new, never half: writes that are killed, or that the system refuses."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from denoisebench import Unavailable, UsageError, atomic
from denoisebench.training import checkpoint

CPU = torch.device("cpu")
VALUES = 5000

# Fault injection: a child process dies by SIGKILL inside the write of a checkpoint. It writes to
# the real file through a wrapper that counts bytes.
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from denoisebench.training import checkpoint

class Killing:
    def __init__(self, file, offset):
        self.file, self.left = file, offset
    def write(self, data):
        if len(data) > self.left:
            self.file.write(bytes(data)[: self.left])
            self.file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= len(data)
        return self.file.write(data)
    def __getattr__(self, name):
        return getattr(self.file, name)
    def __enter__(self):
        return self
    def __exit__(self, *_):
        self.file.close()

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def in_place(path, state):
    with path.open("wb") as file:
        torch.save(state, file)

path, save = Path(sys.argv[1]), {"atomic": checkpoint.save, "in place": in_place}[sys.argv[2]]
whole = path.stat().st_size
points = [0, 1, 100, whole // 4, whole // 2, whole - 100, whole - 1, "fsync", "replace"]
for point in points:
    child = os.fork()
    if child == 0:
        really = Path.open
        if point == "fsync":
            os.fsync = die
        elif point == "replace":
            Path.replace = die
        else:
            Path.open = lambda self, mode: Killing(really(self, mode), point)
        save(path, {"step": 2, "values": torch.full((%d,), 2.0)})
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    try:
        state = torch.load(path, weights_only=True)
        found = {float(value) for value in state["values"].unique()} | {float(state["step"])}
    except Exception as error:
        found = type(error).__name__
    print(point, os.WIFSIGNALED(status), found)
    checkpoint.save(path, {"step": 1, "values": torch.ones(%d)})
""" % (VALUES, VALUES)  # noqa: UP031  # braces are the script's own


def save(path: Path, number: int) -> None:
    checkpoint.save(path, {"step": number, "values": torch.full((VALUES,), float(number))})


def found_after_kills(path: Path, how: str) -> list[str]:
    """What stands in the checkpoint after a kill at each point of its write."""
    save(path, 1)
    command = [sys.executable, "-c", KILLED, str(path), how]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answers = [line.split(" ", 2) for line in done.stdout.splitlines()]
    points = {point: answer for point, killed, answer in answers if killed == "True"}
    assert {"0", "100"} <= points.keys()  # it was killed indeed
    return list(points.values())


def test_a_checkpoint_killed_inside_its_write_is_the_old_one(tmp_path):
    found = found_after_kills(tmp_path / "checkpoint.pt", "atomic")
    assert found == ["{1.0}"] * 9
    assert list(tmp_path.glob(atomic.LEFT_OVER))  # what the killed ones had begun
    atomic.clean(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_write_in_place_is_seen_to_leave_half_a_checkpoint(tmp_path):
    """The same kills against a writer that is broken on purpose."""
    found = found_after_kills(tmp_path / "checkpoint.pt", "in place")
    assert any(answer not in ("{1.0}", "{2.0}") for answer in found)


def test_readers_see_the_old_or_the_new_text_at_any_moment(tmp_path):
    path, over = tmp_path / "result.json", threading.Event()
    texts = {letter * 50_000 for letter in "ab"}
    atomic.write_text(path, "a" * 50_000)

    def write() -> None:
        while not over.is_set():
            for text in texts:
                atomic.write_text(path, text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert {path.read_text() for _ in range(300)} <= texts
    finally:
        over.set()
        writer.join()


def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "preview.png"
    path.write_bytes(b"old")

    def draw_badly() -> None:
        with atomic.replacing(path) as file:
            file.write(b"new, but")
            raise ValueError("a plug-in's own mistake")

    with pytest.raises(ValueError, match="a plug-in's own mistake"):
        draw_badly()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def full(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next write of a file meet a disk that is full: Linux has such a device."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda size: "0")
    path.with_name(f"{path.name}.{os.getpid()}-0.writing").symlink_to("/dev/full")


@pytest.mark.parametrize("what", ["checkpoint", "text"])
def test_a_full_disk_is_one_line_and_the_old_file_stays(tmp_path, monkeypatch, what):
    path = tmp_path / "checkpoint.pt"
    save(path, 1)
    full(path, monkeypatch)
    with pytest.raises(Unavailable) as told:
        save(path, 2) if what == "checkpoint" else atomic.write_text(path, "new")
    assert re.fullmatch(r"cannot write \S+/checkpoint.pt: No space left on device; make room there",
                        str(told.value))  # fmt: skip
    assert checkpoint.load(path, CPU)["step"] == 1
    save(path, 2)
    assert checkpoint.load(path, CPU)["step"] == 2


def test_a_small_disk_that_fills_up_keeps_the_old_file_and_gives_the_room_back(small_disk):
    path = small_disk / "checkpoint.pt"
    save(path, 1)
    free = os.statvfs(small_disk).f_bfree
    with pytest.raises(Unavailable, match="No space left on device; make room there"):
        checkpoint.save(path, {"values": torch.zeros(1_000_000)})
    assert checkpoint.load(path, CPU)["step"] == 1
    assert os.statvfs(small_disk).f_bfree == free


def test_a_read_only_disk_is_one_line_that_says_how_to_go_on(small_disk):
    path = small_disk / "checkpoint.pt"
    save(path, 1)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(Unavailable, match=r"Read-only file system; use a folder that can be writ"):
        save(path, 2)
    assert checkpoint.load(path, CPU)["step"] == 1


def test_a_folder_that_is_a_file_is_the_users_mistake(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write .*: Not a directory; name another place"):
        atomic.write_text(tmp_path / "file" / "result.json", "")


def test_an_error_that_is_none_of_the_systems_keeps_its_traceback(tmp_path):
    with pytest.raises(RuntimeError, match="ours"), atomic.told(tmp_path):
        raise RuntimeError("ours")


def test_the_users_own_folder_is_not_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    full(tmp_path / "scores.csv", monkeypatch)
    with pytest.raises(Unavailable, match=r"cannot write ~/scores\.csv: "):
        atomic.write_text(tmp_path / "scores.csv", "")


def test_two_processes_of_one_number_write_two_files(tmp_path):
    """As in two containers, in each of which it is the first."""
    with (
        atomic.replacing(tmp_path / "file") as one,
        atomic.replacing(tmp_path / "file") as other,
    ):
        one.write(b"one")
        other.write(b"other")
        assert one.name != other.name
    assert (tmp_path / "file").read_bytes() in (b"one", b"other")
