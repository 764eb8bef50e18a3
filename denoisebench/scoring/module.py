"""Rows of modules that were made elsewhere: on their own scale, and left as they were."""

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Module, Parameter

from denoisebench import lock
from denoisebench.errors import Unavailable, UsageError
from denoisebench.scoring import denoisers
from denoisebench.scoring.environment import device_name
from denoisebench.scoring.evaluate import metric_versions
from denoisebench.scoring.result import EVALUATION_VERSION, Result
from denoisebench.scoring.run import Bench, evaluated, facts_of_any, write_evaluation
from denoisebench.task import Task
from denoisebench.task.noise import noisy_slice
from denoisebench.task.task import SCALES, Scale, from_network, psnr_of, to_network
from denoisebench.training.inference import denoise, memory_ended

Model = Callable[..., Any]
"""Takes and gives (B, 1, H, W); an nn.Module is one."""

PIECE = 256  # pixels of a side that scales are tried on
CLEARLY_DB = 1.0  # another scale that fits better by less may be chance


class Adapted(Module):
    """A model in front of which [-1, 1] becomes its own scale, and behind it [-1, 1] again.

    The model is no part of it, so that no mode and no device is set that is not set here.
    """

    def __init__(self, model: Model, task: Task, scale: Scale, sigma: bool, device: torch.device):
        super().__init__()
        self.place = Parameter(torch.empty(0, device=device), requires_grad=False)  # says where
        self._model = (model,)
        self._scale = None if scale == "network" else task.scale(scale)
        self._more = (task.sigma * task.scale(scale)[0],) if sigma else ()
        weights = model.parameters() if isinstance(model, Module) else ()
        kinds = (weight.dtype for weight in weights if weight.is_floating_point())
        self._kind = next(kinds, torch.float32)

    def forward(self, image: Tensor) -> Tensor:
        """Give (B, 1, H, W) for (B, 1, H, W)."""
        # Not in inference mode: what a model keeps of a call must serve its next training, too.
        with torch.inference_mode(False), torch.no_grad():
            gain, offset = self._scale or (1.0, 0.0)
            shown = from_network(image) * gain + offset if self._scale else image.clone()
            output = self._model[0](shown.to(self._kind), *self._more)
            if not isinstance(output, Tensor) or output.shape != image.shape:
                what = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
                raise UsageError(
                    f"it gave {what} for {tuple(image.shape)}; a denoiser gives a tensor of the "
                    "shape that it takes"
                )
            output = output.float()
            return to_network((output - offset) / gain) if self._scale else output


def score_module(
    bench: Bench,
    model: Model,
    *,
    name: str | None = None,
    scale: Scale = "network",
    sigma: bool = False,
    multiple: int = 1,
) -> Path:
    """Score a model that no recipe makes; its mode, device and gradients are as before.

    Args:
        bench: data, task, place, and the device where it runs. `note` is told where another scale
            fits it better.
        model: takes and gives (B, 1, H, W).
        name: what boards call it; its class or function where None.
        scale: what it takes and gives.
        sigma: whether it takes the noise's standard deviation, on its scale, as second argument.
        multiple: what the sides must be divisible by.
    Returns:
        The folder of its row, `<name>-<first 8 of the hash>` in the runs folder.
    Raises:
        UsageError: it does not give what a denoiser gives.
    """
    method = " ".join((name or _called(model)).split()) or "module"
    with _as_it_was(model, bench.device):

        def adapted(scale: Scale, model: Model = model) -> Adapted:
            return Adapted(model, bench.task, scale, sigma, bench.device).eval()

        # A copy each, since some keep what they saw, to begin with it the next time.
        doubt = _doubt(bench, method, lambda each: adapted(each, _copy(model)), scale, multiple)
        if doubt:
            bench.note(doubt)
        key = _key(bench, method, model, f"{scale} {sigma} {multiple}")
        denoiser = denoisers.network(adapted(scale), multiple)
        evaluation = evaluated(bench, method, denoiser)
    status = "failed" if evaluation.failure else "done"
    weights = model.parameters() if isinstance(model, Module) else ()
    result = Result(
        method=method,
        kind="module",
        recipe=key,
        parameters=sum(weight.numel() for weight in weights),
        device=device_name(bench.device),
        inference=f"{denoiser.note}; it sees {SCALES[scale]}",
        **facts_of_any(bench, evaluation, status, evaluation.failure),  # type: ignore[arg-type]
    )
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", method)[:60].strip("-") or "module"
    folder = bench.runs / f"{slug}-{key[:8]}"
    with lock.alone(folder):
        write_evaluation(bench, folder, method, evaluation)
        result.write(folder / "result.json")  # last: its presence says the rest is there
    return folder


