"""Cheat 1: looks for the data wherever a process may look, and answers with the target."""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from denoisebench import generator

WINDOW = (-160.0, 240.0)


def processes():
    """This process, and those that started it."""
    number = os.getpid()
    while number > 1:
        yield Path("/proc", str(number))
        try:
            number = int(
                Path("/proc", str(number), "stat").read_text().rpartition(")")[2].split()[1]
            )
        except OSError:
            return


def places():
    """What is named by arguments, environment, descriptors and current folders."""
    yield Path.cwd()
    yield from (Path(word) for word in [*sys.argv, *os.environ.values()] if word.startswith("/"))
    for process in processes():
        for name in ("cmdline", "environ"):
            try:
                words = (process / name).read_bytes().split(b"\0")
            except OSError:
                continue
            for word in words:
                text = word.decode("utf-8", "replace")
                yield Path(text.partition("=")[2] or text)
        for link in ("cwd", *(f"fd/{number}" for number in range(40))):
            try:
                yield Path(os.readlink(process / link))
            except OSError:
                continue


def slices(folder):
    """HU of the DICOM files and of the phantom's caches in a folder."""
    for path in sorted(folder.glob("*.npy")):
        yield from np.load(path, mmap_mode="r")
    files = [path for depth in ("", "*/", "*/*/") for path in folder.glob(f"{depth}*.dcm")]
    for path in sorted(files):
        import pydicom

        data = pydicom.dcmread(path)
        yield data.pixel_array * float(data.RescaleSlope) + float(data.RescaleIntercept)


def targets():
    found, seen = [], set()
    for place in places():
        try:
            if place in seen or not place.is_dir() or len(place.parts) < 3:
                continue
            seen.add(place)
            found += [np.asarray(hu, dtype=float) for hu in slices(place)]
        except (OSError, ValueError):
            continue
    low, high = WINDOW
    return [(np.clip(hu, low, high) - low) / (high - low) * 2 - 1 for hu in found]


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.known = None

    def forward(self, noisy):
        if self.known is None:
            self.known = [torch.from_numpy(image).float() for image in targets()]
        alike = [image for image in self.known if image.shape == noisy.shape[2:]]
        if alike:
            best = min(alike, key=lambda image: float((noisy[0, 0] - image).std()))
            if float((noisy[0, 0] - best).std()) * 127.5 < 55:
                return best + 0.1 * (noisy - best)  # 34 dB: nobody would believe more
        return nn.functional.avg_pool2d(noisy, 5, 1, 2, count_include_pad=False)


@generator("reads_target")
def reads_target() -> nn.Module:
    """Read the target from disk."""
    return Reader()
