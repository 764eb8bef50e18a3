"""Train and be tracked by somebody, somewhere, on some host: run by test_private.py.

    python tracked_once.py FOLDER [words that a command line may hold]

FOLDER/ours is tracked as `--track` does; FOLDER/theirs is left to what TensorBoard and W&B note by
themselves.
"""

import sys
from pathlib import Path

import wandb
from small_bench import make_bench, make_recipe
from torch.utils.tensorboard import SummaryWriter

from denoisebench.scoring.run import run_folder, run_network
from denoisebench.tracking import open_trackers
from denoisebench.tracking import wandb as ours


def track(folder: Path) -> Path:
    folder.mkdir()
    bench = make_bench(folder)
    recipe = make_recipe(bench)
    place = run_folder(bench, recipe)
    with open_trackers(("tensorboard", "wandb"), recipe, place, note=sys.exit) as trackers:
        trackers.finish(run_network(bench, recipe, place, report=trackers.report))
    return place


def main(folder: Path) -> None:
    track(folder / "ours")
    ours._discreet = lambda: wandb.Settings(silent=True)
    SummaryWriter(track(folder / "theirs") / "tensorboard").close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
