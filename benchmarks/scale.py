"""What a patch costs when there are a thousand slices, and when there are a million.

Prepared data of 512² slices are laid out with sparse shards: the index is whole, its pixels are
holes, which read as zeros and take no disk. Each round draws as many crops from each size, from
slices that are not in memory, sizes in turn in one process; medians are printed.

    python benchmarks/scale.py --sizes 1000,10000,110000,1000000
"""

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np

from denoisebench.data.dataset import DataSet
from denoisebench.data.patches import crops
from denoisebench.data.store import layout
from denoisebench.data.store.opened import open_prepared
from denoisebench.data.store.prepare import LEAST_FILES, LEAST_SHARDS, MOST_FILES
from denoisebench.task import load_task

SIDE, SLICES_PER_PATIENT = 512, 300


def lay_out(place: Path, count: int) -> None:
    """Write the index of `count` slices, and shards that are holes."""
    place.mkdir()
    rows = np.arange(count)
    per_shard = min(MOST_FILES, max(LEAST_FILES, -(-count // LEAST_SHARDS)))
    index = np.zeros(count, layout.INDEX)
    index["split"] = np.searchsorted([count // 2, 3 * count // 4], rows, side="right")
    index["patient"] = [b"%012x" % row for row in rows // SLICES_PER_PATIENT]
    index["series"] = index["patient"]
    index["digest"] = np.frombuffer(np.random.default_rng(0).bytes(32 * count), "V32")
    index["shard"], within = np.divmod(rows, per_shard)
    index["offset"] = layout.SHARD_HEADER + within.astype(np.uint64) * (2 * SIDE * SIDE)
    index["rows"] = index["columns"] = SIDE
    np.save(place / layout.INDEX_FILE, index)
    lengths = np.bincount(index["shard"]) * SIDE * SIDE
    for number, length in enumerate(lengths):
        path = place / layout.shard_name(number)
        with path.open("wb") as file:
            file.truncate(layout.SHARD_HEADER + 2 * int(length))
        assert layout.close_shard(path) == length
    digest = hashlib.sha256((place / layout.INDEX_FILE).read_bytes()).hexdigest()
    slices = tuple(int(n) for n in np.bincount(index["split"], minlength=3))
    record = layout.Prepared(
        name=f"sparse-{count}", digest="", split_digest="", slices=slices, patients=(0, 0, 0),
        notes=(), licences=("",), shards=tuple(int(n) for n in lengths), files=count,
        accepted=count, aside=(), source="", index_digest=digest,
        made=date.today(),
    )  # fmt: skip
    (place / layout.RECORD).write_text(record.model_dump_json())


def forget(place: Path) -> None:
    """Let the page cache drop what was read of the shards."""
    for path in place.glob("shard-*.npy"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def milliseconds(data: DataSet, first: int, count: int) -> float:
    task = load_task("ct-sigma50")
    began = time.perf_counter()
    for step in range(first, first + count):
        crops(data.train, task, seed=1, step=step, batch=1, patch=256)
    return 1e3 * (time.perf_counter() - began) / count


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--sizes", default="1000,10000,110000,1000000")
    asked.add_argument("--rounds", type=int, default=15)
    asked.add_argument("--crops", type=int, default=100, help="in each round, of each size")
    arguments = asked.parse_args()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        opening, data = {}, {}
        for size in sizes:
            lay_out(Path(folder) / str(size), size)
            times = []
            for _ in range(5):
                began = time.perf_counter()
                data[size] = open_prepared(Path(folder) / str(size))
                times.append(1e3 * (time.perf_counter() - began))
            opening[size] = statistics.median(times)
        first, cold, warm = {}, {size: [] for size in sizes}, {size: [] for size in sizes}
        for size in sizes:
            began = time.perf_counter()
            milliseconds(data[size], 0, 1)
            first[size] = 1e3 * (time.perf_counter() - began)
        for turn in range(arguments.rounds):
            for size in sizes if turn % 2 else sizes[::-1]:
                start = turn * arguments.crops % (size // 2 - arguments.crops)
                milliseconds(data[size], start, 1)  # the epoch's order is known
                # a drawn page that is mapped cannot be dropped: map the shards anew
                fresh = open_prepared(Path(folder) / str(size))
                forget(Path(folder) / str(size))
                cold[size].append(milliseconds(fresh, start, arguments.crops))
                warm[size].append(milliseconds(fresh, start, arguments.crops))
        say("| slices | opened in | first crop of an epoch | a crop, read | a crop, in memory |")
        say("|---:|---:|---:|---:|---:|")
        for size in sizes:
            a, b = (statistics.median(times[size]) for times in (cold, warm))
            x, y = (
                value / statistics.median(times[sizes[0]])
                for value, times in ((a, cold), (b, warm))
            )
            say(
                f"| {size:,} | {opening[size]:.1f} ms | {first[size]:.1f} ms "
                f"| {a:.2f} ms ({x:.2f} ×) | {b:.2f} ms ({y:.2f} ×) |"
            )


if __name__ == "__main__":
    main()
