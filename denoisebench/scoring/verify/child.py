"""The process that a method runs in when it is measured again.

It starts in an empty folder with copies of the weights, the recipe and the plug-in files that the
user named; it is told the task and the method, and then gets noisy pixels, a slice at a time.
"""

import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from denoisebench.scoring.verify.confine import confine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.float64]

READY = {False: b"ready\n", True: b"shut.\n"}  # whether it is confined
MODEL = "model.safetensors"


def main() -> None:
    """Answer slices on stdin with slices on stdout until stdin ends."""
    slices, answers = sys.stdin.buffer, _private_stdout()
    confined = confine(Path.cwd())  # before NumPy and torch start threads
    order = json.loads(slices.readline())
    denoise = _denoiser(order, [_receive(slices) for _ in range(order["learning"])])
    answers.write(READY[confined])
    answers.flush()

    import numpy as np

    while (noisy := _receive(slices)) is not None:
        image = np.ascontiguousarray(denoise(noisy), dtype="<f4")
        if image.shape != noisy.shape:
            raise ValueError(f"gave {image.shape} for a slice of {noisy.shape}")
        answers.write(image.tobytes())
        answers.flush()


def _private_stdout() -> IO[bytes]:
    """Keep stdout for answers: what plug-ins and C libraries print goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return answers


def _receive(slices: IO[bytes]) -> "Image | None":
    """Read rows and columns as two uint32 and pixels as float64; None at the end."""
    import numpy as np

    head = slices.read(8)
    if len(head) < 8:
        return None
    shape = struct.unpack("<II", head)
    return np.frombuffer(slices.read(8 * shape[0] * shape[1]), "<f8").reshape(shape).copy()


def _denoiser(order: dict[str, Any], learning: "list[Image | None]") -> "Callable[[Image], Image]":
    """Build what the order names.

    Args:
        order: kind, method (an expression of one plug-in), task, device, plugins (files here).
        learning: clean training slices, for a baseline that learns.
    """
    import torch

    from denoisebench.plugins.expression import resolve
    from denoisebench.plugins.find import find
    from denoisebench.task import Task

    catalogue = find([Path(name) for name in order["plugins"]])
    (part,) = resolve(order["method"], order["kind"], catalogue)
    device = torch.device(order["device"])
    if order["kind"] == "generator":
        return _network(part, device)
    return _baseline(part, Task.model_validate(order["task"]), device, learning)


def _network(part: Any, device: Any) -> "Callable[[Image], Image]":
    from denoisebench.bounded import read_tensors
    from denoisebench.plugins.load import build
    from denoisebench.training.inference import denoise

    network = build(part)
    network.load_state_dict(read_tensors(Path(MODEL)))
    network = network.to(device).eval().requires_grad_(False)
    multiple = int(str(part.card.facts.get("multiple", 1)))
    return lambda noisy: denoise(network, noisy, multiple)


def _baseline(part: Any, task: Any, device: Any, learning: Any) -> "Callable[[Image], Image]":
    import numpy as np
    import torch

    from denoisebench.plugins.load import build
    from denoisebench.scoring.evaluate import filled

    plugin = build(filled(part, task))
    if part.card.facts.get("learns"):
        plugin.fit(learning)
    if not part.card.facts.get("batched"):
        return lambda noisy: np.asarray(plugin(noisy, task.sigma))

    def batched(noisy: "Image") -> "Image":
        batch = torch.from_numpy(noisy)[None, None].to(device)
        image: Image = plugin(batch, task.sigma)[0, 0].double().cpu().numpy()
        return image

    return batched


if __name__ == "__main__":
    main()
