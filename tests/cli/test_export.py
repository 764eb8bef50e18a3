"""denoisebench export, on a network trained for three steps, and its page followed as written."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pydicom
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
FAST = ("--batch", 2, "--patch", 32, "--steps", 3)
SHIFTED = '''
"""A network that is another one in a graph."""

import torch
from torch import nn

from denoisebench import generator


class Shifted(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, noisy):
        return noisy * self.scale + (1e-3 if torch.compiler.is_exporting() else 0)


@generator("shifted")
def shifted() -> nn.Module:
    """Differs by a thousandth."""
    return Shifted()
'''


@pytest.fixture
def trained(denoisebench, plugin, tiny_ct, tiny_task):
    """Train a tiny network; answer with its name."""

    def train(generator: str = "tiny", plugin: Path = plugin) -> str:
        words = ("--gen", generator, "--loss", "l1", *FAST, "--plugin", plugin, "--data", tiny_ct)
        answer = denoisebench("run", *words, "--task", tiny_task)
        assert answer.code == 0, answer.err
        return next(Path("runs").glob(f"{generator}-*")).name

    return train


@pytest.fixture
def export(denoisebench, plugin, tiny_task):
    def call(run: str, *more: object, plugin: Path = plugin):
        return denoisebench("export", run, "--task", tiny_task, "--plugin", plugin, *more)

    return call


def test_a_run_becomes_a_file_of_its_name_and_the_difference_to_torch_is_told(trained, export):
    run = trained()
    answer = export(run, "--onnx")
    assert answer.code == 0, answer.err
    path = Path(f"{run}.onnx")
    assert answer.out.startswith(f"{path}: {path.stat().st_size:,} bytes, ONNX opset 18\n")
    told = re.findall(r"(\d+) × 1 × (\d+) × (\d+): within (\S+) of torch", answer.out)
    assert [tuple(map(int, shape)) for *shape, _ in told] == [(1, 512, 512), (2, 125, 133)]
    assert all(float(value) <= 1e-4 for *_, value in told)
    assert "not for diagnosis" in answer.out
    assert sorted(Path().iterdir()) == [Path("runs"), path]
    session = onnxruntime.InferenceSession(str(path))
    assert session.get_modelmeta().custom_metadata_map["run"] == run


def test_json_says_all_of_it_and_a_file_is_replaced_only_when_told(trained, export):
    run = trained()
    path = Path("model.onnx")
    path.write_bytes(b"mine")
    answer = export(run, "--onnx", path)
    assert (answer.code, answer.out) == (2, "")
    assert "model.onnx is there already; --overwrite" in answer.err
    assert path.read_bytes() == b"mine"
    answer = export(run, "--onnx", path, "--overwrite", "--hu", "--json")
    found = json.loads(answer.out)
    assert found["bytes"] == path.stat().st_size
    assert found["metadata"]["units"] == "HU"
    assert [one["shape"] for one in found["differences"]] == [[1, 1, 512, 512], [2, 1, 125, 133]]
    assert max(one["largest"] for one in found["differences"]) <= 1e-4


def test_the_same_run_is_the_same_file_in_another_process(trained, export, plugin, tiny_task):
    run = trained()
    assert export(run, "--onnx", "here.onnx").code == 0
    words = ("export", run, "--onnx", "there.onnx", "--task", tiny_task, "--plugin", plugin)
    command = [sys.executable, "-m", "denoisebench", *map(str, words)]
    # another order of sets, and another place
    subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "7"}, check=True)
    assert Path("there.onnx").read_bytes() == Path("here.onnx").read_bytes()


def test_a_model_that_differs_from_torch_is_not_left_behind(trained, export, tmp_path):
    plugin = tmp_path / "shifted.py"
    plugin.write_text(SHIFTED)
    run = trained("shifted", plugin)
    Path("old.onnx").write_bytes(b"mine")
    answer = export(run, "--onnx", "old.onnx", "--overwrite", plugin=plugin)
    assert (answer.code, answer.out) == (1, "")
    assert re.search(r"differs from torch's by 0\.001 at .* more than 0\.0001", answer.err)
    assert answer.err.count("\n") == 1
    assert sorted(Path().iterdir()) == [Path("old.onnx"), Path("runs")]
    assert Path("old.onnx").read_bytes() == b"mine"


def test_a_baseline_has_no_network_to_export(denoisebench, tiny_ct, tiny_task, export):
    words = ("--baseline", "noisy", "--data", tiny_ct, "--task", tiny_task)
    assert denoisebench("run", *words).code == 0
    run = next(Path("runs").glob("noisy-*")).name
    answer = export(run, "--onnx")
    assert (answer.code, answer.out) == (2, "")
    assert "is a baseline's run; it has no network to export" in answer.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nothing", "--onnx"), "no run is called 'nothing'"),
        (("nothing",), "Missing option '--onnx'"),
        (("--onnx", "nothing"), "Missing argument 'RUN'"),
    ],
)
def test_mistakes_are_one_line(denoisebench, words, told):
    answer = denoisebench("export", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert told in answer.err


def test_a_place_that_is_none_is_told_before_the_work(trained, export):
    answer = export(trained(), "--onnx", "no/where/model.onnx")
    assert (answer.code, answer.out) == (2, "")
    assert "no folder 'no/where' for model.onnx; make it first" in answer.err


def test_without_the_extra_it_says_what_to_install(denoisebench, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    answer = denoisebench("export", "any", "--onnx")
    assert answer.code == 2
    assert "needs onnxruntime, not installed: pip install 'denoisebench[export]'" in answer.err


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_pages_script_denoises_a_dicom_slice(trained, export, tiny_ct):
    run = trained()
    assert export(run, "--onnx", "model.onnx", "--hu").code == 0
    dicom = next(tiny_ct.rglob("*.dcm"))
    Path("slice.dcm").write_bytes(dicom.read_bytes())
    hu = pydicom.dcmread(dicom).pixel_array  # slope 1, intercept 0
    script, *_ = blocks()
    assert len([line for line in script.splitlines() if line.strip()]) <= 12
    exec(compile(script, "export.md", "exec"), {})
    denoised = np.load("denoised.npy")
    assert (denoised.shape, denoised.dtype) == (hu.shape, np.float32)
    assert np.array_equal(denoised[hu == -1000], hu[hu == -1000])  # far from the window
    assert 0 < np.abs(denoised - hu).max() < 200  # what three steps make of it


def test_the_page_feeds_a_model_in_network_units_by_what_its_metadata_say(trained, export):
    run = trained()
    assert export(run, "--onnx", "model.onnx").code == 0
    assert export(run, "--onnx", "hu.onnx", "--hu").code == 0
    hu = np.random.default_rng(0).normal(40, 60, (50, 70)).astype(np.float32)
    names = {"onnxruntime": onnxruntime, "hu": hu, "np": np}
    exec(compile(blocks()[1], "export.md", "exec"), names)
    session = onnxruntime.InferenceSession("hu.onnx")
    other = session.run(None, {"noisy": hu[np.newaxis, np.newaxis]})[0][0, 0]
    # 0.01 HU: float32, mapped forth and back in another order
    assert np.abs(names["denoised"] - other).max() < 0.01
