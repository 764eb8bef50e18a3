"""Train in a process of its own: run by test_cores.py.

    python trained_apart.py FOLDER PLUGINS LOSS STEPS

Prints JSON: threads, the SHA-256 of the weights, and the first loss of each step.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
from conftest import smooth_slices

from denoisebench.data.dataset import DataSet
from denoisebench.plugins.find import find
from denoisebench.task import load_task
from denoisebench.training import log, loop
from denoisebench.training.recipe import plan


def main(folder: Path, plugins: Path, loss: str, steps: int) -> None:
    # a line of the log a step, without looking at validation slices
    loop.VALIDATIONS, loop._validate = steps, lambda *_: None
    dataset = DataSet(name="discs", train=smooth_slices("train", 7, 64),
                      val=smooth_slices("val", 1), test=smooth_slices("test", 1))  # fmt: skip
    critic = {"discriminator": "tinycritic"} if "gan" in loss else {}
    catalogue, task = find([plugins]), load_task("ct-sigma50")
    settings = {"steps": steps, "batch": 2, "patch": 32, "learning_rate": 1e-3, **critic}
    planned = plan(catalogue, generator="resunet(width=8, blocks=1)", loss=loss, **settings)
    recipe = planned.recipe(task, dataset)
    trained = loop.train(recipe, dataset, task, catalogue, folder, device=torch.device("cpu"))
    state = trained.generator.state_dict().values()
    bits = b"".join(tensor.numpy().tobytes() for tensor in state)
    answer = {
        "threads": torch.get_num_threads(),
        "weights": hashlib.sha256(bits).hexdigest(),
        "losses": [record.losses["l1"] for record in log.read(folder / "log.jsonl")],
    }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
