"""What a confined process can still read."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from denoisebench.scoring.verify import confine

CODE = """
import os, signal, socket, sys
from pathlib import Path
{before}
def can(act):
    try:
        act()
        return True
    except (PermissionError, ProcessLookupError):
        return False
data, own, parent = Path(sys.argv[1]), Path(sys.argv[2]), os.getppid()
print(can(data.read_bytes), can(lambda: os.listdir(data.parent)), can(lambda: data.write_text("x")),
      can(lambda: Path(f"/proc/{{parent}}/cmdline").read_bytes()),
      can(lambda: Path(f"/proc/{{parent}}/environ").read_bytes()),
      can(lambda: open(f"/proc/{{parent}}/mem", "rb")), can(lambda: os.kill(parent, 0)),
      can(lambda: (own / "made").write_text("x")), can(lambda: __import__("numpy").zeros(1)))
"""


def seen(before: str, data: Path, own: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", CODE.format(before=before), data, own],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_a_confined_process_reads_neither_data_nor_its_parent(tmp_path):
    data, own = tmp_path / "data" / "slice.dcm", tmp_path / "own"
    data.parent.mkdir()
    own.mkdir()
    data.write_text("target")
    before = (
        "from denoisebench.scoring.verify.confine import confine\n"
        "if not confine(Path(sys.argv[2])): print('no Landlock'); sys.exit()"
    )
    found = seen(before, data, own)
    if found == ["no", "Landlock"]:
        pytest.skip("this kernel has no Landlock")
    assert found == ["False"] * 7 + ["True"] * 2
    assert data.read_text() == "target"
    # the control: without it all of that can be done
    assert seen("", data, own) == ["True"] * 9


def test_elsewhere_it_says_that_nothing_was_done(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not confine.confine(tmp_path)
    with confine.private_memory():
        pass  # does nothing


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_memory_is_private_while_children_run_and_as_before_afterwards():
    import ctypes

    dumpable = partial(ctypes.CDLL(None).prctl, confine.GET_DUMPABLE, 0, 0, 0, 0)
    before = dumpable()
    with confine.private_memory():
        assert dumpable() == 0
    assert dumpable() == before
