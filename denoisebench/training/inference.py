"""A generator as a denoiser of slices of any size: whole, several at once, or in tiles."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import product
from math import pi
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, UntypedStorage
from torch.func import functional_call
from torch.nn import Module
from torch.nn.functional import pad
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from denoisebench.errors import Unavailable
from denoisebench.task.task import from_network, to_network

Image = NDArray[np.float64]

WHOLE = "eval mode, float32, whole slices reflected to the generator's multiple"
PIXELS_AT_ONCE = 16 * 512 * 512  # on a GPU, to begin with
RECKONED_FROM = 1024 * 1024  # pixels
SMALLEST_TILE, SMALLEST_OVERLAP = 128, 64


def denoise(generator: Module, noisy: Image, multiple: int, *, tile: int | None = None) -> Image:
    """Denoise one slice; see `Inference`.

    Args:
        generator: takes and gives (B, 1, H, W) in [-1, 1].
        noisy: (H, W) grey levels.
        multiple: what the sides must be divisible by; the slice is reflected to that, and the
            result cut back.
        tile: see `Inference`.
    Returns:
        (H, W) float64 grey levels, not clipped.
    """
    return Inference(generator, multiple, tile=tile)([noisy])[0]


class Inference:
    """Denoise slices in eval mode, in float32, on the generator's device, and learn what fits.

    On a GPU slices of one shape go several at once, and half as many where memory ends. On a CPU
    they go one by one, which takes no longer there, and leaves each digit as it is alone.

    A slice that does not fit is denoised in tiles that overlap, each half as long as what did not
    fit; so is a slice longer than `tile`, where that is given. Memory then depends on the tile, not
    on the slice. A network that looks further than a quarter of the overlap (a U-Net to its depths,
    any InstanceNorm or GroupNorm) sees less of the slice in a tile, and its output is another;
    `note` says so. Where outputs must not depend on a machine's memory, tiles are `fixed`.
    """

    def __init__(
        self, generator: Module, multiple: int, *, tile: int | None = None, fixed: bool = False
    ) -> None:
        """Take what `denoise` takes.

        Args:
            tile: longest side that is denoised as a whole; rounded up to what tiles need.
            fixed: whether to raise Unavailable where a slice or tile does not fit.
        """
        self.generator, self.multiple = generator, multiple
        self.device = next(generator.parameters()).device
        self.tile = tile and max(rounded_up(tile, multiple), self._smallest)
        self.fixed = fixed
        self._at_once = PIXELS_AT_ONCE  # pixels
        self._tiles: dict[tuple[int, ...], int] = {}

    def at_once(self, shape: tuple[int, ...]) -> int:
        """Say how many slices of a shape (H, W) go at once."""
        if self.device.type == "cpu":
            return 1
        return max(1, self._at_once // (shape[0] * shape[1]))

    def __call__(self, noisy: Sequence[Image]) -> list[Image]:
        """Denoise slices of one shape, each (H, W) grey levels; float64, not clipped.

        Raises:
            Unavailable: memory does not suffice for the smallest tile.
        """
        shape = noisy[0].shape
        if shape not in self._tiles:
            self._tiles[shape] = self._first_tile(shape)
        # TF32 would leave ten bits of what a convolution sees.
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with evaluating(self.generator), torch.inference_mode(), exact:
            while True:
                try:
                    step = self.at_once(shape)
                    parts = [noisy[start : start + step] for start in range(0, len(noisy), step)]
                    return [image for part in parts for image in self._denoised(part)]
                except RuntimeError as error:
                    if not memory_ended(error):
                        raise
                # Not in the handler: there the error holds on to what the failed attempt made.
                self._take_less(shape, min(step, len(noisy)))

    @property
    def note(self) -> str:
        """How slices were denoised, in words."""
        tiled = [(shape, side) for shape, side in self._tiles.items() if side < max(shape)]
        notes = [
            f"slices of {height} × {width} in tiles of {side} that overlap by {self._overlap(side)}"
            for (height, width), side in tiled
        ]
        return "; ".join([WHOLE, *notes])

    def _denoised(self, noisy: Sequence[Image]) -> list[Image]:
        height, width = noisy[0].shape
        side = self._tiles[height, width]
        images = torch.from_numpy(np.stack(noisy))[:, None].float()
        images = reflect(to_network(images), self.multiple)
        outputs = tiled(self._network, images, side, self._overlap(side))
        grey = from_network(outputs[..., :height, :width])
        return [image.numpy() for image in grey[:, 0].double()]

    def _network(self, image: Tensor) -> Tensor:
        output: Tensor = self.generator(image.to(self.device))
        return output.float().cpu()

    def _first_tile(self, shape: tuple[int, ...]) -> int:
        """Side of the tiles; not shorter than a slice that is denoised as a whole."""
        height, width = (rounded_up(side, self.multiple) for side in shape)
        tile = self.tile or max(height, width)
        # A GPU says that memory ends. A CPU's system may kill instead, so it is reckoned before.
        if self.device.type == "cpu" and height * width > RECKONED_FROM:
            while tile > self._smallest and not memory_suffices(
                self.generator, (1, 1, min(tile, height), min(tile, width))
            ):
                tile = self._smaller(tile)
        return tile

    def _take_less(self, shape: tuple[int, ...], slices: int) -> None:
        """Take half as many slices, or tiles of half the side, after memory has ended."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if slices > 1:
            self._at_once = slices // 2 * shape[0] * shape[1]
        elif self._tiles[shape] > self._smallest:
            self._tiles[shape] = self._smaller(self._tiles[shape])
        else:
            raise Unavailable(
                f"{self.device} has not the memory for a tile of {self._tiles[shape]} pixels"
            )

    def _smaller(self, tile: int) -> int:
        half = max(rounded_up(tile // 2, self.multiple), self._smallest)
        if self.fixed:
            raise Unavailable(
                f"{self.device} has not the memory for {tile} pixels a side; give --tile {half}"
            )
        return half

    @property
    def _smallest(self) -> int:
        return max(rounded_up(SMALLEST_TILE, self.multiple), 2 * self.multiple)

    def _overlap(self, tile: int) -> int:
        return rounded_up(max(tile // 4, SMALLEST_OVERLAP), self.multiple)


def tiled(network: Callable[[Tensor], Tensor], images: Tensor, side: int, overlap: int) -> Tensor:
    """Denoise in tiles that overlap, and blend them so that no seam is seen.

    Where tiles meet, one fades into the next over the middle half of the overlap; the quarter at a
    tile's edge is not used, because there the network has seen a border that is none. A network
    that looks no further than a quarter of the overlap gives what it gives for the whole.

    Args:
        network: takes and gives (B, 1, h, w).
        images: (B, 1, H, W); given as they are where both sides are up to `side`.
        side, overlap: in pixels; with H and W, all multiples of what the network needs.
    """
    height, width = images.shape[-2:]
    if max(height, width) <= side:
        return network(images)
    total, weights = torch.zeros_like(images), torch.zeros(height, width)
    for top, left in product(starts(height, side, overlap), starts(width, side, overlap)):
        place = (..., slice(top, top + side), slice(left, left + side))
        down, across = fade(height, top, side, overlap), fade(width, left, side, overlap)
        weight = down[:, None] * across
        total[place] += network(images[place]) * weight
        weights[place] += weight
    return total / weights


def starts(length: int, side: int, overlap: int) -> list[int]:
    """Return where tiles begin along an axis; the last ends with it, and overlaps by more."""
    if length <= side:
        return [0]
    return [*range(0, length - side, side - overlap), length - side]


def fade(length: int, start: int, side: int, overlap: int) -> Tensor:
    """Return a tile's weights along an axis: 1, and 0 to 1 where another tile lies beside it."""
    side = min(side, length)
    weights = torch.ones(side)
    place = (torch.arange(overlap) + 0.5) / overlap  # 0 to 1
    rising = ((place - 0.25) * 2).clamp(0, 1).mul(pi / 2).sin().square()
    if start > 0:
        weights[:overlap] = rising
    if start + side < length:
        weights[-overlap:] *= rising.flip(0)
    return weights


@contextmanager
def evaluating(module: Module) -> Iterator[None]:
    """Put a module into eval mode for a while."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


def rounded_up(length: int, multiple: int) -> int:
    """Return the next multiple."""
    return -(-length // multiple) * multiple


def reflect(image: Tensor, multiple: int) -> Tensor:
    """Reflect (B, 1, H, W) at the bottom and right until both sides are multiples.

    A side is mirrored as often as it takes: a 100-pixel slice can become 256. One of a single pixel
    is repeated.
    """
    for axis in (-1, -2):
        if image.shape[axis] == 1 and multiple > 1:
            image = image.repeat_interleave(multiple, axis)
        while missing := -image.shape[axis] % multiple:
            more = min(missing, image.shape[axis] - 1)
            image = pad(image, (0, more, 0, 0) if axis == -1 else (0, 0, 0, more), mode="reflect")
    return image


def memory_ended(error: Exception) -> bool:
    """Say whether an error says that memory does not suffice."""
    told = ("can't allocate memory", "not enough memory")  # of torch's allocator on CPUs
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in told)


def memory_suffices(network: Module, shape: tuple[int, ...]) -> bool:
    """Say whether this machine's free memory holds what a network makes of an input; no gradients.

    Half of it must: libraries have workspace of their own. True where nobody can say.
    """
    with suppress(OSError):  # Linux only
        found = re.search(
            r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text("ascii"), re.MULTILINE
        )
        if found and (needed := reckoned(network, shape)):
            return needed * 2 < int(found[1]) * 1024
    return True


def reckoned(network: Module, shape: tuple[int, ...]) -> int | None:
    """Bytes of a network's tensors for an input at their most; nothing is computed.

    None for a network that cannot do without values.
    """
    tensors = [*network.named_parameters(), *network.named_buffers()]
    stand_ins = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}
    reckoning = _Reckoning()
    try:
        with torch.no_grad(), reckoning:
            functional_call(network, stand_ins, torch.empty(shape, device="meta"))
    except Exception:  # a network of any kind
        return None
    return reckoning.most


class _Reckoning(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the memory that is held by tensors."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._hold(tensor.untyped_storage())
        return made

    def _hold(self, storage: UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key not in self.known:
            self.known.add(key)
            self.now += size
            self.most = max(self.most, self.now)
            finalize(storage, self._release, key, size)

    def _release(self, key: int, size: int) -> None:
        self.known.remove(key)
        self.now -= size
