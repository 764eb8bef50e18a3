"""A task: how HU become grey levels, what noise is added, and what is measured.

Three scales meet here and nowhere else: HU, grey levels (0-255, real-valued) and what networks
see ([-1, 1]). The conversions are written for arrays and tensors alike.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from denoisebench import tomlfile
from denoisebench.errors import UsageError
from denoisebench.home import registry_folder

if TYPE_CHECKING:
    from torch import Tensor

    Pixels = TypeVar("Pixels", NDArray[np.float64], Tensor)
else:
    Pixels = TypeVar("Pixels")

PEAK = 255.0
Scale = Literal["network", "unit", "grey", "hu"]
SCALES: dict[Scale, str] = {
    "network": "[-1, 1]",
    "unit": "[0, 1]",
    "grey": "0 to 255",
    "hu": "Hounsfield units",
}
"""Scales of pixels that others use, too: what the ends of the window are on them."""
LEAST_ERROR = 1e-12  # of a mean square, in grey levels squared: equal slices have 168 dB
FARTHEST = 1e6  # HU or grey levels; beyond, and from nan, arithmetic no longer gives numbers


def psnr_of(image: NDArray[np.float64], clean: NDArray[np.float64]) -> float:
    """Peak signal-to-noise ratio of a slice in grey levels, in dB; nan where it is not finite."""
    error = float(np.mean((image - clean) ** 2))
    if not np.isfinite(error):
        return float("nan")
    return float(10 * np.log10(PEAK**2 / max(error, LEAST_ERROR)))


class Noise(BaseModel):
    """White Gaussian noise, as a task file describes it.

    Attributes:
        protocol: names the noise; part of the key from which test noise is drawn.
        sigma: standard deviation of one channel, in `unit`.
        unit: grey levels (0-255), or HU before the window.
        channels: independent noisy copies that are averaged, as a grey slice saved as RGB has.
        eight_bit: each copy is rounded and clipped to 0-255, as an 8-bit picture is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str = Field(min_length=1)
    sigma: float = Field(gt=0, ge=1e-6, le=FARTHEST)
    unit: Literal["grey", "HU"] = "grey"
    channels: int = Field(default=1, ge=1, le=16)
    eight_bit: bool = False


class Task(BaseModel):
    """What every row of a board has in common.

    Attributes:
        name, version, summary: a change that moves numbers raises the version.
        window_hu: what becomes grey level 0 and 255.
        noise: what is added.
        metrics: expressions; boards rank by the first.
        references: baselines that stand on every board beside a run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = Field(ge=1)
    summary: str
    window_hu: tuple[float, float]
    noise: Noise
    metrics: tuple[str, ...] = Field(min_length=1)
    references: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _window_is_ordered(self) -> "Task":
        low, high = self.window_hu
        if not -FARTHEST <= low < low + 1 <= high <= FARTHEST:
            raise ValueError("window_hu must be [low, high] with low < high, at least 1 HU apart")
        return self

    @property
    def digest(self) -> str | None:
        """SHA-256 of window and noise; None where they are those of the built-in task so named.

        A version is raised by hand, which may be forgotten. Metrics have versions of their own.
        """
        window_and_noise = {"window_hu", "noise"}
        said = self.model_dump_json(include=window_and_noise)
        if self.name in task_names():
            known = load_task(self.name).model_dump_json(include=window_and_noise)
            if said == known:
                return None
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def grey_per_hu(self) -> float:
        """How many grey levels one HU is."""
        return PEAK / (self.window_hu[1] - self.window_hu[0])

    @property
    def channel_sigma(self) -> float:
        """Standard deviation of one noisy channel, in grey levels."""
        return self.noise.sigma * (self.grey_per_hu if self.noise.unit == "HU" else 1.0)

    @property
    def sigma(self) -> float:
        """Standard deviation of the noise in the averaged slice before clipping, in grey levels.

        This is what a baseline is told.
        """
        return float(self.channel_sigma / np.sqrt(self.noise.channels))

    def scale(self, name: Scale) -> tuple[float, float]:
        """Say how grey levels are told on a scale: value = gain * grey + offset.

        Returns:
            The gain and the offset.
        """
        return {
            "network": (2 / PEAK, -1.0),
            "unit": (1 / PEAK, 0.0),
            "grey": (1.0, 0.0),
            "hu": (1 / self.grey_per_hu, self.window_hu[0]),
        }[name]

    def to_grey(self, hu: NDArray[np.int16]) -> NDArray[np.float64]:
        """Map HU to grey levels, clipped to the window, not rounded.

        Args:
            hu: any shape.
        Returns:
            The same shape, float64, 0-255.
        """
        return self.windowed(hu.astype(np.float64))

    def windowed(self, hu: Pixels) -> Pixels:
        """Map HU that are float64 already, as an array or a tensor; see `to_grey`."""
        low, high = self.window_hu
        return (hu.clip(low, high) - low) * PEAK / (high - low)


def to_network(grey: Pixels) -> Pixels:
    """Map grey levels 0-255 to [-1, 1], linearly and without clipping."""
    return grey / (PEAK / 2) - 1


def from_network(image: Pixels) -> Pixels:
    """Map [-1, 1] back to grey levels 0-255, linearly and without clipping."""
    return (image + 1) * (PEAK / 2)


def load_task(name: str) -> Task:
    """Load a task by its name, or from a TOML file by its path.

    Raises:
        UsageError: there is no such task; the message lists those there are.
    """
    if name.endswith(".toml"):
        return tomlfile.read(Path(name), Task)
    if name not in task_names():
        known = ", ".join(task_names())
        raise UsageError(f"no task named {name!r}; tasks: {known}, or a .toml file")
    return tomlfile.read(_folder() / f"{name}.toml", Task)


def task_names() -> tuple[str, ...]:
    """Return the names of the tasks that come with denoisebench."""
    return tuple(sorted(path.stem for path in _folder().glob("*.toml")))


def _folder() -> Path:
    return registry_folder() / "tasks"
