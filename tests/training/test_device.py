import warnings

import numpy as np
import pytest
import torch
import torch._dynamo
import torch._inductor.config

from denoisebench.task import load_task
from denoisebench.training import device
from denoisebench.training.loop import train
from denoisebench.training.recipe import plan

TASK = load_task("ct-sigma50")
CPU = torch.device("cpu")
MEGABYTE = 2**20


@pytest.fixture
def watched():
    if not device.watch(CPU):
        pytest.skip("this system does not say how much memory a process has used")


def test_the_peak_holds_what_was_in_use_and_is_gone(watched):
    before = device.peak_memory(CPU)
    np.ones(200 * MEGABYTE, dtype=np.uint8)
    assert device.peak_memory(CPU) > before + 150 * MEGABYTE


def test_watching_again_forgets_what_was_before(watched):
    np.ones(400 * MEGABYTE, dtype=np.uint8)
    high = device.peak_memory(CPU)
    device.watch(CPU)
    assert device.peak_memory(CPU) < high - 200 * MEGABYTE


def trained(catalogue, dataset, folder, notes=(), **how):
    folder.mkdir()
    words = {"generator": "tiny", "discriminator": "tinycritic", "loss": "cgan+l1"}
    planned = plan(catalogue, **words, steps=6, batch=2, patch=16, learning_rate=1e-3)
    recipe = planned.recipe(TASK, dataset)
    found = train(recipe, dataset, TASK, catalogue, folder, device=CPU, note=notes.append, **how)
    return torch.cat([p.detach().flatten() for p in found.generator.parameters()])


def test_without_a_compiler_training_goes_on_with_a_note(catalogue, dataset, tmp_path, monkeypatch):
    torch._dynamo.reset()
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("/nonexistent",))
    notes = []
    plain = trained(catalogue, dataset, tmp_path / "plain", notes)
    with torch._inductor.config.patch(force_disable_caches=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has its own words for it
        fallen = trained(catalogue, dataset, tmp_path / "fallen", notes, speedup="compile")
    assert torch.equal(fallen, plain)
    assert len(notes) == 2  # the generator's and the critic's
    assert all("torch.compile did not work, training goes on without" in note for note in notes)
    assert all("compiler" in note for note in notes)  # for the reason that was meant


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own, of torch
def test_compiled_networks_train_the_same(catalogue, dataset, tmp_path):
    notes = []
    plain = trained(catalogue, dataset, tmp_path / "plain", notes)
    compiled = trained(catalogue, dataset, tmp_path / "compiled", notes, speedup="compile")
    assert not notes
    # Sums in another order, float32, six steps of Adam at a rate of 1e-3.
    assert (compiled - plain).abs().max() < 1e-4
    assert not torch.equal(compiled, plain)  # or nothing was compiled
