"""Cheats, scored as a trusting scorer would, and then as `denoisebench verify` does.

    python benchmarks/canaries.py                  a table, on the phantom's test split
    python benchmarks/canaries.py --data DIR       on a folder of DICOM CT
    python benchmarks/canaries.py --slices 8       verify with so many slices
    python benchmarks/canaries.py --md             the table of docs/verify.md

The cheats are plug-ins in tests/scoring/verify/cheats; tests/scoring/verify/test_canaries.py holds
each of them to this table on eight slices. A gain is over what the cheat would score if it did
nothing but its honest part, a 5 × 5 mean.
"""

import argparse
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from denoisebench.data.dataset import DataSet
from denoisebench.data.named import open_data
from denoisebench.data.phantom.data_set import PATIENTS, SLICES
from denoisebench.home import home
from denoisebench.plugins.expression import Part, resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.scoring import denoisers
from denoisebench.scoring.evaluate import evaluate
from denoisebench.scoring.opened import open_run
from denoisebench.scoring.result import Result, Verification, read_scores, write_scores
from denoisebench.scoring.statistics import estimate
from denoisebench.scoring.verify.verify import verify
from denoisebench.task import Task, load_task
from denoisebench.task.noise import noisy_slice
from denoisebench.training.recipe import plan

CHEATS = Path(__file__).parents[1] / "tests" / "scoring" / "verify" / "cheats"
COPIES = 8  # of each slice, that a scorer which averages over noise would show


@dataclass(frozen=True)
class Stage:
    """Where cheats play.

    Attributes:
        folder: for runs.
        data: where the slices lie, as DICOM or as the phantom's cache.
        seconds, slices, salt: as for `verify`.
        drawn: patients of the phantom and slices of each, where it is one.
    """

    dataset: DataSet
    task: Task
    folder: Path
    data: Path
    seconds: float = 600.0
    slices: int | None = None
    salt: int | None = None
    drawn: tuple[int, int] = (PATIENTS, SLICES)


@dataclass(frozen=True)
class Outcome:
    """A cheat's score by a trusting scorer, its honest part's, and what verify says."""

    name: str
    naive: float | str
    honest: float
    verification: Verification

    @property
    def row(self) -> list[str]:
        """Cheat, gain by a trusting scorer, verdict, re-measured gain, fall where altered, why."""
        gain = self.naive if isinstance(self.naive, str) else f"+{self.naive - self.honest:.1f} dB"
        found = self.verification
        fresh = "–" if found.measured is None else f"{found.measured - self.honest:+.2f} dB"
        verdict = "verified" if found.passed else "unverified"
        fall = found.details.get("altered_fall_db")
        altered = "–" if fall is None else f"{fall:+.2f} dB"
        return [self.name, gain, verdict, fresh, altered, found.reason or ""]


def honest(stage: Stage) -> float:
    """PSNR of the honest part of every cheat."""
    folder = write_run(stage, "answers_otherwise", 'answers_otherwise(how="honest")')
    return read_psnr(folder)


def write_run(stage: Stage, file: str, text: str, score: "Scorer | None" = None) -> Path:
    """Make a cheat's run folder, scored by a trusting scorer in this process.

    Args:
        stage: where.
        file: of the cheat, without .py.
        text: its expression.
        score: what makes outputs for the scorer; one call a slice where None.
    """
    catalogue = find([CHEATS / f"{file}.py"])
    recipe = plan(catalogue, generator=text, loss="l1", steps=1).recipe(stage.task, stage.dataset)
    folder = stage.folder / f"{file}-{recipe.hash[:8]}"
    folder.mkdir(parents=True)
    (part,) = resolve(text, "generator", catalogue)
    network = build(part).eval()
    clean = [stage.task.to_grey(one.hu) for one in stage.dataset.test]
    digests = [one.digest for one in stage.dataset.test]
    if hasattr(network, "teach"):
        pairs = zip(clean, digests, strict=True)
        noisy = [noisy_slice(stage.task, image, digest) for image, digest in pairs]
        network.teach(clean, noisy, digests)
    save_file(network.state_dict(), folder / "model.safetensors")
    recipe.write(folder / "recipe.toml")
    denoiser = denoisers.network(network, 1)
    if score:
        denoiser = score(stage, denoiser)
    with looking_at(stage):
        found = evaluate(denoiser, stage.dataset, stage.task, catalogue)
    write_scores(folder / "scores.csv", found.scores)
    test = stage.dataset.test
    Result(
        method=recipe.method,
        kind="network",
        task=stage.task.name,
        task_version=stage.task.version,
        data=stage.dataset.name,
        data_digest=stage.dataset.digest,
        split_digest=stage.dataset.split_digest,
        recipe=recipe.hash,
        n_slices=len(test),
        n_patients=len({one.patient for one in test}),
        metrics=found.metrics,
        parameters=1,
        device="CPU",
        status="done",
    ).write(folder / "result.json")
    return folder


