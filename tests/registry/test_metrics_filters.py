"""The filters and convolutions that metrics are made of, beside plain ones."""

import numpy as np
import pytest
import torch
from denoisebench.registry.metrics import _winograd
from denoisebench.registry.metrics._features import ALEXNET, features, standardising
from denoisebench.registry.metrics._smooth import gaussian, smooth
from denoisebench.registry.metrics._winograd import convolved, winograd
from scipy.ndimage import correlate1d
from torch.nn.functional import conv2d


@pytest.mark.parametrize("window", [3, 11])
def test_a_smoothed_image_is_scipys_where_the_window_fits(window):
    image, taps = np.random.default_rng(0).uniform(0, 255, (2, 40, 30)), gaussian(window, 1.5)
    both = correlate1d(correlate1d(image, taps, axis=1), taps, axis=2)
    half = window // 2
    # 1e-11 of 255: float64 sums in another order
    assert smooth(torch.from_numpy(image), taps).numpy() == pytest.approx(
        both[:, half:-half, half:-half], abs=1e-11
    )


def test_a_gaussians_taps_are_symmetric_and_add_to_one():
    taps = gaussian(11, 1.5)
    assert taps == taps[::-1]
    assert sum(taps) == pytest.approx(1, abs=1e-15)  # rounding of eleven
    assert taps[5] / taps[6] == pytest.approx(np.exp(1 / (2 * 1.5**2)))


def layer(channels, outputs, height, width):
    torch.manual_seed(height)
    image = torch.randn(2, channels, height, width)
    kernel = torch.randn(outputs, channels, 3, 3) / (9 * channels) ** 0.5
    return image, kernel, torch.randn(outputs)


@pytest.mark.parametrize(("height", "width"), [(31, 31), (8, 12), (1, 1), (6, 5)])
def test_winograds_convolution_is_the_plain_one(height, width):
    given = layer(128, 140, height, width)
    exact = conv2d(*(each.double() for each in given), padding=1)
    # 1e-4 of outputs around 1: float32, whose transforms multiply by up to 8; mean 1e-5
    apart = (winograd(*given) - exact).abs()
    assert apart.max() < 1e-4
    assert apart.mean() < 1e-5


def test_another_transform_would_be_seen(monkeypatch):
    """The control of the test above: one number of 24 is wrong."""
    given, wrong = layer(128, 140, 31, 31), _winograd.OUTPUT.clone()
    wrong[3, 3] = 7
    monkeypatch.setattr(_winograd, "OUTPUT", wrong)
    assert (winograd(*given) - conv2d(*given, padding=1)).abs().max() > 1e-2


def test_winograd_is_for_many_channels_without_gradients(monkeypatch):
    calls = []
    monkeypatch.setattr(_winograd, "winograd", lambda image, *_: calls.append(image.shape[1]))
    with torch.no_grad():
        convolved(*layer(128, 128, 8, 8), 1, 1)
        convolved(*layer(64, 128, 8, 8), 1, 1)
        convolved(*layer(128, 128, 8, 8), 2, 1)
    convolved(*layer(256, 256, 8, 8), 1, 1)
    assert calls == [128]


def test_standardising_is_folded_into_the_first_kernel_also_at_the_border():
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    grey, kernel = torch.rand(2, 1, 20, 20).double(), torch.randn(4, 3, 5, 5).double()
    shift, scale = (torch.tensor(each).double().view(3, 1, 1) for each in (mean, deviation))
    plain = conv2d((grey.expand(-1, 3, -1, -1) - shift) / scale, kernel, padding=2)
    image = torch.cat([grey, torch.ones_like(grey)], dim=1)
    folded = conv2d(image, standardising(kernel, mean, deviation), padding=2)
    # 1e-5: mean and deviation are given in float32
    assert (folded - plain).abs().max() < 1e-5
    lone = conv2d(
        image * torch.tensor([1.0, 0.0]).view(2, 1, 1),
        standardising(kernel, mean, deviation),
        padding=2,
    )
    assert (lone - plain).abs().max() > 1  # the control: without the ones


def test_features_without_gradients_are_those_with_them():
    torch.manual_seed(0)
    sizes = [(64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3)]
    tensors = {}
    for index, (outputs, inputs, side) in enumerate(sizes):
        kernel = torch.randn(outputs, inputs, side, side) * (2 / (inputs * side**2)) ** 0.5
        tensors |= {
            f"features.{index}.weight": kernel,
            f"features.{index}.bias": torch.zeros(outputs),
        }
    image = torch.rand(2, 1, 95, 127)
    with torch.no_grad():
        fast = list(features(image, tensors, ALEXNET, (0.0,) * 3, (1.0,) * 3))
    plain = features(image.requires_grad_(), tensors, ALEXNET, (0.0,) * 3, (1.0,) * 3)
    for first, second in zip(fast, plain, strict=True):
        # 1e-4 of values around 1: float32 sums in another order
        assert (first - second).abs().max() < 1e-4 * second.abs().max()
