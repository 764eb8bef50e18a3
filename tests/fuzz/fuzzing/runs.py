"""Files of a run's folder: results, what stands beside them, checkpoints, weights, submissions."""

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from fuzzing.mutation import JSON_ONLY, SCALARS, TOKENS, changed_values, json_bytes, mutated
from fuzzing.target import Target, by_name, named, split

GOLDEN = Path(__file__).parents[2] / "board" / "golden" / "runs"
SOUND = ("resunet-l1-seed0", "bm3d")  # stand beside the mutant
HEALTH = {
    "real_accuracy": 0.5, "fake_accuracy": 0.5, "saturated": 0.0, "gradient_ratio": 1.0,
    "output_spread": 0.9, "collapsed": None,
}  # fmt: skip
LOG = [
    {"step": step, "progress": step / 3, "seconds": 5.0 * step, "learning_rate": 1e-3,
     "images_per_second": 9.0, "losses": {"cgan": 0.7, "l1": 0.1, "critic": 1.3},
     "validation_psnr": 28.5, "health": HEALTH}
    for step in (1, 2, 3)
]  # fmt: skip
FINDING = {
    "schema_version": 1, "columns": {}, "curves": {"nps": {"x": [0.0, 0.5], "y": [1.0, 2.0],
    "x_label": "f", "y_label": "NPS"}}, "places": [{"slice": "0" * 16, "row": 3, "found": 1.5}],
    "details": {"settings": {"a": 1}, "n": 3},
}  # fmt: skip


def run_seeds(folder: Path) -> list[bytes]:
    """Return every file that a run may have, each for the folder of the run that it is of."""
    found = []
    for run in ("unet7-cgan+l1", "unet7-l1", "redcnn-l1", "dncnn-l1", "nlm"):
        own = {path.name: path.read_bytes() for path in sorted((GOLDEN / run).iterdir())}
        recipe = json.loads(own["result.json"])["recipe"]
        own.setdefault("physics.json", json.dumps({**FINDING, "recipe": recipe}).encode())
        own["log.jsonl"] = b"".join(json.dumps(line).encode() + b"\n" for line in LOG)
        own["environment.json"] = b'{"python": "3.11", "packages": {"torch": "2.6"}, "cpu": "x"}'
        found += [named(f"{run}/{name}", data) for name, data in own.items()]
    return found


@by_name
def run_case(random: Random, name: str, known: Sequence[bytes]) -> bytes:
    """Mutate bytes, or values of JSON."""
    if name.endswith("csv") or random.random() < 0.4:
        return mutated(random, known)
    lines = random.choice(known).splitlines() if name.endswith("jsonl") else [random.choice(known)]
    place = random.randrange(len(lines))
    changed = changed_values(random, json.loads(lines[place]), JSON_ONLY)
    lines[place] = json_bytes(changed)
    return b"\n".join(lines)


def board_reader(folder: Path) -> Callable[[bytes], None]:
    """Put a run with one mutated file beside sound ones, and render all boards in all formats.

    Where it is refused, the boards are those of the sound runs, which were rendered before.
    """
    from rich.console import Console

    from denoisebench.board.board import boards
    from denoisebench.board.render import as_csv, as_json, markdown, notes, table
    from denoisebench.board.render.bibtex import bibtex
    from denoisebench.board.render.html import html
    from denoisebench.board.render.latex import latex
    from denoisebench.board.render.model_card import model_card
    from denoisebench.errors import UsageError
    from denoisebench.plugins.find import find

    catalogue = find(())
    collected = _collector(folder / "runs")

    def reader(data: bytes) -> None:
        found, problems = collected(data)
        if problems:
            raise UsageError(problems[0])
        folders = [entry.folder for entry in found]
        ranked = boards(found)
        rows = [entry.folder for board in ranked for row in board.rows for entry in row.members]
        assert sorted(rows) == sorted(folders), "a run is on no board"
        texts = [
            markdown(ranked),
            as_csv(ranked),
            as_json(ranked, problems),
            html(ranked),
            latex(ranked),
        ]
        console = Console(width=100, file=io.StringIO())
        for board in ranked:
            console.print(table([board]))
            console.print(notes(board), markup=False)
        for text in [*texts, console.file.getvalue()]:  # type: ignore[attr-defined]
            assert "resunet" in text
            assert "bm3d" in text
        json.loads(texts[2])
        bibtex(found, catalogue)
        for entry in found:
            if entry.folder == "mutant":
                model_card(boards([entry])[0])

    return reader


def page_reader(folder: Path) -> Callable[[bytes], None]:
    """Publish a page of a run with one mutated file beside sound ones."""
    from denoisebench.board.board import boards
    from denoisebench.board.page.output import Output
    from denoisebench.board.page.site import Site, write_site
    from denoisebench.errors import UsageError
    from denoisebench.plugins.find import find

    catalogue = find(())
    collected = _collector(folder / "runs")
    page = Output(folder / "page")
    page.open()

    def reader(data: bytes) -> None:
        found, problems = collected(data)
        if problems:
            raise UsageError(problems[0])
        write_site(Site(found, boards(found), problems, catalogue), page, {}, "no pictures")
        page.finish()

    return reader