@contextmanager
def looking_at(stage: Stage) -> Iterator[None]:
    """Stand where a trusting scorer would: in the data's folder, which the environment names."""
    os.environ["CT_DATA"] = str(stage.data)
    try:
        with chdir(stage.data):
            yield
    finally:
        del os.environ["CT_DATA"]


Scorer = Callable[[Stage, denoisers.Denoiser], denoisers.Denoiser]


def repeated(stage: Stage, denoiser: denoisers.Denoiser) -> denoisers.Denoiser:
    """Show each slice under several noises, as a scorer that wants a narrow interval may."""

    def run(_: object) -> Iterator[denoisers.Denoised]:
        for one in stage.dataset.test:
            clean = stage.task.to_grey(one.hu)
            noisy = [noisy_slice(stage.task, clean, one.digest, seed) for seed in range(COPIES)]
            yield list(denoiser(noisy))[-1]

    return run


def verified(stage: Stage, folder: Path, file: str) -> Verification:
    """What verify says of a run."""
    plugin = CHEATS / f"{file}.py"
    catalogue = find([plugin])
    opened = replace(open_run(folder, catalogue), task=stage.task)
    with looking_at(stage):
        return verify(
            opened,
            stage.dataset,
            find(),
            plugins=[plugin],
            slices=stage.slices,
            salt=stage.salt,
            seconds=stage.seconds,
        )


def read_psnr(folder: Path) -> float:
    """Mean PSNR over patients, from scores.csv."""
    scores = [one for one in read_scores(folder / "scores.csv") if one.metric == "psnr"]
    return estimate([one.value or 0.0 for one in scores], [one.patient for one in scores]).mean


def reads_target(stage: Stage) -> tuple[float | str, Verification]:
    return _plain(stage, "reads_target", "reads_target")


def memorised(stage: Stage) -> tuple[float | str, Verification]:
    return _plain(stage, "memorised", f"memorised({_bank(stage)})")


def digest_table(stage: Stage) -> tuple[float | str, Verification]:
    return _plain(stage, "digest_table", f"digest_table({_bank(stage)})")


def knows_noise(stage: Stage) -> tuple[float | str, Verification]:
    return _plain(stage, "knows_noise", f"knows_noise(slices={len(stage.dataset.test)})")


def watches(stage: Stage) -> tuple[float | str, Verification]:
    return _plain(stage, "watches", "watches")


def remembers(stage: Stage) -> tuple[float | str, Verification]:
    return _plain(stage, "remembers", "remembers", repeated)


def draws_phantom(stage: Stage) -> tuple[float | str, Verification]:
    size = stage.dataset.test[0].hu.shape[0]
    knobs = f"patients={stage.drawn[0]}, slices={stage.drawn[1]}, size={size}"
    return _plain(stage, "draws_phantom", f"draws_phantom({knobs})")


def edited(stage: Stage, *, consistent: bool = True) -> tuple[float | str, Verification]:
    """Add 6 dB to what an honest run says of itself; to result.json alone, or to scores.csv too."""
    text = f'answers_otherwise(how="edited {"both" if consistent else "one"}")'
    folder = write_run(stage, "answers_otherwise", text)
    raise_claims(folder, 6.0, consistent=consistent)
    found = Result.model_validate_json((folder / "result.json").read_text()).metrics["psnr"].mean
    return found or 0.0, verified(stage, folder, "answers_otherwise")


def raise_claims(folder: Path, decibels: float, *, consistent: bool = True) -> None:
    """Add to the PSNR that a run says of itself."""
    result = Result.model_validate_json((folder / "result.json").read_text())
    psnr = result.metrics["psnr"]
    raised = {name: (getattr(psnr, name) or 0.0) + decibels for name in ("mean", "lo", "hi")}
    metrics = {**result.metrics, "psnr": psnr.model_copy(update=raised)}
    result.model_copy(update={"metrics": metrics}).write(folder / "result.json")
    if consistent:
        scores = read_scores(folder / "scores.csv")
        raised_scores = [replace(one, value=(one.value or 0.0) + decibels) for one in scores]
        write_scores(folder / "scores.csv", raised_scores)


def otherwise(stage: Stage, how: str) -> tuple[float | str, Verification]:
    """Answer with no pixels; an honest run's scores stand beside it."""
    place = stage.folder / "bomb"
    text = f"answers_otherwise(how={how!r}, place={str(place)!r})".replace("'", '"')
    folder = write_run(stage, "answers_otherwise", text, _scored_honestly)
    own = read_psnr(folder)
    naive: float | str = own
    if how == "lie":
        naive = _compares_what_it_is_given(stage, text)
        raise_claims(folder, naive - own)
    if how == "bomb":
        naive = _unpickles(place)
    verification = verified(stage, folder, "answers_otherwise")
    assert not place.exists(), "the bomb went off under verify"
    return naive, verification


