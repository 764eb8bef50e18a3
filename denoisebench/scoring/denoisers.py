"""Ways to denoise many slices: a network here, a baseline over all cores.

torch is imported where tensors are meant: the worker processes of a baseline start without it.
"""

import hashlib
import pickle
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from denoisebench import atomic
from denoisebench.errors import Unavailable
from denoisebench.home import home
from denoisebench.plugins.expression import Part
from denoisebench.plugins.load import build
from denoisebench.workers import Spawning, begin, cores

if TYPE_CHECKING:
    import torch
    from torch.nn import Module

    from denoisebench.data.dataset import DataSet
    from denoisebench.task import Task
    from denoisebench.training.inference import Inference

Image = NDArray[np.float64]
Job = tuple[Part, Image]
Item = TypeVar("Item")
Key = TypeVar("Key")
SLICES_AT_ONCE = 8  # on a GPU
LEARNING_SLICES = 64  # for a baseline that learns
WORTH_KEEPING_SECONDS = 0.2  # a slice of 512² is 1 MB on disk


@dataclass(frozen=True)
class Denoised:
    """A denoised slice, (H, W) float64 grey levels, and the seconds it took."""

    image: Image
    seconds: float


@dataclass(frozen=True)
class Learned:
    """What a baseline's `fit` made of training slices: attributes, pickled, and their digest.

    It goes from this process to its own workers and is never written to disk.
    """

    state: bytes
    digest: str


Denoiser = Callable[[Iterable[Image]], Iterator[Denoised]]
"""Takes noisy slices, gives denoised ones in the same order."""


@dataclass(frozen=True)
class Network:
    """A denoiser by a trained generator, on its device; a slice's seconds are its share."""

    inference: "Inference"

    def __call__(self, noisy_slices: Iterable[Image]) -> Iterator[Denoised]:
        """Denoise slices; see `Denoiser`."""
        for some in batches(noisy_slices, np.shape, self.inference.at_once):
            began = time.perf_counter()
            images = self.inference(some)  # ends on the host, so the device is done
            seconds = (time.perf_counter() - began) / len(some)
            yield from (Denoised(image, seconds) for image in images)

    @property
    def note(self) -> str:
        """How slices were denoised, in words."""
        return self.inference.note


def network(
    generator: "Module", multiple: int, *, tile: int | None = None, fixed: bool = False
) -> Network:
    """Denoise with a trained generator.

    Args:
        generator, multiple, tile, fixed: see `training.inference.Inference`.
    """
    from denoisebench.training.inference import Inference

    return Network(Inference(generator, multiple, tile=tile, fixed=fixed))


def batches(
    items: Iterable[Item], alike: Callable[[Item], Key], at_once: Callable[[Key], int]
) -> Iterator[list[Item]]:
    """Yield items in their order, those of one key together, as many as may go at once."""
    for key, run in groupby(items, alike):
        while some := list(islice(run, at_once(key))):
            yield some


def baseline(
    part: Part,
    sigma: float,
    workers: int | None = None,
    *,
    device: "torch.device | None" = None,
    learned: Learned | None = None,
) -> Denoiser:
    """Denoise with a classical baseline: slices in parallel over the cores, or in batches.

    Each output is kept in the cache folder under a digest of the noisy pixels, the method, its
    knobs, its source and the release of the package behind it: a board whose data are known
    already costs nothing, and an interrupted one goes on where it was.

    Args:
        part: the baseline with its knobs.
        sigma: of the noise, in grey levels.
        workers: processes; all cores this process may use where None.
        device: where a baseline that takes batches runs; the CPU where None.
        learned: what `learn` gave, for a baseline that learns.
    """

    def run(noisy_slices: Iterable[Image]) -> Iterator[Denoised]:
        jobs = ((part, noisy) for noisy in noisy_slices)
        return each(jobs, sigma, workers, device=device, learned=learned)

    return run


def each(
    jobs: Iterable[Job],
    sigma: float,
    workers: int | None = None,
    *,
    device: "torch.device | None" = None,
    learned: Learned | None = None,
    keep: bool = True,
) -> Iterator[Denoised]:
    """Denoise slices with one baseline under knobs of their own, in the order of the jobs.

    Args:
        jobs: a baseline with its knobs, and a noisy slice for it.
        sigma, workers, device, learned: see `baseline`.
        keep: whether outputs go into the cache folder; what is there is read either way.
    """
    jobs = iter(jobs)
    first = next(jobs, None)
    if first is None:
        return
    jobs = chain([first], jobs)
    if first[0].card.facts.get("batched"):  # torch has threads of its own, or a GPU
        yield from _in_batches(jobs, sigma, learned, keep, device)
    else:
        yield from _over_cores(jobs, sigma, learned, keep, workers or cores())


def _over_cores(
    jobs: Iterable[Job], sigma: float, learned: Learned | None, keep: bool, workers: int
) -> Iterator[Denoised]:
    with ProcessPoolExecutor(workers, Spawning(), initializer=begin) as pool:
        waiting: list[Denoised | Future[Denoised]] = []
        for part, noisy in jobs:
            known = cached(part, sigma, noisy, learned)
            waiting.append(known or pool.submit(_one, part, sigma, noisy, learned, keep))
            # Few slices in flight: a large test split does not gather in memory.
            while len(waiting) > 2 * workers:
                yield _ready(waiting.pop(0))
        yield from map(_ready, waiting)


