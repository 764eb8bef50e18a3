"""The same training on CUDA."""

import numpy as np
import pytest
import torch

from denoisebench.data.batches import Batches
from denoisebench.data.patches import crops
from denoisebench.data.resident import Resident, fits
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.load import build
from denoisebench.task import load_task
from denoisebench.task.noise import fresh_noise
from denoisebench.training import log
from denoisebench.training.inference import denoise
from denoisebench.training.loop import train
from denoisebench.training.recipe import plan

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
CUDA = torch.device("cuda")
TASK = load_task("ct-sigma50")


def test_a_gan_trains_in_bf16_and_resumes(catalogue, dataset, tmp_path):
    choices = {"steps": 8, "batch": 2, "patch": 16, "learning_rate": 1e-3}
    planned = plan(
        catalogue, generator="tiny", discriminator="tinycritic", loss="cgan+l1", **choices
    )
    recipe, asked = planned.recipe(TASK, dataset), iter(range(99))
    first = train(recipe, dataset, TASK, catalogue, tmp_path, device=CUDA,
                  stopping=lambda: next(asked) == 4)  # fmt: skip
    assert (first.status, first.steps) == ("interrupted", 4)
    second = train(recipe, dataset, TASK, catalogue, tmp_path, device=CUDA, resume=True)
    assert second.status == "done"
    assert all(torch.isfinite(p).all() and p.is_cuda for p in second.generator.parameters())


@pytest.mark.parametrize("how", ["compile", "graphs"])
def test_what_is_compiled_trains_and_says_nothing(catalogue, dataset, tmp_path, how):
    choices = {"steps": 20, "batch": 2, "patch": 16, "learning_rate": 1e-3}
    planned = plan(
        catalogue, generator="tiny", discriminator="tinycritic", loss="cgan+l1", **choices
    )
    recipe, notes, losses = planned.recipe(TASK, dataset), [], []
    for each in ("none", how):
        folder = tmp_path / each
        folder.mkdir()
        train(recipe, dataset, TASK, catalogue, folder, device=CUDA, speedup=each,
              note=notes.append)  # fmt: skip
        losses.append(log.read(folder / "log.jsonl")[-1].losses["l1"])
    assert not notes
    assert losses[1] == pytest.approx(losses[0], rel=0.05)  # bf16, after twenty steps


def test_crops_are_cut_on_the_device_bit_for_bit(dataset):
    assert fits(dataset.train, 16, CUDA)
    resident = Resident(dataset.train, TASK, 16, CUDA)
    for step in range(10):
        here = crops(dataset.train, TASK, seed=3, step=step, batch=4, patch=16)
        assert np.array_equal(resident.crops(3, step, 4).cpu().numpy(), here)


@pytest.mark.parametrize("resident", [True, False])
def test_a_batch_is_the_same_wherever_its_slices_are_kept(dataset, monkeypatch, resident):
    facts = {"seed": 1, "batch": 4, "patch": 16, "device": CUDA}
    expected = [Batches(dataset.train, TASK, **facts)[step] for step in (3, 4)]
    monkeypatch.setattr("denoisebench.data.batches.fits", lambda slices, patch, device: resident)
    batches = Batches(dataset.train, TASK, **facts)
    for step, pair in zip((3, 4), expected, strict=True):
        found = batches[step]
        batches.begin(step + 1)
        assert all(map(torch.equal, found, pair))


def test_a_slice_is_denoised_alike_on_both_devices(catalogue):
    torch.manual_seed(0)
    network = build(resolve("resunet", "generator", catalogue)[0]).eval()
    noisy = np.random.default_rng(0).normal(100, 50, (64, 64))
    here = denoise(network, noisy, 16)
    there = denoise(network.to(CUDA), noisy, 16)
    # Grey levels of 255; float32, and sums in another order.
    assert there == pytest.approx(here, abs=1e-2)


def test_training_noise_is_drawn_on_the_device_from_its_seed():
    clean = torch.zeros(2, 1, 64, 64, device=CUDA)
    draws = [fresh_noise(TASK, clean, torch.Generator(CUDA).manual_seed(s)) for s in (1, 1, 2)]
    assert draws[0].is_cuda
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    # 8,192 values: the spread's standard error is 0.4.
    assert draws[0].std().item() == pytest.approx(50, abs=2)
