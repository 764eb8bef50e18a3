"""The whole way on the phantom: a linear denoiser has the physics that theory says."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from denoisebench.data.dataset import DataSet
from denoisebench.errors import UsageError
from denoisebench.scoring.physics import noise
from denoisebench.scoring.physics.detect import d_prime
from denoisebench.scoring.physics.physics import SIDE, measure_run
from denoisebench.scoring.physics.tissue import bias
from denoisebench.scoring.physics.transfer import FREQUENCIES
from denoisebench.scoring.result import Finding, read_model

WIDTH, SIGMA_HU, PIXEL_MM = 1.5, 50 * 400 / 255, 0.8


def test_noise_is_that_of_blurred_white_noise(gaussian):
    found = gaussian[0].columns["noise"]
    # 3 %: some thousand independent grains
    assert found.mean == pytest.approx(SIGMA_HU / (2 * WIDTH * np.sqrt(np.pi)), rel=0.03)
    assert found.lo < found.mean < found.hi
    assert found.unit == "HU"


def test_sharpness_is_the_gaussians_at_every_contrast(gaussian):
    finding, _ = gaussian
    half = np.sqrt(np.log(2) / 2) / (np.pi * WIDTH) / PIXEL_MM
    for contrast in ("-100", "-40", "+40", "+100"):
        # 3 %: see test_transfer; a linear denoiser's noise drops out of the difference
        assert finding.columns[f"f50_{contrast}hu"].mean == pytest.approx(half, rel=0.03)
        curve = finding.curves[f"TTF {contrast} HU"]
        theory = np.exp(-2 * (np.pi * WIDTH * PIXEL_MM * np.array(curve.x)) ** 2)
        assert curve.y == pytest.approx(theory, abs=0.01)
    assert finding.columns["f50_+40hu"].unit == "1/mm"


def in_tiles() -> np.ndarray:
    """Return the noise power that theory says tiles of 32 pixels show, in HU² pixel².

    Transform of the Gaussian's autocovariance times the triangle of a tile's pairs: a tenth less
    than the power itself at frequency 0.
    """
    lag = np.arange(-SIDE + 1, SIDE)
    covariance = np.exp(-(lag**2) / (4 * WIDTH**2)) / np.sqrt(4 * np.pi * WIDTH**2)
    waves = np.cos(2 * np.pi * np.outer(np.arange(SIDE), lag) / SIDE)
    along = waves @ (covariance * (1 - np.abs(lag) / SIDE))
    return SIGMA_HU**2 * np.outer(along, along)


def test_the_noise_curve_is_in_hu_squared_millimetres_squared(gaussian):
    curve = gaussian[0].curves["NPS"]
    frequency, power = noise.radial(in_tiles())
    theory = np.interp(curve.x, frequency / PIXEL_MM, power * PIXEL_MM**2)
    # Frequency 0 is one entry of some eighty tiles: 11 %; the next ring has eight
    assert curve.y == pytest.approx(theory, abs=0.25 * theory[0])
    later = np.array(curve.x) > 1.5 / SIDE / PIXEL_MM
    assert np.array(curve.y)[later] == pytest.approx(theory[later], abs=0.06 * theory[0])
    assert curve.x_label.endswith("1/mm")
    assert "HU² mm²" in curve.y_label


def test_detectability_is_that_of_theory(gaussian):
    curve = np.exp(-2 * (np.pi * WIDTH * FREQUENCIES) ** 2)
    # 8 %: the noise at the few low frequencies that a disc consists of, from some eighty tiles
    theory = d_prime(in_tiles(), curve, 40.0)
    assert gaussian[0].columns["d_prime"].mean == pytest.approx(theory, rel=0.08)


def test_a_blur_darkens_bone_and_leaves_the_mean_of_soft_tissue(gaussian):
    finding, _ = gaussian
    assert finding.details["signed_bias_hu"]["bone"] < -10
    assert finding.columns["bias_bone"].mean > finding.columns["bias_soft"].mean
    assert finding.columns["bias_bone"].better == "lower"


def test_what_is_found_is_written_beside_the_result(gaussian):
    finding, folder = gaussian
    assert read_model(folder / "physics.json", Finding) == finding
    assert finding.recipe == "ab" * 32
    assert (folder / "physics.png").read_bytes()[:4] == b"\x89PNG"
    assert sorted(path.name for path in folder.iterdir()) == ["physics.json", "physics.png"]
    json.dumps(finding.model_dump(), allow_nan=False)


def test_the_noisy_slice_itself_is_white_and_sharp(opened, phantom):
    finding = measure_run(opened("noisy"), phantom, torch.device("cpu"), slices=2, seeds=2)
    # 4 %: two seeds, some ten tiles of 1024 pixels
    assert finding.columns["noise"].mean == pytest.approx(SIGMA_HU, rel=0.04)
    assert finding.columns["f50_+40hu"].mean == pytest.approx(0.5 / PIXEL_MM)
    assert finding.columns["bias_soft"].mean < 1


def test_without_spacing_frequencies_are_per_pixel(opened, phantom):
    nowhere = DataSet(
        "nowhere",
        *(tuple(replace(one, spacing_mm=(float("nan"),) * 2) for one in phantom.slices(name))
          for name in ("train", "val", "test")),
    )  # fmt: skip
    run = opened("gaussian(width=1.5)", nowhere)
    finding = measure_run(run, nowhere, torch.device("cpu"), slices=1, seeds=2)
    assert finding.columns["f50_+40hu"].unit == "1/pixel"
    half = np.sqrt(np.log(2) / 2) / (np.pi * WIDTH)
    assert finding.columns["f50_+40hu"].mean == pytest.approx(half, rel=0.03)  # as above
    assert finding.columns["f50_+40hu"].lo is None  # one patient


def test_slices_without_room_are_refused_before_anything_is_written(opened, phantom):
    air = DataSet(
        "air",
        *(tuple(replace(one, hu=np.full_like(one.hu, -1000 + i)) for i, one in enumerate(
            phantom.slices(name))) for name in ("train", "val", "test")),
    )  # fmt: skip
    run = opened("noisy", air)
    with pytest.raises(UsageError, match="no even soft tissue"):
        measure_run(run, air, torch.device("cpu"))
    with pytest.raises(UsageError, match="other pixels"):
        measure_run(run, phantom, torch.device("cpu"))
    assert list(run.folder.iterdir()) == []


def test_bias_is_signed_and_needs_enough_of_the_tissue():
    hu = np.full((20, 20), 40, dtype=np.int16)
    hu[:, :10] = -100
    error = np.where(hu == 40, 3.0, -2.0)
    assert bias(error, hu, "soft") == 3
    assert bias(error, hu, "fat") == -2
    assert bias(error, hu, "bone") is None
