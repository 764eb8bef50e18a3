"""DISTS; its value beside piq's: test_calibration.py."""

import pytest
import torch
from denoisebench.registry.metrics.dists import dists, l2_pooled

from denoisebench import Unavailable


@pytest.fixture
def dists_weights(machine_weights, lpips_weights):
    """Read the weights from the machine's own cache."""
    if not (machine_weights / "dists-heads.safetensors").is_file():
        pytest.skip("weights were not fetched: denoisebench weights fetch dists")


def test_equal_slices_are_at_distance_zero(overshooting, dists_weights):
    # 1e-7: the weights, and the sum that they are divided by, are summed in another order
    assert dists(overshooting[0], overshooting[0]).tolist() == pytest.approx([0.0] * 3, abs=1e-7)


def test_a_slices_distance_does_not_depend_on_the_batch_it_came_in(overshooting, dists_weights):
    output, target = overshooting
    alone = [float(dists(output[i : i + 1], target[i : i + 1])) for i in range(3)]
    # 1e-6: float32 convolutions of another batch size
    assert dists(output, target).tolist() == pytest.approx(alone, abs=1e-6)


def test_dists_forgives_another_texture_of_the_kind(dists_weights):
    random = torch.Generator().manual_seed(1)
    first, second = (128 + 40 * torch.randn(1, 1, 64, 64, generator=random) for _ in range(2))
    smooth = torch.full((1, 1, 64, 64), 128.0)
    assert dists(first, second) < 0.5 * dists(first, smooth)


def test_a_wrong_range_is_another_number(overshooting, dists_weights):
    output, target = overshooting
    assert (dists(output / 255, target / 255) - dists(output, target)).abs().max() > 0.01


def test_l2_pooling_halves_by_the_root_of_a_mean_of_squares():
    flat = torch.full((1, 2, 9, 9), 3.0)
    pooled = l2_pooled(flat, 2)
    assert pooled.shape == (1, 2, 5, 5)
    assert pooled[0, :, 1:4, 1:4].flatten().tolist() == pytest.approx([3.0] * 18)


def test_missing_weights_name_the_command_that_fetches_all_of_them(
    overshooting, tmp_path, monkeypatch
):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path))
    told = "weights dists-heads are missing: denoisebench weights fetch dists"
    with pytest.raises(Unavailable, match=told):
        dists(*overshooting)
