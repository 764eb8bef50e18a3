"""A run as a denoiser of anybody's slices, and the words by which its outputs name it."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from denoisebench import __version__
from denoisebench.deploy.window import POLICY, Window
from denoisebench.errors import Unavailable, UsageError
from denoisebench.scoring import denoisers
from denoisebench.scoring.opened import Opened

if TYPE_CHECKING:
    import torch

NOT_FOR_DIAGNOSIS = "Not for diagnosis"


class HasHU(Protocol):
    """A slice: (H, W) HU, where nothing was measured, and a digest of both in hex."""

    @property
    def hu(self) -> NDArray[np.float64]: ...  # noqa: D102

    @property
    def padding(self) -> NDArray[np.bool_]: ...  # noqa: D102

    @property
    def digest(self) -> str: ...  # noqa: D102


Source = TypeVar("Source", bound=HasHU)


@dataclass(frozen=True)
class Output(Generic[Source]):
    """A slice and what became of it: (H, W) HU, finite, the slice's own where padding."""

    source: Source
    hu: NDArray[np.float64]


@dataclass(frozen=True)
class Method:
    """A run, and how it is to be used.

    Attributes:
        opened: the run.
        sigma_hu: of the noise that it removes.
        device: "cpu", "cuda".
        tile: see `training.inference.Inference`.
        digest: of all that decides an output's pixels: weights or source, window, noise, tiles.
    """

    opened: Opened
    sigma_hu: float
    device: str
    tile: int | None
    digest: str

    @property
    def window(self) -> Window:
        """The task's window, for slices that reach beyond it."""
        task = self.opened.task
        return Window(task, self.sigma_hu * task.grey_per_hu)

    @property
    def name(self) -> str:
        """The run's method, in ASCII: DICOM's default characters."""
        return _ascii(self.opened.result.method.replace("·", "+"))

    @property
    def description(self) -> str:
        """What was done, for DICOM's DerivationDescription: ASCII, up to 1024 characters."""
        task, result = self.opened.task, self.opened.result
        low, high = task.window_hu
        return _ascii(
            f"Denoised by denoisebench {__version__}: {self.name:.200}, run {result.recipe[:8]}, "
            f"{task.name} v{task.version}, noise of {self.sigma_hu:.1f} HU, method SHA-256 "
            f"{self.digest[:16]}. Values from {low:g} to {high:g} HU are estimates; those beyond "
            f"are as they were. {NOT_FOR_DIAGNOSIS}."
        )

    def denoised(self, slices: Iterable[Source]) -> Iterator[Output[Source]]:
        """Denoise slices in their order, several at once where the device takes them.

        Raises:
            Unavailable: memory does not suffice, or an output is not finite.
        """
        return denoised(slices, self._denoiser(), self.window, self.name)

    def _denoiser(self) -> denoisers.Denoiser:
        import torch

        device = torch.device(self.device)
        opened = self.opened
        if opened.recipe is not None:
            network = opened.generator(device)
            return denoisers.network(network, opened.multiple, tile=self.tile, fixed=True)
        from denoisebench.scoring.evaluate import filled

        part, sigma = filled(opened.part, opened.task), self.window.sigma

        def run(noisy: Iterable[NDArray[np.float64]]) -> Iterator[denoisers.Denoised]:
            # Nothing is kept in the cache folder: these are somebody's pixels.
            jobs = ((part, one) for one in noisy)
            return denoisers.each(jobs, sigma, device=device, keep=False)

        return run


def denoised(
    slices: Iterable[Source], denoiser: denoisers.Denoiser, window: Window, name: str
) -> Iterator[Output[Source]]:
    """Denoise what the window holds of slices in HU, in their order.

    Args:
        slices: of any size.
        denoiser: takes and gives grey levels.
        window: says what it is shown, and what is taken of its answer.
        name: of the denoiser.
    Raises:
        Unavailable: an output is not finite.
    """
    waiting = deque[Source]()

    def shown() -> Iterator[NDArray[np.float64]]:
        for one in slices:
            waiting.append(one)
            yield window.shown(one.hu, one.padding, one.digest)

    for answer in denoiser(shown()):
        one = waiting.popleft()
        if not np.isfinite(answer.image).all():
            raise Unavailable(f"{name} gives pixels that are not finite; use another run")
        yield Output(one, window.merged(one.hu, one.padding, answer.image))


def method_of(
    opened: Opened,
    device: "torch.device",
    *,
    sigma_hu: float | None = None,
    tile: int | None = None,
) -> Method:
    """Make a method of a run.

    Args:
        opened: the run.
        device: where a network runs, or a baseline that takes batches.
        sigma_hu: of the noise, for a baseline; the task's where None.
        tile: longest side that a network denoises as a whole.
    Raises:
        UsageError: it cannot be used so; the message says why.
    """
    check(opened, sigma_hu=sigma_hu, tile=tile)
    task, part = opened.task, opened.part
    sigma = task.sigma / task.grey_per_hu if sigma_hu is None else sigma_hu
    facts = [part.text, part.card.digest, denoisers.release(part), task.model_dump_json(),
             sigma, tile, device.type, POLICY]  # fmt: skip
    digest = hashlib.sha256(repr(facts).encode())
    if opened.recipe is not None:
        digest.update(bytes.fromhex(opened.weights_digest()))
    return Method(opened, sigma, str(device), tile, digest.hexdigest())


def check(opened: Opened, *, sigma_hu: float | None, tile: int | None) -> None:
    """Raise UsageError where a run cannot be used as asked; see `method_of`."""
    if opened.recipe is not None:
        if sigma_hu is not None:
            raise UsageError(
                "--sigma tells a baseline how much noise there is; a network was trained for "
                f"{opened.task.sigma / opened.task.grey_per_hu:.1f} HU"
            )
        return
    if tile is not None:
        raise UsageError(f"--tile is for networks; {opened.part.card.name} is a baseline")
    if opened.part.card.facts.get("learns"):
        raise UsageError(
            f"{opened.part.card.name} learns from training slices, which no run keeps; "
            "use a network's run, or that of another baseline"
        )


def _ascii(text: str) -> str:
    """Spell a text for any DICOM character set; the backslash would part values."""
    printable = text.encode("ascii", "replace").decode().replace("\\", "/")
    return "".join(c if c.isprintable() else " " for c in printable)
