"""A checkpoint is the old one or the new one, never half, and it is tensors, not code."""

import pickletools
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, Field

from denoisebench import atomic
from denoisebench.bounded import refuse_bomb
from denoisebench.errors import UsageError

BEST = "best.pt"
NEXT_BEST = "best.next.pt"
DESCRIPTION = "data.pkl"
DESCRIPTION_AT_MOST = 2 << 20
"""Bytes of a checkpoint that say which tensors it has; 4,000 of them take 1,000,000."""
LONGEST_NAME = 1000
"""Characters; a weight's name has some 50."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values; see `atomic.replacing`."""
    with atomic.replacing(path) as file:
        torch.save(state, file)


def totals(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Sum up each tensor of a state, named by its place: finite where all its numbers are.

    In float64, which numbers of a narrower type cannot sum out of.
    """
    if isinstance(value, torch.Tensor):
        yield name, float(value.sum(dtype=torch.float64))
    elif isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from totals(inner, f"{name} {key}".lstrip())


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint; refuses files that hold anything but tensors and plain values.

    Raises:
        UsageError: there is none, or it is damaged or not one of ours.
    """
    try:
        refuse_bomb(path, DESCRIPTION, DESCRIPTION_AT_MOST)
        _refuse_allocations(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch wonders at pickles that it did not write
            state = torch.load(path, map_location=device, weights_only=True)
        if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
            raise ValueError("it holds something else than the state of a training")
    except FileNotFoundError:
        raise UsageError(f"nothing to resume: {path} does not exist") from None
    except Exception as error:  # an unpickler of hostile bytes raises anything
        reason = str(error).splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(
            f"{path} is not a checkpoint that can be read: {reason:.120}; remove it to begin anew"
        ) from None
    return state


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """Refuse a state that could be read, and that the training it is given to stumbles over."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # networks and optimisers raise anything at what is not theirs
        raise UsageError(
            f"{path} does not fit this recipe ({type(error).__name__}); remove it to begin anew"
        ) from None


def checked(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state whose plain values are of their types; ValueError otherwise."""
    _Plain.model_validate(state, strict=True)
    return state


class Best(BaseModel):
    """Weights where they did best on validation slices, in a file of their own.

    A second copy of a large network would be felt in memory, and in each checkpoint. New ones
    wait in a second file until a checkpoint has reached their step: a training that resumes from an
    earlier one may never come by them again.
    """

    step: int = Field(ge=0, lt=2**63)
    psnr: float = Field(allow_inf_nan=False)
    weights: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Best | None":
        """Read a run's best weights onto the CPU; None where there are none.

        Raises:
            UsageError: the file is damaged or not one of ours.
        """
        return cls._read(folder / BEST)

    @classmethod
    def _read(cls, path: Path) -> "Best | None":
        if not path.exists():
            return None
        with fitting(path):
            return cls.model_validate(load(path, torch.device("cpu")), strict=True)

    @classmethod
    def settle(cls, folder: Path, step: int) -> None:
        """Forget best weights of steps after `step`, from which a training is resumed."""
        for path in (folder / NEXT_BEST, folder / BEST):
            found = cls._read(path)
            if found and found.step > step:
                path.unlink()
        accept_best(folder)


def accept_best(folder: Path) -> None:
    """Let new best weights stand, now that a checkpoint has reached their step."""
    if (folder / NEXT_BEST).exists():
        with atomic.told(folder / BEST):
            (folder / NEXT_BEST).replace(folder / BEST)
            atomic.flush(folder)


class _Plain(BaseModel):
    """What a state holds beside networks, optimisers and sums."""

    step: int = Field(ge=0, lt=2**63)
    seconds: float = Field(ge=0, allow_inf_nan=False)
    reported: int = Field(ge=0, lt=2**63)
    reported_seconds: float = Field(ge=0, allow_inf_nan=False)
    health: dict[str, float | str | None] | None
    peak_memory: int | None


def _refuse_allocations(path: Path) -> None:
    """Raise ValueError for a pickle that names what torch admits and no checkpoint of ours holds.

    A bytearray is as large as a number in the pickle says; a name of 25,000 letters keeps torch's
    search for words to say about it busy for seconds, and one twice as long four times as long.
    """
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.endswith(DESCRIPTION):
                continue
            description = archive.read(name)
            if b"bytearray" in description:
                raise ValueError("it holds a bytearray")
            for _, argument, _ in pickletools.genops(description):
                if isinstance(argument, str) and len(argument) > LONGEST_NAME:
                    raise ValueError(f"it holds a name of {len(argument):,} characters")
