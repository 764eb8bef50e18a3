"""The most memory that a process takes for a few steps: `python memory.py train`, or `bare`.

Prints bytes: the peak, and what was in use before networks were built.
"""

import sys
import tempfile
from pathlib import Path

import torch
from arithmetic import batch, hand_written, networks
from turns import recipe_for

from denoisebench.data.dataset import DataSet
from denoisebench.data.phantom import draw
from denoisebench.data.scan import Slice
from denoisebench.plugins.find import find
from denoisebench.task import load_task
from denoisebench.training import device
from denoisebench.training.loop import train

STEPS = 5
CPU = torch.device("cpu")


def main(how: str) -> None:
    task, catalogue = load_task("ct-sigma50"), find()
    slices = tuple(Slice(draw(patient, 2), str(patient), str(patient)) for patient in range(3))
    dataset = DataSet("perf", slices, slices[:1], slices[:1], (), ())
    choices = {"generator": "unet7", "loss": "cgan+l1", "batch": 2, "patch": 256, "steps": STEPS}
    recipe = recipe_for(catalogue, task, dataset, **choices)
    device.watch(CPU)
    before = device.peak_memory(CPU)
    if how == "train":
        with tempfile.TemporaryDirectory() as folder:
            train(recipe, dataset, task, catalogue, Path(folder), device=CPU)
    else:
        step = hand_written(recipe)(*networks(recipe, catalogue)).step
        for number in range(STEPS):
            step(*batch(recipe, dataset, task, number))
    sys.stdout.write(f"{device.peak_memory(CPU)} {before}\n")


if __name__ == "__main__":
    main(sys.argv[1])