def _collector(runs: Path) -> Callable[[bytes], tuple[list[Any], list[str]]]:
    """Return what collects the runs of a folder in which one run is a case's."""
    from denoisebench.board.board import collect

    shutil.rmtree(runs, ignore_errors=True)
    for name in SOUND:
        shutil.copytree(GOLDEN / name, runs / name)
    mutant = runs / "mutant"

    def collected(data: bytes) -> tuple[list[Any], list[str]]:
        name, content = split(data)
        run, _, file = name.partition("/")
        shutil.rmtree(mutant, ignore_errors=True)
        shutil.copytree(GOLDEN / run, mutant)
        (mutant / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LOG))
        (mutant / file).write_bytes(content)
        found, problems = collect(runs)
        assert {entry.folder for entry in found} >= set(SOUND), "a mutant hides sound runs"
        assert len(found) + len(problems) == len(SOUND) + 1
        return found, problems

    return collected


def checkpoint_seeds(folder: Path) -> list[bytes]:
    """Return what training saves, small."""
    import torch

    from denoisebench.training import checkpoint

    torch.manual_seed(0)
    network = torch.nn.Conv2d(1, 2, 3)
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.zeros(1, 1, 8, 8)).sum().backward()
    optimiser.step()
    weights = network.state_dict()
    state = {
        "step": 3, "seconds": 1.5, "reported": 2, "reported_seconds": 1.0, "sums": torch.zeros(2),
        "health": None, "peak_memory": 9,
        "generator": weights, "averaged": weights, "optimisers": [optimiser.state_dict()],
    }  # fmt: skip
    checkpoint.save(folder / "checkpoint.pt", state)
    return [(folder / "checkpoint.pt").read_bytes()]


def checkpoint_case(random: Random, known: Sequence[bytes]) -> bytes:
    """Mutate the zip's bytes, or those of its pickle in a sound zip, or give other contents."""
    kind = random.randrange(4)
    if kind == 0:
        return mutated(random, known, PICKLES)
    if kind == 1:
        return _saved(random)
    contents = _unzipped(random.choice(known))
    name = next(name for name in contents if name.endswith("data.pkl"))
    if kind == 2 or random.random() < 0.3:
        contents[name] = mutated(random, [contents[name]], PICKLES)
    else:
        other = random.choice(list(contents))
        contents[other] = mutated(random, [contents[other]], PICKLES)
    return _zipped(contents)


PICKLES = (
    *TOKENS, b"cos\nsystem\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"R", b"(", b"t", b"}", b"]",
    b"N.", b"0", b"2", b"u", b"s", b"b", b"Q", b"h\x05", b"r\xff\xff\xff\xff", b"K\x01",
    b"\x8a\xff", b"j\xff\xff\xff\x7f", b"X\xff\xff\xff\xff", b"ccollections\nOrderedDict\n", b"(t.",
    b"ctorch\nFloatStorage\n",
)  # fmt: skip


def _saved(random: Random) -> bytes:
    """A checkpoint of tensors and plain values that is no state of a training."""
    import torch

    values = random.choice((*SCALARS, {"step": random.choice(SCALARS)}, {1: 2}, torch.zeros(2)))
    file = io.BytesIO()
    torch.save(values, file)
    return file.getvalue()


