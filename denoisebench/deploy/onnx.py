"""A trained run as an ONNX model of slices of any size, held against torch before it is kept."""

import json
import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx
import onnx_ir
import torch
from numpy.typing import NDArray
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from onnxruntime import InferenceSession
from torch import Tensor
from torch.nn import Module

from denoisebench import __version__
from denoisebench.data.phantom import draw
from denoisebench.data.scan import digest_of
from denoisebench.deploy.graph import AnySize, InHU
from denoisebench.errors import Unavailable
from denoisebench.scoring.opened import Opened
from denoisebench.task import Task
from denoisebench.task.noise import normal_deviates
from denoisebench.task.task import PEAK, from_network, to_network
from denoisebench.training.inference import Inference, rounded_up

Pixels = NDArray[np.float32]

OPSET = 18
"""What torch's exporter writes without converting; onnxruntime reads it since 1.14."""

ALLOWED = 1e-4  # of a difference to torch, in [-1, 1]
CT = (512, 512)  # pixels; of the slices that are compared, with two of about SIDE
SIDE = 128
USE = "research; not for diagnosis"


@dataclass(frozen=True)
class Exported:
    """An ONNX model, and how it was found to differ from torch.

    Attributes:
        model: the file's content.
        metadata: what the model says of itself.
        differences: (B, H, W) of what was compared → largest difference of a pixel, in [-1, 1].
    """

    model: bytes
    metadata: dict[str, str]
    differences: dict[tuple[int, int, int], float]


def export(opened: Opened, *, hu: bool = False) -> Exported:
    """Turn a run's network into an ONNX model, and compare the two on noisy slices of the phantom.

    The model takes `noisy` and gives `denoised`, (B, 1, H, W) float32 of any B, H and W. The same
    run gives the same bytes under the same releases of torch, onnxscript and denoisebench.

    Args:
        opened: a network's run.
        hu: whether the model takes and gives HU instead of [-1, 1].
    Raises:
        UsageError: it is a baseline, or its weights do not fit.
        Unavailable: torch cannot export the network, or the model's output is another.
    """
    metadata = facts(opened, hu)
    model = graph(opened, metadata, hu)
    differences = compare(model, opened, hu)
    # a difference that is no number is refused, too
    if not max(differences.values()) <= ALLOWED:
        told = ", ".join(f"{value:.2g} at {shape}" for shape, value in differences.items())
        raise Unavailable(
            f"onnxruntime's output differs from torch's by {told} in [-1, 1], more than "
            f"{ALLOWED:g}; the network of {opened.part.text} does something else in a graph"
        )
    return Exported(model, metadata, differences)


def facts(opened: Opened, hu: bool) -> dict[str, str]:
    """Return what the model says of itself; values that are no text are JSON."""
    card, task = opened.part.card, opened.task
    return {
        "run": opened.folder.resolve().name,
        "method": opened.result.method,
        "recipe": opened.result.recipe,
        "task": f"{task.name} v{task.version}",
        "window_hu": json.dumps(task.window_hu),
        "sigma_grey": f"{task.sigma:g}",
        "sigma_hu": f"{task.sigma / task.grey_per_hu:g}",
        "units": "HU" if hu else "[-1, 1]",
        "multiple": str(opened.multiple),
        "opset": str(OPSET),
        "licence": card.licence or ("Apache-2.0" if card.origin == "built-in" else "not stated"),
        "use": USE,
        "denoisebench": __version__,
    }


