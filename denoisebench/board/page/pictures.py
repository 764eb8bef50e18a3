"""Pictures of a board: a few test slices as each of its methods denoises them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from denoisebench.board.board import Board
from denoisebench.board.page.output import Output
from denoisebench.board.page.pixels import script
from denoisebench.board.seeds import Entry
from denoisebench.data.dataset import DataSet, spread
from denoisebench.data.scan import Slice
from denoisebench.errors import UsageError
from denoisebench.plugins.find import Catalogue
from denoisebench.scoring.opened import open_run
from denoisebench.scoring.submission.private import discreet
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice
from denoisebench.task.task import psnr_of

Image = NDArray[np.float64]
CLEAN, NOISY = "clean", "noisy"
DEPARTURE_DB = 0.05
"""How far the PSNR of a picture may be from the one in scores.csv before the page says so."""


@dataclass(frozen=True)
class Shown:
    """A test slice: its digits in scores.csv, and what readers call it."""

    key: str
    label: str


@dataclass(frozen=True)
class Painter:
    """Something that has a picture of each slice.

    Attributes:
        key: part of file names.
        name: for readers.
        psnr: of each shown slice, in dB; None where there is none.
        note: what a reader should know of its pictures.
    """

    key: str
    name: str
    psnr: tuple[float | None, ...]
    note: str | None = None


@dataclass(frozen=True)
class Album:
    """The pictures of a board, each at `pictures/<folder>/<slice>/<painter>.js`.

    Attributes:
        folder: of the board.
        left_out: which methods have no pictures, and why.
        window_hu: of the task; nothing is known outside of it.
        sigma_hu: of the noise.
        clipped: whether the noise is rounded and clipped, so that a z-map is rough.
    """

    folder: str
    slices: tuple[Shown, ...]
    painters: tuple[Painter, ...]
    left_out: tuple[str, ...]
    window_hu: tuple[float, float]
    sigma_hu: float
    clipped: bool


@dataclass(frozen=True)
class Studio:
    """Where pictures are made.

    Attributes:
        count: how many slices are shown.
        device: where networks run.
        advance: told which method is at work, how many are done, and of how many.
    """

    dataset: DataSet
    catalogue: Catalogue
    device: torch.device
    count: int
    advance: Callable[[str, int, int], None] = lambda what, done, total: None


def chosen(dataset: DataSet, count: int) -> list[Slice]:
    """Choose test slices: the middle one of each of `count` patients, or more where those end."""
    of_patient: dict[str, list[Slice]] = {}
    for one in dataset.test:
        of_patient.setdefault(one.patient, []).append(one)
    middles = [slices[len(slices) // 2] for slices in of_patient.values()]
    pool = middles if count <= len(middles) else list(dataset.test)
    return pool[:1] if count == 1 else spread(pool, count)


def fits(board: Board, dataset: DataSet) -> bool:
    """Say whether a data set is the one on which a board was measured."""
    same = (board.key.data_digest, board.key.split_digest)
    return same == (dataset.digest, dataset.split_digest)


def make_album(
    board: Board, entries: Sequence[tuple[str, Entry]], folder: str, studio: Studio, output: Output
) -> Album:
    """Denoise the chosen slices by all methods of a board, and write the pictures.

    Args:
        board: that `fits` the studio's data set.
        entries: its runs, each with the key of its pictures.
        folder: the board's, below pictures/.
        studio: data, plug-ins, device.
        output: the page.
    Raises:
        UsageError: the board's task is not one that comes with denoisebench.
    """
    task = load_task(board.key.task)
    slices = chosen(studio.dataset, studio.count)
    clean = [task.to_grey(one.hu) for one in slices]
    noisy = [noisy_slice(task, c, one.digest) for c, one in zip(clean, slices, strict=True)]

    def write(key: str, images: Sequence[Image]) -> None:
        for one, image in zip(slices, images, strict=True):
            name = f"{folder}/{one.digest[:16]}/{key}"
            hu = task.window_hu[0] + image / task.grey_per_hu
            output.write(f"pictures/{name}.js", script(name, hu))

    write(CLEAN, clean)
    write(NOISY, noisy)
    psnr_noisy = tuple(_psnr(n, c) for n, c in zip(noisy, clean, strict=True))
    painters = [Painter(CLEAN, "clean", (None,) * len(slices)),
                Painter(NOISY, "noisy", psnr_noisy)]  # fmt: skip
    left_out = []
    for number, (key, entry) in enumerate(entries):
        method = entry.name
        studio.advance(f"pictures of {method}", number, len(entries))
        try:
            images, note = _outputs(entry, studio, noisy)
        except UsageError as error:
            left_out.append(f"{method}: {discreet(str(error))}")
            continue
        if all(np.array_equal(i, n.astype(np.float32)) for i, n in zip(images, noisy, strict=True)):
            continue  # the noisy slice as a row of the board
        found = tuple(_psnr(i, c) for i, c in zip(images, clean, strict=True))
        psnr, departure = _as_scored(entry, slices, found)
        write(key, images)
        note = "; ".join(filter(None, (note, departure))) or None
        painters.append(Painter(key, method, psnr, note))
    shown = tuple(
        Shown(one.digest[:16], f"{number} · patient {one.patient}")
        for number, one in enumerate(slices, 1)
    )
    return Album(folder, shown, tuple(painters), tuple(left_out), task.window_hu,
                 task.sigma / task.grey_per_hu, task.noise.eight_bit)  # fmt: skip


def _outputs(
    entry: Entry, studio: Studio, noisy: Sequence[Image]
) -> tuple[list[Image], str | None]:
    """What a run makes of noisy slices, in grey levels; UsageError where it cannot."""
    if entry.path is None:
        raise UsageError("its folder is not here")
    opened = open_run(entry.path, studio.catalogue)
    try:
        denoiser = opened.denoiser(studio.device, studio.dataset)
        images = [made.image for made in denoiser(noisy)]
    except UsageError:
        raise
    except Exception as error:  # a plug-in may raise anything; the page goes on without it
        reason = str(error).splitlines()[0] if str(error) else ""
        raise UsageError(f"{type(error).__name__} {reason:.150}".strip()) from None
    if not all(np.all(np.isfinite(image)) for image in images):
        raise UsageError("its outputs have pixels that are not finite")
    return images, opened.note


def _as_scored(
    entry: Entry, slices: Sequence[Slice], found: Sequence[float | None]
) -> tuple[tuple[float | None, ...], str | None]:
    """PSNR of the shown slices in scores.csv, and whether the pictures have another one."""
    scores = {score.slice: score.value for score in entry.scores if score.metric == "psnr"}
    psnr = tuple(scores.get(one.digest[:16]) for one in slices)
    apart = [
        abs(here - said)
        for here, said in zip(found, psnr, strict=True)
        if here is not None and said is not None
    ]
    if not apart or max(apart) <= DEPARTURE_DB:
        return psnr, None
    return psnr, f"these pictures are up to {max(apart):.2f} dB from what its scores.csv says"


def _psnr(image: Image, clean: Image) -> float | None:
    return None if np.array_equal(image, clean) else psnr_of(image, clean)