def _scored_honestly(stage: Stage, _: denoisers.Denoiser) -> denoisers.Denoiser:
    network = build(_part('answers_otherwise(how="honest")')).eval()
    return denoisers.network(network, 1)


def _part(text: str) -> Part:
    return resolve(text, "generator", find([CHEATS / "answers_otherwise.py"]))[0]


def _compares_what_it_is_given(stage: Stage, text: str) -> float:
    """A scorer that subtracts the target from whatever object came back."""
    denoiser = denoisers.network(build(_part(text)).eval(), 1)
    values = []
    for one in stage.dataset.test:
        clean = stage.task.to_grey(one.hu)
        (answer,) = denoiser([noisy_slice(stage.task, clean, one.digest)])
        values.append(float(10 * np.log10(255**2 / np.mean((answer.image - clean) ** 2))))
    return estimate(values, [one.patient for one in stage.dataset.test]).mean


def _unpickles(place: Path) -> str:
    """A scorer that unpickles what a process sends it runs what it was sent."""
    module = sys.modules[type(build(_part("answers_otherwise"))).__module__]
    pickle.loads(pickle.dumps(module.Bomb(str(place))))
    went_off = place.exists()
    place.unlink(missing_ok=True)
    return "code runs" if went_off else "nothing"


def _bank(stage: Stage) -> str:
    rows, columns = stage.dataset.test[0].hu.shape
    return f"slices={len(stage.dataset.test)}, rows={rows}, columns={columns}"


def undoes(stage: Stage) -> tuple[float | str, Verification]:
    return _plain(stage, "undoes", f"undoes({_bank(stage)})")


def _plain(
    stage: Stage, file: str, text: str, score: Scorer | None = None
) -> tuple[float | str, Verification]:
    folder = write_run(stage, file, text, score)
    return read_psnr(folder), verified(stage, folder, file)


Canary = Callable[[Stage], tuple[float | str, Verification]]
CANARIES: dict[str, Canary] = {
    "1 reads the target from disk": reads_target,
    "2 has the test split in its weights": memorised,
    "3 looks up the digest of the noisy pixels": digest_table,
    "4 edits result.json": lambda stage: edited(stage, consistent=False),
    "4 edits scores.csv and result.json": edited,
    "5 subtracts the public noise": knows_noise,
    "6 replaces the metric unless watched": watches,
    "7 averages copies of a slice": remembers,
    "8 answers NaN": lambda stage: otherwise(stage, "nan"),
    "8 answers another shape": lambda stage: otherwise(stage, "shape"),
    "8 answers a pickle": lambda stage: otherwise(stage, "bomb"),
    "8 answers more than it was asked": lambda stage: otherwise(stage, "more"),
    "8 answers an array that lies": lambda stage: otherwise(stage, "lie"),
    "9 draws the phantom": draws_phantom,
    "10 undoes what it knows of the alteration": undoes,
}


def play(stage: Stage, name: str, base: float) -> Outcome:
    """Score one cheat both ways."""
    naive, verification = CANARIES[name](stage)
    return Outcome(name, naive, base, verification)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="phantom")
    parser.add_argument("--slices", type=int)
    parser.add_argument("--md", action="store_true")
    parser.add_argument("--only", default="", help="cheats whose name begins so")
    options = parser.parse_args()
    dataset = open_data(options.data)
    phantom = options.data == "phantom"
    task = load_task("ct-sigma50").model_copy(update={"metrics": ("psnr",)})
    place = home() / "data" if phantom else Path(options.data).resolve()
    with tempfile.TemporaryDirectory(prefix="canaries-") as folder:
        stage = Stage(dataset, task, Path(folder), place, slices=options.slices)
        base = honest(stage)
        say = sys.stdout.write
        say(f"{dataset.name}: {len(dataset.test)} test slices, the honest part has {base:.2f} dB\n")
        head = ["cheat", "gain by a trusting scorer", "verify", "re-measured", "altered", "because"]
        rows = [head, ["---"] * len(head)] if options.md else [head]
        names = [name for name in CANARIES if phantom or CANARIES[name] is not draws_phantom]
        names = [name for name in names if name.startswith(options.only)]
        for row in chain(rows, (play(stage, name, base).row for name in names)):
            say(f"| {' | '.join(row)} |\n" if options.md else _columns(row))
            sys.stdout.flush()


def _columns(row: list[str]) -> str:
    widths = (42, 27, 11, 13, 11, 0)
    return "".join(f"{cell:{width}s}" for cell, width in zip(row, widths, strict=True)) + "\n"


if __name__ == "__main__":
    main()
