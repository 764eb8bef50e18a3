"""Every generator as an ONNX model, held against the evaluator by this file's own arithmetic."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnxruntime import InferenceSession
from safetensors.torch import save_file

from denoisebench import __version__
from denoisebench.deploy.graph import InHU
from denoisebench.deploy.onnx import ALLOWED, export, sum_in_double
from denoisebench.deploy.window import Window
from denoisebench.errors import Unavailable
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.scoring.opened import MODEL, Opened
from denoisebench.scoring.result import Result
from denoisebench.task import load_task
from denoisebench.training.inference import denoise
from denoisebench.training.recipe import Recipe

TINY = [
    "unet7(width=2)",
    'unet6(width=2, norm="batch")',
    "resunet(width=4, blocks=1, unshuffle=4)",
    "dncnn(depth=3, width=4)",
    "redcnn(width=4)",
    "ct_resnet(width=8, blocks=1)",
    "drunet(width=4, blocks=1)",
    "nafnet(width=4, encoder=(1, 1), middle=1, decoder=(1, 1))",
    'unet_timm(encoder="resnet10t", width=4)',
]
LARGER = [  # a graph takes torch half a minute where shapes are reckoned often
    pytest.param(
        "restormer(width=4, blocks=(1, 1, 1, 1), refinement=0, heads=(1, 2, 2, 2))",
        # With these random weights torch's float32 is 1.0e-4 from its float64 at 512 × 512, and
        # onnxruntime's 3e-6: what is promised does not hold there, by torch's rounding.
        marks=pytest.mark.xfail(raises=AssertionError, reason="torch rounds by 1e-4 at 512 × 512"),
    ),
    'unet7(width=2, norm="instance", dropout=0.5, residual=False, upsample="resize", stem="full")',
    'unet_timm(encoder="test_convnext", width=4)',
]
ROUGH = '''
"""Networks that a graph does not show as they are, and one that has no graph."""

import torch
from torch import nn

from denoisebench import generator


class Offset(nn.Module):
    def __init__(self, least: float) -> None:
        super().__init__()
        self.scale, self.least = nn.Parameter(torch.ones(())), least

    def forward(self, noisy):
        shift = self.least if torch.compiler.is_exporting() else 0
        return noisy * self.scale + shift


class Undecided(Offset):
    def forward(self, noisy):
        return noisy * self.scale if noisy.mean() > 0 else noisy


@generator("offset")
def offset(*, by: float = 1e-3) -> nn.Module:
    """Another network in a graph."""
    return Offset(by)


@generator("undecided")
def undecided() -> nn.Module:
    """A network that looks at its input before it decides what to compute."""
    return Undecided(0.0)
'''


@pytest.fixture
def opened(tmp_path):
    """Make a run of a network whose every weight matters, as training makes them."""

    def make(text: str, task: str = "ct-sigma50", plugins: tuple[Path, ...] = ()) -> Opened:
        (part,) = resolve(text, "generator", find(plugins))
        torch.manual_seed(2017)
        network = build(part).train()
        with torch.no_grad():
            for parameter in network.parameters():
                # what starts at zero would hide all that comes before it
                parameter += 0.02 * torch.randn_like(parameter)
            side = max(64, int(str(part.card.facts.get("multiple", 1))))
            for _ in range(3):
                network(torch.randn(2, 1, side, side))  # statistics of BatchNorm
        folder = tmp_path / f"{part.card.name}-l1-abc"
        folder.mkdir()
        save_file(network.state_dict(), folder / MODEL)
        digests = {"data_digest": "d", "split_digest": "s"}
        ruler = load_task(task)
        named = {"task": ruler.name, "task_version": ruler.version, "data": "phantom", **digests}
        recipe = Recipe(
            generator=part.text, loss="l1", plugins={}, steps=3, batch=2, patch=64,
            learning_rate=1e-3, **named,
        )  # fmt: skip
        result = Result(
            method=recipe.method, kind="network", recipe=recipe.hash, n_slices=1, n_patients=1,
            parameters=1, device="CPU", status="done", **named,
        )  # fmt: skip
        return Opened(folder, result, part, recipe, ruler)

    return make


def noisy(batch: int, height: int, width: int) -> np.ndarray:
    """Grey levels of a gentle slope under noise, float64."""
    draw = np.random.default_rng(height * width)
    return np.linspace(0, 255, width) + draw.normal(0, 50, (batch, height, width))


def through(model: bytes, given: np.ndarray) -> np.ndarray:
    session = InferenceSession(model, providers=["CPUExecutionProvider"])
    (output,) = session.run(["denoised"], {"noisy": given[:, None].astype(np.float32)})
    return output[:, 0]


def farthest(run: Opened, model: bytes, shape: tuple[int, int, int]) -> float:
    """Difference between a model and the evaluator, in [-1, 1]."""
    grey = noisy(*shape)
    generator = run.generator(torch.device("cpu"))
    expected = np.stack([denoise(generator, one, run.multiple) for one in grey])
    return float(np.abs(through(model, grey / 127.5 - 1) - (expected / 127.5 - 1)).max())


def test_every_generator_is_among_the_tiny_ones():
    texts = [getattr(text, "values", (text,))[0] for text in TINY + LARGER]
    tested = {text.partition("(")[0] for text in texts}
    assert tested == {card.name for card in find().of("generator")}


def slow(text):
    """Mark what may have a mark already."""
    marks = [*getattr(text, "marks", ()), pytest.mark.slow]
    return pytest.param(*getattr(text, "values", (text,)), marks=marks)


@pytest.mark.parametrize("text", [*TINY, *map(slow, LARGER)])
def test_a_generator_gives_the_same_in_onnxruntime_at_any_size_and_batch(opened, text):
    run = opened(text)
    exported = export(run)
    assert max(exported.differences.values()) <= ALLOWED
    for shape in ((1, 64, 64), (3, 65, 50), (2, 300, 257), (1, 512, 512)):
        # what is promised; the first two are reflected more than once to a multiple of 256
        assert farthest(run, exported.model, shape) <= 1e-4


def test_the_network_does_something_that_could_differ(opened):
    run = opened("nafnet(width=4, encoder=(1, 1), middle=1, decoder=(1, 1))")
    grey = noisy(1, 64, 64)
    output = denoise(run.generator(torch.device("cpu")), grey[0], run.multiple)
    assert np.abs(output - grey[0]).max() / 127.5 > 0.01


@pytest.mark.slow  # a gigabyte
def test_unet7_at_its_real_size_is_one_file(opened, tmp_path):
    run = opened("unet7")
    exported = export(run)
    path = tmp_path / "unet7.onnx"
    path.write_bytes(exported.model)
    # 54,407,809 numbers of four bytes, and a graph
    assert 217_631_236 < path.stat().st_size < 218_500_000
    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 1, "height", "width"]
    assert farthest(run, exported.model, (2, 300, 257)) <= 1e-4


def test_a_norm_over_a_slice_is_summed_in_double():
    make, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    node = onnx.helper.make_node("ReduceL2", ["x"], ["y"], keepdims=0)
    graph = onnx.helper.make_graph([node], "g", [make("x", kind, [None])], [make("y", kind, [])])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=10
    )
    x = np.random.default_rng(0).normal(0, 1, 512 * 512).astype(np.float32)
    exact = np.linalg.norm(x.astype(np.float64))

    def error() -> float:
        session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return abs(float(session.run(None, {"x": x})[0]) / exact - 1)

    before = error()
    sum_in_double(model.graph)
    # 1e-7: the answer is a float32; before, each of its additions was
    assert error() < 1e-7 < before


@pytest.fixture
def rough(tmp_path) -> Path:
    path = tmp_path / "rough.py"
    path.write_text(ROUGH)
    return path


def offset(opened, rough: Path, by: float) -> Opened:
    run = opened("offset", plugins=(rough,))
    return replace(run, part=replace(run.part, knobs={"by": by}))


def test_a_difference_to_torch_is_measured(opened, rough):
    found = export(offset(opened, rough, 0.9e-4)).differences
    # 1e-6: float32
    assert found == pytest.approx({(1, 512, 512): 0.9e-4, (2, 125, 133): 0.9e-4}, abs=1e-6)


@pytest.mark.parametrize("by", [1.2e-4, float("nan")])
def test_a_model_that_differs_by_more_than_is_allowed_is_refused(opened, rough, by):
    with pytest.raises(Unavailable, match=r"differs from torch's by .*more than 0.0001"):
        export(offset(opened, rough, by))


def test_a_network_without_a_graph_is_refused_with_torchs_reason(opened, rough):
    with pytest.raises(Unavailable, match=r"torch cannot export undecided: .*[Dd]ata-dependent"):
        export(opened("undecided", plugins=(rough,)))


def test_the_model_says_what_it_is(opened):
    run = opened("dncnn(depth=3, width=4)")
    model = onnx.load_from_string(export(run).model)
    onnx.checker.check_model(model, full_check=True)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told == {
        "run": "dncnn-l1-abc",
        "method": "dncnn(depth=3, width=4) · l1",
        "recipe": run.recipe.hash,
        "task": "ct-sigma50 v1",
        "window_hu": "[-160.0, 240.0]",
        "sigma_grey": "50",
        "sigma_hu": "78.4314",  # 50 × 400 / 255
        "units": "[-1, 1]",
        "multiple": "1",
        "opset": "18",
        "licence": "Apache-2.0",
        "use": "research; not for diagnosis",
        "denoisebench": __version__,
    }
    assert json.loads(told["window_hu"]) == [-160, 240]
    assert [(one.domain, one.version) for one in model.opset_import if one.domain == ""] == [
        ("", 18)
    ]
    assert "not for diagnosis" in model.doc_string
    (given,), (answer,) = model.graph.input, model.graph.output
    for value, name in ((given, "noisy"), (answer, "denoised")):
        assert value.name == name
        sides = value.type.tensor_type.shape.dim
        assert (sides[0].dim_param, sides[1].dim_value) == ("batch", 1)
    assert [side.dim_param for side in given.type.tensor_type.shape.dim[2:]] == ["height", "width"]


def test_a_model_names_no_place_of_this_machine(opened):
    model = export(opened("dncnn(depth=3, width=4)")).model
    assert b"dncnn" in model  # what is looked for would be seen
    for place in (str(Path(__file__).parents[3]), str(Path.home()), 'File "', ".py", "-packages"):
        assert place.encode() not in model, place


def hu_by_hand(run: Opened, hu: np.ndarray) -> np.ndarray:
    """What a model in HU should give: what it is shown, denoised, and put together in numpy."""
    window, nowhere = Window(run.task, run.task.sigma), np.zeros(hu.shape[1:], bool)
    grey = torch.from_numpy((hu + 160) * 255 / 400)[:, None]
    shown = InHU(lambda noisy: noisy, run.task).shown(grey)[:, 0].numpy()
    generator = run.generator(torch.device("cpu"))
    answers = [denoise(generator, one, run.multiple) for one in shown]
    merged = [window.merged(*pair) for pair in zip(hu, [nowhere] * len(hu), answers, strict=True)]
    return np.stack(merged)


@pytest.mark.parametrize("task", ["ct-sigma50", "ct-sigma50-hu8"])
def test_a_model_in_hu_gives_hu_and_keeps_what_is_far_from_the_window(opened, task):
    run = opened("dncnn(depth=3, width=4)", task)
    exported = export(run, hu=True)
    assert exported.metadata["units"] == "HU"
    hu = noisy(2, 70, 90) * 400 / 255 - 160
    hu[:, :20], hu[:, -5:] = -1000, 1500  # air, bone
    expected = hu_by_hand(run, hu)
    output = through(exported.model, hu)
    # 1e-4 of [-1, 1] is 0.02 HU
    assert np.abs(output - expected).max() <= 0.02
    assert np.array_equal(output[:, :20], hu[:, :20])
    assert np.array_equal(output[:, -5:], hu[:, -5:])
    assert not np.allclose(output[:, 30:60], hu[:, 30:60], atol=1)


def test_noise_near_an_end_of_the_window_is_not_clipped_for_a_model_in_hu(opened):
    # a network that changes nothing; fat of -100 HU under 78 HU of noise
    run = opened("dncnn(depth=2, width=1)")
    weights = run.generator(torch.device("cpu")).state_dict()
    state = {key: torch.zeros_like(value) for key, value in weights.items()}
    save_file(state, run.folder / MODEL)
    fat = np.random.default_rng(0).normal(-100, 78, (1, 128, 128))
    output = through(export(run, hu=True).model, fat)
    # 0.01 HU: float32; clipped at -160 HU its mean would be 10 HU higher
    assert abs(output.mean() - fat.mean()) < 0.01
    assert np.clip(fat, -160, 240).mean() - fat.mean() > 9