def graph(opened: Opened, metadata: dict[str, str], hu: bool) -> bytes:
    """Return a run's network as an ONNX model, checked by onnx.

    Raises:
        Unavailable: torch cannot export it.
    """
    denoiser: Module = AnySize(opened.generator(torch.device("cpu")), opened.multiple)
    denoiser = InHU(denoiser, opened.task) if hu else denoiser
    side = rounded_up(SIDE, opened.multiple)
    # no side and no batch of 1, and no two alike, or the graph might be of those only
    sample = torch.zeros(2, 1, side + 3, side + 5)
    axes = {0: "batch", 2: "height", 3: "width"}
    try:
        with warnings.catch_warnings():
            # of torch about itself
            warnings.simplefilter("ignore", (DeprecationWarning, FutureWarning))
            program = torch.onnx.export(
                denoiser.eval(),
                (sample,),
                input_names=["noisy"],
                output_names=["denoised"],
                dynamic_shapes=(axes,),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause = error.__cause__ or error
        reason = next(filter(None, str(cause).splitlines()), type(cause).__name__)
        raise Unavailable(f"torch cannot export {opened.part.text}: {reason:.200}") from None
    assert program is not None
    model = program.model
    ClearMetadataAndDocStringPass()(model)  # of nodes: lines of source, and where it stands here
    model.metadata_props.update(metadata)
    model.doc_string = f"Denoises CT slices: {opened.result.method}; {USE}."
    written = onnx_ir.to_proto(model)
    sum_in_double(written.graph)
    content: bytes = written.SerializeToString(deterministic=True)
    onnx.checker.check_model(content, full_check=True)
    return content


def sum_in_double(graph: onnx.GraphProto) -> None:
    """Let a graph's norms add up in double precision.

    onnxruntime adds one square after the other: over the 262,144 pixels of a slice, as attention
    between channels does, that moves an output by 3e-4 where torch's sum in pairs moves it by 1e-5.
    """
    nodes = []
    for node in graph.node:
        if node.op_type != "ReduceL2":
            nodes.append(node)
            continue
        given, answer = node.input[0], node.output[0]
        node.input[0], node.output[0] = f"{answer}_given", f"{answer}_double"
        cast = partial(onnx.helper.make_node, "Cast")
        nodes += [
            cast([given], [node.input[0]], to=onnx.TensorProto.DOUBLE),
            node,
            cast([node.output[0]], [answer], to=onnx.TensorProto.FLOAT),
        ]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def compare(model: bytes, opened: Opened, hu: bool) -> dict[tuple[int, int, int], float]:
    """Run a model in onnxruntime and the evaluator on the same noisy slices of the phantom.

    Returns:
        (B, H, W) → largest difference of a pixel, in [-1, 1]; for a slice as CT has them, since
        sums over pixels err by more the more there are, and for a size that is reflected.
    """
    session = InferenceSession(model, providers=["CPUExecutionProvider"])
    inference = Inference(opened.generator(torch.device("cpu")), opened.multiple)

    def evaluator(noisy: Tensor) -> Tensor:
        grey = from_network(noisy.double())[:, 0].numpy()
        return to_network(torch.from_numpy(np.stack(inference(list(grey)))))[:, None]

    denoiser = InHU(evaluator, opened.task) if hu else evaluator
    scale = opened.task.grey_per_hu / (PEAK / 2) if hu else 1.0
    side = rounded_up(SIDE, opened.multiple)
    found = {}
    for shape in ((1, *CT), (2, side - 3, side + 5)):
        noisy = phantom(opened.task, *shape, hu=hu)
        expected = denoiser(torch.from_numpy(noisy)).numpy()
        (output,) = session.run(None, {"noisy": noisy})
        found[shape] = float(np.abs(output - expected).max()) * scale
    return found


def phantom(task: Task, batch: int, height: int, width: int, *, hu: bool) -> Pixels:
    """Draw noisy slices, (B, 1, H, W), in [-1, 1] or in HU with all that lies beyond the window."""
    slices = []
    for index in range(batch):
        drawn = draw(0, index, slices=batch, size=max(height, width))[:height, :width]
        noise = task.sigma * normal_deviates(digest_of(drawn), "export", 0, drawn.shape)
        in_hu = drawn + noise / task.grey_per_hu
        slices.append(in_hu if hu else to_network(task.to_grey(drawn) + noise))
    return np.stack(slices)[:, None].astype(np.float32)
