"""Digests of noisy slices, made with whatever NumPy and SciPy run this.

    python tests/task/noise_digests.py             compare with those that are committed
    python tests/task/noise_digests.py --write     write them

Needs of denoisebench what makes noise: NumPy, SciPy, pydantic, platformdirs.
"""

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from denoisebench.task import load_task, task_names
from denoisebench.task.noise import noisy_slice

KNOWN = Path(__file__).with_suffix(".json")
SIDE = 96


def digest(noisy: np.ndarray) -> str:
    """Of pixels to 1/256 grey level: libraries may differ in the last bits of a logarithm."""
    return hashlib.sha256(np.rint(noisy * 256).astype("<i4").tobytes()).hexdigest()


def clean_hu() -> np.ndarray:
    """A slice that needs no file: (96, 96) int16, air to bone, each pixel another value."""
    return (np.arange(SIDE * SIDE).reshape(SIDE, SIDE) * 7 % 3001 - 1000).astype("<i2")


def made() -> dict[str, str]:
    """Task and seed → digest of the noisy slice."""
    hu = clean_hu()
    of_pixels = hashlib.sha256(hu.tobytes()).hexdigest()
    found = {}
    for name in task_names():
        task = load_task(name)
        for seed in (0, 1):
            noisy = noisy_slice(task, task.to_grey(hu), of_pixels, seed)
            found[f"{name} seed {seed}"] = digest(noisy)
    return found


def bits(number: int) -> str:
    """Digest of every bit of a noisy slice."""
    clean = np.full((64, 64), 10.0 * number)
    noisy = noisy_slice(load_task("ct-sigma50"), clean, f"{number:064x}")
    return hashlib.sha256(noisy.tobytes()).hexdigest()


def main() -> int:
    if "--write" in sys.argv:
        KNOWN.write_text(json.dumps(made(), indent=1) + "\n")
    same = made() == json.loads(KNOWN.read_text())
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy"))
    sys.stdout.write(f"{versions}: {len(made())} digests {'equal' if same else 'DIFFER'}\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