def _in_batches(
    jobs: Iterable[Job],
    sigma: float,
    learned: Learned | None,
    keep: bool,
    device: "torch.device | None",
) -> Iterator[Denoised]:
    # A CPU is busy with one slice; and so no digit depends on what stood beside it.
    at_once = 1 if device is None or device.type == "cpu" else SLICES_AT_ONCE
    for some in batches(jobs, lambda job: (job[0].text, job[1].shape), lambda _: at_once):
        known = [cached(part, sigma, noisy, learned, device) for part, noisy in some]
        missing = [noisy for (_, noisy), found in zip(some, known, strict=True) if not found]
        part = some[0][0]
        made = iter(_halving(part, sigma, missing, learned, keep, device) if missing else ())
        yield from (found or next(made) for found in known)


def lessons(part: Part, dataset: "DataSet", task: "Task") -> list[Image]:
    """Choose training slices, spread over the split, for a baseline that learns; else none."""
    from denoisebench.data.dataset import spread  # with it comes pydicom, which no worker needs

    if not part.card.facts.get("learns"):
        return []
    return [task.to_grey(one.hu) for one in spread(dataset.train, LEARNING_SLICES)]


def learn(part: Part, clean: Sequence[Image]) -> Learned | None:
    """Let a baseline that learns see clean training slices; None for one that does not."""
    if not part.card.facts.get("learns"):
        return None
    plugin: Any = build(part)
    before = dict(vars(plugin))
    plugin.fit(clean)
    # Only what fit made: knobs may be tuned after it.
    made = {k: v for k, v in vars(plugin).items() if k not in before or v is not before[k]}
    state = pickle.dumps(made)
    return Learned(state, hashlib.sha256(state).hexdigest())


def cached(
    part: Part,
    sigma: float,
    noisy: Image,
    learned: Learned | None = None,
    device: "torch.device | None" = None,
) -> Denoised | None:
    """Return what a baseline made of a slice before, or None."""
    path = _place(part, sigma, noisy, learned, device)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return Denoised(kept["image"].astype(np.float64), float(kept["seconds"]))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _ready(item: "Denoised | Future[Denoised]") -> Denoised:
    return item.result() if isinstance(item, Future) else item


def _one(part: Part, sigma: float, noisy: Image, learned: Learned | None, keep: bool) -> Denoised:
    plugin = _built(part, learned)
    began = time.perf_counter()
    image = np.asarray(plugin(noisy, sigma))
    seconds = time.perf_counter() - began
    return _finished(part, sigma, noisy, learned, keep, Denoised(image, seconds))


def _batch(
    part: Part,
    sigma: float,
    noisy: Sequence[Image],
    learned: Learned | None,
    keep: bool,
    device: "torch.device | None",
) -> list[Denoised]:
    """Call a baseline that takes (B, 1, H, W) tensors; a slice's seconds are its share."""
    import torch

    plugin = _built(part, learned)
    batch = torch.from_numpy(np.stack(noisy))[:, None].to(device or torch.device("cpu"))
    began = time.perf_counter()
    images = plugin(batch, sigma)[:, 0].double().cpu().numpy()
    seconds = (time.perf_counter() - began) / len(noisy)
    return [
        _finished(part, sigma, one, learned, keep, Denoised(image, seconds), device)
        for one, image in zip(noisy, images, strict=True)
    ]


def _halving(
    part: Part,
    sigma: float,
    noisy: Sequence[Image],
    learned: Learned | None,
    keep: bool,
    device: "torch.device | None",
) -> list[Denoised]:
    """Give a batch, or where memory ends each half of it."""
    from denoisebench.training.inference import memory_ended

    try:
        return _batch(part, sigma, noisy, learned, keep, device)
    except RuntimeError as error:
        if not memory_ended(error):
            raise
    if len(noisy) == 1:
        height, width = noisy[0].shape
        raise Unavailable(
            f"{part.card.name} ran out of memory on a slice of {height} × {width}; use --device cpu"
        )
    # Not in the handler: there the error holds on to what the failed attempt made.
    half = len(noisy) // 2
    parts = (noisy[:half], noisy[half:])
    return [one for some in parts for one in _halving(part, sigma, some, learned, keep, device)]


def _built(part: Part, learned: Learned | None) -> Any:
    plugin: Any = build(part)
    if learned:
        vars(plugin).update(pickle.loads(learned.state))
    return plugin


def _finished(
    part: Part,
    sigma: float,
    noisy: Image,
    learned: Learned | None,
    keep: bool,
    made: Denoised,
    device: "torch.device | None" = None,
) -> Denoised:
    """Check an output, keep it where that is worth it, and round it as the cache does."""
    if made.image.shape != noisy.shape:
        raise ValueError(f"{part.card.name} gave {made.image.shape} for a slice of {noisy.shape}")
    if keep and made.seconds > WORTH_KEEPING_SECONDS:
        _keep(_place(part, sigma, noisy, learned, device), made.image, made.seconds)
    # 1e-5 grey levels, so that both ways score the same.
    return Denoised(made.image.astype(np.float32).astype(np.float64), made.seconds)


def _keep(path: Path, image: NDArray[Any], seconds: float) -> None:
    with atomic.told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as file:
        np.savez(file, image=image.astype(np.float32), seconds=np.array(seconds))


def _place(
    part: Part,
    sigma: float,
    noisy: Image,
    learned: Learned | None,
    device: "torch.device | None",
) -> Path:
    digest = hashlib.sha256(np.ascontiguousarray(noisy).tobytes())
    digest.update(
        f"{noisy.shape} {part.text} {part.card.digest} {sigma!r} {release(part)}".encode()
    )
    digest.update(learned.digest.encode() if learned else b"")
    # Seconds on a GPU are others, and digits a little.
    digest.update(device.type.encode() if device and device.type != "cpu" else b"")
    return home() / "baselines" / part.card.name / f"{digest.hexdigest()}.npz"


def release(part: Part) -> str:
    """Return the release of the package behind a baseline, or nothing."""
    package = str(part.card.facts.get("package", ""))
    try:
        return version(package) if package else ""
    except PackageNotFoundError:
        return ""