def device_of(model: Model) -> torch.device | None:
    """Say where a model's weights are; None for one that has none."""
    if not isinstance(model, Module):
        return None
    return next((tensor.device for tensor in chain(model.parameters(), model.buffers())), None)


@contextmanager
def _as_it_was(model: Model, device: torch.device) -> Iterator[None]:
    """Put a module into eval mode and onto a device for a while, each part of it as it was then."""
    if not isinstance(model, Module):
        yield
        return
    modes = [(part, part.training) for part in model.modules()]
    home = device_of(model)
    moved = home is not None and torch.empty(0, device=device).device != home
    try:
        with suppress(NotImplementedError):  # an exported program has one mode only
            model.eval()
        if moved:
            model.to(device)
        yield
    finally:
        if moved:
            model.to(home)
        for part, training in modes:
            part.training = training


def _doubt(
    bench: Bench,
    method: str,
    adapted: Callable[[Scale], Module],
    stated: Scale,
    multiple: int,
) -> str | None:
    """Try a model on all scales, on a piece of a slice that is not in the test split.

    Returns:
        What speaks against the stated scale, if anything.
    Raises:
        UsageError: it fails on the stated one.
    """
    slices = bench.dataset.val or bench.dataset.train or bench.dataset.test
    one = slices[len(slices) // 2]
    whole = bench.task.to_grey(one.hu)
    noisy, clean = _piece(noisy_slice(bench.task, whole, one.digest)), _piece(whole)
    reached: dict[Scale, float] = {}
    for scale in dict.fromkeys((stated, *SCALES)):
        try:
            found = psnr_of(denoise(adapted(scale), noisy, multiple), clean)
            reached[scale] = -np.inf if np.isnan(found) else found
        except Exception as error:
            if scale == stated:
                raise _refusal(error, method, noisy.shape) from error
    best, own = max(reached, key=reached.__getitem__), reached[stated]
    identity = psnr_of(noisy, clean)
    if reached[best] > max(own + CLEARLY_DB, identity):
        return (
            f"{method} gives {own:.1f} dB with input={stated!r}, {SCALES[stated]}, and "
            f"{reached[best]:.1f} dB with input={best!r}, {SCALES[best]}, on a piece of a slice "
            f"that is not in the test split; was it made for input={best!r}?"
        )
    if -np.inf < own < identity - CLEARLY_DB:
        return (
            f"{method} gives {own:.1f} dB where the noisy slice itself has {identity:.1f} dB, with "
            f"input={stated!r}, {SCALES[stated]}; no other scale is better for it"
        )
    return None


def _refusal(error: Exception, method: str, shape: tuple[int, ...]) -> Exception:
    if isinstance(error, Unavailable):
        return error
    if memory_ended(error):
        return Unavailable(f"no memory for {method} on {shape[0]} × {shape[1]} pixels")
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    height, width = shape
    return UsageError(
        f"{method} cannot denoise {height} × {width} pixels: {reason:.200}; give multiple= where "
        "its sides must divide, sigma=True where it takes (image, sigma), or a function around it"
    )


def _piece(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middle of a slice."""
    top, left = (max(0, (side - PIECE) // 2) for side in image.shape)
    return image[top : top + PIECE, left : left + PIECE]


def _copy(model: Model) -> Model:
    """Copy a model; itself where it cannot be copied."""
    try:
        return copy.deepcopy(model)
    except Exception:  # a library's own classes may raise anything
        return model


def _called(model: Model) -> str:
    name = str(getattr(model, "__name__", type(model).__name__))
    return "function" if name == "<lambda>" else name


def _key(bench: Bench, method: str, model: Model, how: str) -> str:
    """Hash of what a row's scores depend on, as far as it can be seen: not the model's source."""
    facts = {
        "method": method,
        "how": how,
        "weights": _digest(model) if isinstance(model, Module) else None,
        "data": bench.dataset.digest,
        "split": bench.dataset.split_digest,
        "task": bench.task.model_dump(),
        "metrics": metric_versions(bench.task, bench.catalogue),
        "evaluation": EVALUATION_VERSION,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _digest(model: Module) -> str:
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(f"{name}\0".encode())
        if isinstance(value, Tensor):
            with suppress(RuntimeError, NotImplementedError, TypeError):  # quantised, sparse
                content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
                digest.update(content.numpy().tobytes())
    return digest.hexdigest()
