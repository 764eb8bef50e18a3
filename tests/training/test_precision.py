"""Training in bfloat16: networks multiply in it, everything else stays in float32."""

import pytest
import torch

from denoisebench.errors import UsageError
from denoisebench.fleet.grid import Sweep, expand
from denoisebench.task import load_task
from denoisebench.training import checkpoint
from denoisebench.training.device import autocast
from denoisebench.training.loop import train
from denoisebench.training.recipe import plan

CPU = torch.device("cpu")
TASK = load_task("ct-sigma50")
GAN = {"generator": "tiny", "discriminator": "tinycritic", "loss": "cgan + 1*l1", "steps": 6,
       "batch": 2, "patch": 16, "learning_rate": 1e-3}  # fmt: skip


@pytest.fixture
def trained(catalogue, dataset, tmp_path):
    """Train in a precision; return the checkpoint's state."""

    def trained(name, precision, **where):
        recipe = plan(catalogue, **GAN, precision=precision).recipe(TASK, dataset)
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        train(recipe, dataset, TASK, catalogue, folder, device=CPU, **where)
        return checkpoint.load(folder / "checkpoint.pt", CPU)

    return trained


@pytest.mark.parametrize(
    ("precision", "multiplied"),
    [(None, torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)],
)
def test_a_cpu_takes_it_when_told(precision, multiplied):
    with autocast(CPU, precision):
        assert torch.nn.Conv2d(1, 1, 3)(torch.zeros(1, 1, 8, 8)).dtype == multiplied


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(
    ("precision", "multiplied"),
    [(None, torch.bfloat16), ("bfloat16", torch.bfloat16), ("float32", torch.float32)],
)
def test_a_gpu_takes_it_unless_told(precision, multiplied):
    device = torch.device("cuda")
    with autocast(device, precision):
        image = torch.zeros(1, 1, 8, 8, device=device)
        assert torch.nn.Conv2d(1, 1, 3, device=device)(image).dtype == multiplied


def test_weights_and_moments_stay_in_float32_and_move_elsewhere(trained):
    half, whole = trained("half", "bfloat16"), trained("whole", "float32")
    for name in ("generator", "averaged", "critic"):
        for key, value in half[name].items():
            assert value.dtype == whole[name][key].dtype != torch.bfloat16
            # Rounded to 8 bits: near, and not the same.
            assert torch.allclose(value, whole[name][key], atol=0.02)
        assert not all(torch.equal(half[name][key], whole[name][key]) for key in half[name])
    for state in half["optimisers"]:
        for moments in state["state"].values():
            assert moments["exp_avg"].dtype == torch.float32


def test_without_a_word_a_cpu_trains_in_float32(trained):
    default, told = trained("default", None), trained("told", "float32")
    assert all(
        torch.equal(default["generator"][key], told["generator"][key]) for key in told["generator"]
    )


def test_it_resumes_with_the_same_bits(trained):
    whole = trained("whole", "bfloat16")
    asked = iter(range(100))
    first = trained("parts", "bfloat16", stopping=lambda: next(asked) >= 3)
    assert first["step"] == 3
    parts = trained("parts", "bfloat16", resume=True)
    for name in ("generator", "averaged", "critic"):
        assert all(torch.equal(parts[name][key], whole[name][key]) for key in whole[name])


def test_it_is_part_of_the_recipe_and_of_its_twin(catalogue, dataset):
    told, silent = (
        plan(catalogue, **GAN, precision=value).recipe(TASK, dataset)
        for value in ("bfloat16", None)
    )
    assert told.hash != silent.hash
    assert "precision" not in silent.model_dump(exclude_none=True)
    assert told.twin == plan(catalogue, **GAN, precision="bfloat16").twin.recipe(TASK, dataset).hash
    assert told.twin != silent.twin
    with pytest.raises(UsageError, match="precision"):
        plan(catalogue, **GAN, precision="float16")


def test_in_a_grid_it_holds_for_each_combination(catalogue):
    sweep = Sweep(gen="tiny", loss="l1, cgan + l1", disc="tinycritic", steps=4, patch=16,
                  precision="bfloat16")  # fmt: skip
    assert [each.settings.precision for each in expand(sweep, catalogue)] == ["bfloat16"] * 2
