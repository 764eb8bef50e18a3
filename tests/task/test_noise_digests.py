"""The noisy test pixels are the same everywhere: digests of them are committed."""

import csv
import hashlib
import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from denoisebench.data.intake.dicom import read
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice

HERE = Path(__file__).parent
SCRIPT = HERE / "noise_digests.py"
KNOWN = json.loads((HERE / "noise_digests.json").read_text())
CT = HERE / "ct_noise_digests.json"
SHOW = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from noise_digests import made
print(__import__("json").dumps(made()))
"""


def digests(*before: str) -> dict[str, str]:
    """Digests as a process of its own makes them, after some lines of code."""
    code = "\n".join([*before, SHOW])
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_noisy_pixels_of_every_task_are_the_known_ones():
    assert digests() == KNOWN
    assert len(set(KNOWN.values())) == len(KNOWN)  # each task and seed has noise of its own


def test_a_bit_less_of_noise_or_numpys_own_normal_would_be_seen():
    """The same comparison against noise that is broken on purpose."""
    broken = (
        "from denoisebench.task import noise",
        "noise.ndtri = lambda u: __import__('scipy.special').special.ndtri(u) * (1 + 1e-4)",
    )
    assert not set(digests(*broken).values()) & set(KNOWN.values())


def test_no_bit_depends_on_how_many_processes_make_the_noise(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    from noise_digests import bits

    here = [bits(number) for number in range(4)]
    for workers in (1, 2):
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            assert list(pool.map(bits, range(4))) == here


def ct_digests(folder: Path) -> dict[str, str]:
    """Pixel digest → digest of the noisy slice, for the test split of a manifest."""
    task, found = load_task("ct-sigma50"), {}
    with (folder / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    for row in rows:
        (raw,) = read(folder / row["path"])
        of_pixels = hashlib.sha256(raw.hu.astype("<i2").tobytes()).hexdigest()
        noisy = noisy_slice(task, task.to_grey(raw.hu), of_pixels)
        # to 1/256 grey level, as in noise_digests.py
        rounded = np.rint(noisy * 256).astype("<i4")
        found[of_pixels] = hashlib.sha256(rounded.tobytes()).hexdigest()
    return found


def test_noisy_real_ct_is_the_known_one(ct_folder):
    known = json.loads(CT.read_text())
    assert len(known) == 51
    assert ct_digests(ct_folder) == known