def _unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(contents: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def checkpoint_reader(folder: Path) -> Callable[[bytes], None]:
    """Load a checkpoint as --resume does."""
    import torch

    from denoisebench.training import checkpoint

    device, place = torch.device("cpu"), folder / "checkpoint.pt"

    def reader(data: bytes) -> None:
        place.write_bytes(data)
        state = checkpoint.load(place, device)
        assert isinstance(state, dict)
        assert all(isinstance(name, str) for name in state)

    return reader


NETWORK = "dncnn(depth=3, width=4)"


def weights_seeds(folder: Path) -> list[bytes]:
    """Return the weights of a small network."""
    from safetensors.torch import save

    from denoisebench.plugins.expression import resolve
    from denoisebench.plugins.find import find
    from denoisebench.plugins.load import build

    (part,) = resolve(NETWORK, "generator", find(()))
    return [save(build(part).state_dict(), metadata={"made by": "x"})]


def weights_case(random: Random, known: Sequence[bytes]) -> bytes:
    """Mutate bytes, or values of the header, which then has its right length."""
    data = random.choice(known)
    if random.random() < 0.5:
        return mutated(random, known)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    head = json_bytes(changed_values(random, header, JSON_ONLY))
    return len(head).to_bytes(8, "little") + head + data[8 + length :]


def weights_reader(folder: Path) -> Callable[[bytes], None]:
    """Load a run's weights as `verify`, `audit` and `publish` do."""
    import torch

    from denoisebench.plugins.expression import resolve
    from denoisebench.plugins.find import find
    from denoisebench.scoring.opened import MODEL, Opened
    from denoisebench.scoring.result import read_result
    from denoisebench.task import load_task
    from denoisebench.training.recipe import plan

    class Split:
        name, digest, split_digest, train = "folder-12345678", "a" * 64, "b" * 64, ()

    catalogue, task = find(()), load_task("ct-sigma50")
    recipe = plan(catalogue, generator=NETWORK, loss="l1", steps=3).recipe(task, Split)
    (part,) = resolve(NETWORK, "generator", catalogue)
    result = read_result(GOLDEN / "bm3d" / "result.json")
    opened = Opened(folder, result, part, recipe, task)

    def reader(data: bytes) -> None:
        (folder / MODEL).write_bytes(data)
        network = opened.generator(torch.device("cpu"))
        assert not network.training

    return reader


def submission_seeds(folder: Path) -> list[bytes]:
    """Return a sound submission of a network, made by hand as `submit` packs it."""
    from denoisebench.plugins.find import find
    from denoisebench.scoring.result import MetricResult, Result, Score, write_scores
    from denoisebench.scoring.statistics import estimate
    from denoisebench.scoring.submission.contents import CARD, File, Submission
    from denoisebench.task import load_task
    from denoisebench.training.recipe import plan

    class Split:
        name, digest, split_digest, train = "folder-12345678", "a" * 64, "b" * 64, ()

    task = load_task("ct-sigma50")
    recipe = plan(find(()), generator=NETWORK, loss="l1", steps=3).recipe(task, Split)
    values, patients = [28.0, 29.0, 30.5], [f"{number:012x}" for number in (7, 7, 8)]
    found = estimate(values, patients)
    mean = MetricResult(mean=found.mean, lo=found.low, hi=found.high, unit="dB", better="higher",
                        version=1, n=3, missing=0)  # fmt: skip
    recipe.write(folder / "recipe.toml")
    Result(
        method=recipe.method, kind="network", task=task.name, task_version=1, data=Split.name,
        data_digest=Split.digest, split_digest=Split.split_digest, recipe=recipe.hash, n_slices=3,
        n_patients=2, metrics={"psnr": mean}, parameters=9, device="CPU", status="done",
    ).write(folder / "result.json")  # fmt: skip
    scores = [
        Score(slice=f"{number:016x}", patient=patient, metric="psnr", value=value)
        for number, (patient, value) in enumerate(zip(patients, values, strict=True))
    ]
    write_scores(folder / "scores.csv", scores)
    (folder / "log.jsonl").write_text(json.dumps(LOG[0]) + "\n")
    (folder / "audit.json").write_text(json.dumps({**FINDING, "recipe": recipe.hash}))
    (folder / "model.safetensors").write_bytes(weights_seeds(folder)[0])
    contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    files = {
        name: File(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        for name, data in contents.items()
    }
    card = Submission(run="dncnn-l1-0123", method=recipe.method, recipe=recipe.hash, task=task.name,
                      data=Split.name, versions={"denoisebench": "0"}, files=files)  # fmt: skip
    return [_zipped({CARD: card.model_dump_json().encode(), **contents})]


def submission_case(random: Random, known: Sequence[bytes]) -> bytes:
    """Mutate the zip, or a file in it whose digest the card then gives rightly."""
    if random.random() < 0.4:
        return mutated(random, known)
    contents = _unzipped(random.choice(known))
    name = random.choice(list(contents))
    data = contents[name]
    if name.endswith(".json") and random.random() < 0.6:
        contents[name] = json_bytes(changed_values(random, json.loads(data), JSON_ONLY))
    else:
        contents[name] = mutated(random, [data])
    if name != "submission.json":
        card = json.loads(contents["submission.json"])
        digest = hashlib.sha256(contents[name]).hexdigest()
        card["files"][name] = {"sha256": digest, "bytes": len(contents[name])}
        contents["submission.json"] = json.dumps(card).encode()
    return _zipped(contents)


def submission_reader(folder: Path) -> Callable[[bytes], None]:
    """Check and unpack a zip as `submit --check FILE --into DIR` does."""
    from denoisebench.errors import UsageError
    from denoisebench.scoring.submission.check import check

    into = folder / "received"

    def reader(data: bytes) -> None:
        shutil.rmtree(into, ignore_errors=True)
        (folder / "s.zip").write_bytes(data)
        try:
            checked = check(folder / "s.zip", into=into)
        except UsageError:
            assert list(into.iterdir()) == [], "something is left behind"
            raise
        assert checked.folder is not None
        assert [path.name for path in into.iterdir()] == [checked.folder.name]

    return reader


BOARD = Target(run_seeds, run_case, board_reader)
PAGE = Target(run_seeds, run_case, page_reader)
CHECKPOINT = Target(checkpoint_seeds, checkpoint_case, checkpoint_reader)
WEIGHTS = Target(weights_seeds, weights_case, weights_reader)
SUBMISSION = Target(submission_seeds, submission_case, submission_reader)
