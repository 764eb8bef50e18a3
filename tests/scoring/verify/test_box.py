"""The pipe to a child: whatever it sends, what comes out is a slice or `Misbehaved`."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from denoisebench.errors import UsageError
from denoisebench.scoring.verify.box import Box, Misbehaved, Order, distinct

NOISY = np.arange(12.0).reshape(3, 4)
START = """
import os, struct, sys, time
def take():
    head = sys.stdin.buffer.read(8)
    rows, columns = struct.unpack("<II", head)
    return struct.unpack(f"<{rows * columns}d", sys.stdin.buffer.read(8 * rows * columns))
def give(values): os.write(1, struct.pack(f"<{len(values)}f", *values))
sys.stdin.buffer.readline()
os.write(1, b"shut.\\n")
"""


def child(code: str, seconds: float = 30.0) -> Box:
    """A child that says it is ready and then does as it likes."""
    order = Order("baseline", "noisy", {}, seconds=seconds)
    return Box(order, [sys.executable, "-I", "-c", START + code])


def show(box: Box, noisy: np.ndarray) -> None:
    box.denoise(noisy)
    box.finish()


def test_a_slice_goes_in_and_a_slice_comes_out():
    with child("give([value + 1 for value in take()])") as box:
        assert box.confined
        assert np.array_equal(box.denoise(NOISY), NOISY + 1)
        box.finish()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("take(); give([float('nan')] * 12)", "not finite"),
        ("take(); give([float('inf')] * 12)", "not finite"),
        ("take(); give([0] * 11)", "ended before"),
        ("take(); os.write(1, b'cposix\\nsystem\\n(S\"touch ran\"\\ntR.')", "ended before"),
        ("take(); os._exit(3)", "ended before"),
        ("take(); give([0] * 12); os.write(1, b'x')", "more than the slices"),
        ("take(); give([0] * 13)", "more than the slices"),
    ],
)
def test_what_is_no_slice_is_refused(code, told):
    with pytest.raises(Misbehaved, match=told), child(code) as box:
        show(box, NOISY)


@pytest.mark.parametrize(
    "code",
    [
        "take(); time.sleep(3600)",
        "time.sleep(3600)",
        # its own child holds the pipe open
        "take(); os.fork() or time.sleep(3600); time.sleep(3600)",
    ],
)
def test_a_child_that_is_silent_is_ended(code):
    began = time.monotonic()
    with pytest.raises(Misbehaved, match="took too long"), child(code, 0.5) as box:
        box.denoise(NOISY)
    assert time.monotonic() - began < 20  # an hour, without the limit


def test_a_flood_costs_neither_memory_nor_time():
    """More than a pipe holds, before and beside the answer: neither side waits for the other."""
    code = "while True: os.write(1, bytes(65536)); os.write(2, bytes(65536))"
    with pytest.raises(Misbehaved, match="took too long"), child(code, 1.0) as box:
        show(box, np.zeros((512, 512)))


def test_a_child_that_does_not_start_tells_the_terminal_why_in_one_printable_line():
    code = "import sys; sys.stderr.write('a\\nno \\x1b[31msuch file\\n'); sys.exit(1)"
    box = Box(Order("baseline", "noisy", {}), [sys.executable, "-I", "-c", code])
    with pytest.raises(Misbehaved) as told, box:
        pass
    assert told.value.words == "no [31msuch file"
    assert "such file" not in str(told.value)  # what goes into files is ours


def test_a_child_sees_an_empty_folder_and_a_bare_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CT_DATA", "/data/ct")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    weights = tmp_path / "weights.bin"
    weights.write_text("here")
    code = START + (
        "take(); words = [len(os.listdir('.')), 'HOME' in os.environ, 'CT_DATA' in os.environ,"
        " 'PYTHONPATH' in os.environ, str(sys.argv + [os.getcwd()]).count('pytest'),"
        " os.path.exists('weights.bin'), len(os.listdir(os.environ['DENOISEBENCH_HOME'])),"
        " len([n for n in os.listdir('/dev/fd') if int(n) > 2])]\n"
        "give([float(word) for word in words] + [0.0] * 4)"
    )
    read, write = os.pipe()  # a descriptor of the parent's
    os.set_inheritable(write, True)
    order = Order("baseline", "noisy", {}, files=(weights,))
    with Box(order, [sys.executable, "-I", "-c", code]) as box:
        found = box.denoise(NOISY).ravel()
        folder = box.folder
        box.finish()
    os.close(read)
    os.close(write)
    # the copy and the empty home; one descriptor lists the descriptors
    assert found.tolist() == [2, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]
    assert not folder.exists()


def test_two_plugin_files_of_one_name_are_refused():
    with pytest.raises(UsageError, match="one name"):
        distinct([Path("a/mine.py"), Path("b/mine.py")])
