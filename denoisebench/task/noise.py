"""Noise of the test split (the same pixels everywhere) and of training (fresh each step).

Test noise is a function of (pixel digest, protocol, seed). NumPy promises the raw stream of a bit
generator for ever, but not what `standard_normal` makes of it, so the raw words are turned into
normal deviates here, by the inverse of the normal distribution.
"""

import hashlib
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from denoisebench.task.task import PEAK, Task

if TYPE_CHECKING:
    import torch


def normal_deviates(
    digest: str, protocol: str, seed: int, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Draw standard normal deviates that depend on nothing but the arguments.

    Args:
        digest: SHA-256 of the clean pixels, in hex.
        protocol: the task's noise protocol.
        seed: which of the many possible test noises; boards use 0.
        shape: of the result.
    Returns:
        float64 of that shape.
    Source: Philox key = first 16 bytes of SHA-256(digest bytes ‖ protocol ‖ seed as 8 bytes,
        little-endian); 53 high bits of each word → the centre of one of 2**53 cells of (0, 1).
    """
    material = bytes.fromhex(digest) + protocol.encode() + seed.to_bytes(8, "little")
    key = int.from_bytes(hashlib.sha256(material).digest()[:16], "little")
    words = np.random.Philox(key=key).random_raw(int(np.prod(shape)))
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return cast(NDArray[np.float64], ndtri(uniform).reshape(shape))


def noisy_slice(
    task: Task, clean: NDArray[np.float64], digest: str, seed: int = 0
) -> NDArray[np.float64]:
    """Make the noisy test slice of a clean one.

    Args:
        task: whose noise.
        clean: (H, W) grey levels.
        digest: SHA-256 of the slice's HU, in hex.
        seed: of the test noise.
    Returns:
        (H, W) float64 grey levels, clipped only where the task clips.
    """
    deviates = normal_deviates(
        digest, task.noise.protocol, seed, (task.noise.channels, *clean.shape)
    )
    copies = clean + task.channel_sigma * deviates
    if task.noise.eight_bit:
        copies = np.clip(np.rint(copies), 0, PEAK)
    total = copies[0].copy()
    for copy in copies[1:]:  # in this order on every machine, unlike mean()
        total += copy
    return cast(NDArray[np.float64], total / task.noise.channels)


def fresh_noise(
    task: Task,
    clean: "torch.Tensor",
    generator: "torch.Generator",
    *,
    batch: int | None = None,
    rows: range | None = None,
) -> "torch.Tensor":
    """Add training noise on the tensor's own device.

    Args:
        task: whose noise.
        clean: (B, 1, H, W) grey levels.
        generator: on the same device.
        batch, rows: of how many `clean` is a share, and where it stands among them; it gets the
            noise that it has there. All is drawn, since what a number is may depend on how many
            are drawn with it.
    Returns:
        (B, 1, H, W) noisy grey levels.
    """
    import torch

    shape = (batch or len(clean), task.noise.channels, *clean.shape[2:])
    deviates = torch.randn(shape, generator=generator, device=clean.device, dtype=clean.dtype)
    if rows and len(rows) < len(deviates):
        deviates = deviates[rows.start : rows.stop]
    copies = torch.add(clean, deviates, alpha=task.channel_sigma)
    if task.noise.eight_bit:
        copies = copies.round().clamp(0, PEAK)
    return copies if task.noise.channels == 1 else copies.mean(dim=1, keepdim=True)
