"""Intake of many slices: rate beside plain pydicom, and memory.

Synthetic CT is written once (phantom slices, each warped and made noisy in its own way, 100 slices
a patient), then prepared by `denoisebench data prepare` on all cores, while the memory of the
command and its children is watched. Beside it, in one process on one core: plain pydicom
(dcmread, pixel_array, apply_rescale) on some of the same files.

    python benchmarks/intake.py DIR --slices 10000 --syntax jpeg2000
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.pixels import apply_rescale
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless
from scipy.ndimage import affine_transform

from denoisebench.data.phantom.data_set import open_phantom

PER_PATIENT, SIDE = 100, 512


@cache
def phantom() -> NDArray[np.int16]:
    data = open_phantom()
    return np.stack([one.hu for one in [*data.train, *data.val]])


def write(what: tuple[Path, int, str]) -> None:
    """Write one slice: of phantom slice and warp by patient, noise and shift by slice."""
    folder, number, syntax = what
    patient, place = divmod(number, PER_PATIENT)
    random = np.random.default_rng([7, patient])
    matrix = np.eye(2) * random.uniform(0.9, 1.2) + random.uniform(-0.05, 0.05, (2, 2))
    drawn = phantom()[(patient * 7 + place // 10) % len(phantom())]
    hu = affine_transform(
        drawn, matrix, random.uniform(-20, 20, 2) + place % 10, order=1, cval=-1024
    )
    noise = np.random.default_rng([8, number]).standard_normal((SIDE, SIDE), np.float32)
    stored = np.clip(hu + 1024 + 10 * noise, 0, 4095).astype("<u2")
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        CTImageStorage,
        f"1.2.3.{number}",
    )
    path = folder / f"{patient:05d}" / f"{place:04d}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = FileDataset(None, {}, b"\0" * 128, meta)
    for keyword, value in {
        "SOPClassUID": CTImageStorage, "SOPInstanceUID": f"1.2.3.{number}", "Modality": "CT",
        "SeriesInstanceUID": f"1.2.{patient}", "StudyInstanceUID": "1.2", "PatientName": "None^A",
        "PatientID": f"{patient}", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "Manufacturer": "nobody", "StudyDate": "20000101", "KVP": 120, "SliceThickness": 2.5,
        "ImagePositionPatient": [0, 0, 2.5 * place], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.7, 0.7], "Rows": SIDE, "Columns": SIDE, "BitsAllocated": 16,
        "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "RescaleSlope": 1, "RescaleIntercept": -1024,
    }.items():  # fmt: skip
        setattr(dataset, keyword, value)
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    if syntax == "jpeg2000":
        dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    dcmwrite(path, dataset, enforce_file_format=True)


def plain(paths: list[Path]) -> float:
    """Return slices a second of plain pydicom on one core, the median of three passes.

    Its decoder of JPEG 2000 takes two threads: what it does with one core is asked.
    """
    rates, cores = [], os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        for _ in range(3):
            began = time.perf_counter()
            for path in paths:
                dataset = dcmread(path)
                apply_rescale(dataset.pixel_array, dataset)
            rates.append(len(paths) / (time.perf_counter() - began))
    finally:
        os.sched_setaffinity(0, cores)
    return statistics.median(rates)


def memory(process: int) -> int:
    """Return the bytes that a process and its children occupy; shared ones count once."""
    total, todo = 0, [process]
    while todo:
        one = todo.pop()
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:"))
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except (OSError, StopIteration):
            continue
    return 1024 * total


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("folder", type=Path, help="where slices and prepared data stand")
    asked.add_argument("--slices", type=int, default=10_000)
    asked.add_argument("--syntax", choices=("native", "jpeg2000"), default="jpeg2000")
    arguments = asked.parse_args()
    source = arguments.folder / f"{arguments.syntax}-{arguments.slices}"
    if not source.exists():
        open_phantom()
        making = source.with_name(source.name + ".making")
        shutil.rmtree(making, ignore_errors=True)
        todo = [(making, number, arguments.syntax) for number in range(arguments.slices)]
        with ProcessPoolExecutor(None, get_context("spawn")) as pool:
            list(pool.map(write, todo, chunksize=50))
        making.rename(source)
    paths = sorted(source.rglob("*.dcm"))
    some = paths[:: max(1, len(paths) // 200)]
    before = plain(some)
    out = arguments.folder / "prepared"
    shutil.rmtree(out, ignore_errors=True)
    began, most = time.perf_counter(), 0
    command = [sys.executable, "-m", "denoisebench", "data", "prepare", source, "--out", out]
    running = subprocess.Popen(command)
    while running.poll() is None:
        most = max(most, memory(running.pid))
        time.sleep(0.2)
    seconds = time.perf_counter() - began
    assert running.returncode == 0
    after = plain(some)
    cores, rate = len(os.sched_getaffinity(0)), len(paths) / seconds
    pydicom = (before + after) / 2
    sys.stdout.write(
        f"{len(paths)} slices, {arguments.syntax}: {seconds:.1f} s, {rate:.1f} a second on {cores} "
        f"cores; plain pydicom {pydicom:.1f} on one ({before:.1f} before, {after:.1f} after): "
        f"{rate / cores / pydicom:.2f} × cores × its rate; {most / 2**20:.0f} MiB at most\n"
    )


if __name__ == "__main__":
    main()
