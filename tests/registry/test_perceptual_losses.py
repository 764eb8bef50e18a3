import pytest
import torch
from torch import nn

from denoisebench import Unavailable, UsageError, load_weights
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build

LOSSES = ("lpips", "lpips(network='alex')", "vgg", "vgg(layer='relu2_2')")


def made(text, kind="loss"):
    (part,) = resolve(text, kind, find())
    return build(part)


def images(side=48):
    """(output, target), float32, beyond [-1, 1] on both sides."""
    random = torch.Generator().manual_seed(3)
    target = torch.rand(2, 1, side, side, generator=random) * 2 - 1
    return target + 0.3 * torch.randn(2, 1, side, side, generator=random), target


@pytest.fixture(params=LOSSES)
def loss(request, lpips_weights):
    return made(request.param)


def test_a_perceptual_loss_is_zero_at_equality_with_a_finite_gradient(loss):
    for image in (images()[1], torch.full((1, 1, 48, 48), -1.0)):
        output = image.clone().requires_grad_()
        value = loss(output, image)
        value.backward()
        assert value == 0
        assert torch.isfinite(output.grad).all()


def test_a_perceptual_loss_falls_as_the_output_nears_the_target(loss):
    output, target = images()
    with torch.no_grad():
        values = [loss(target + share * (output - target), target) for share in (1, 0.5, 0.1, 0)]
    assert values == sorted(values, reverse=True)


def test_only_the_output_learns(loss, lpips_weights):
    output, target = images()
    output.requires_grad_()
    loss(output, target).backward()
    assert all(slice_.any() for slice_ in output.grad)
    # beyond the range too: what is clipped has no gradient
    assert output.grad[output.detach().abs() > 1.3].any()
    for name in ("lpips-alex", "lpips-vgg"):
        assert all(not t.requires_grad and t.grad is None for t in load_weights(name).values())


def test_a_perceptual_loss_is_computed_in_float32_under_autocast(loss):
    pair = images()
    with torch.no_grad():
        expected = loss(*pair)
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(*pair)
    assert value.dtype == torch.float32
    assert value == expected


def test_a_loss_trains_by_weights_that_a_metric_read_first(lpips_weights, monkeypatch):
    from denoisebench.scoring.weights import store

    store._checked.cache_clear()
    output, target = images()
    with torch.inference_mode():
        made("lpips_vgg", "metric")(output, target)
    loss = made("vgg")(output.requires_grad_(), target)
    loss.backward()
    assert output.grad.any()


@pytest.mark.parametrize(("network", "metric"), [("vgg", "lpips_vgg"), ("alex", "lpips")])
def test_the_lpips_loss_is_the_mean_of_the_metric(network, metric, lpips_weights):
    output, target = (image.clamp(-1, 1) for image in images())
    with torch.no_grad():
        value = made(f"lpips(network={network!r})")(output, target)
    expected = made(metric, "metric")((output + 1) * 127.5, (target + 1) * 127.5).mean()
    # 1e-6: [-1, 1] → grey levels → [-1, 1] rounds in float32
    assert float(value) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize(("layer", "name"), [("relu2_2", "8"), ("relu5_3", "29")])
def test_the_vgg_loss_is_piqs_content_loss(layer, name, lpips_weights):
    loss = made(f"vgg(layer={layer!r})")  # first: it makes torchvision importable
    import piq
    from torchvision.models.vgg import cfgs, make_layers

    network = make_layers(cfgs["D"])
    tensors = load_weights("lpips-vgg")
    with torch.no_grad():
        for index, conv in enumerate(m for m in network if isinstance(m, nn.Conv2d)):
            conv.weight.copy_(tensors[f"features.{index}.weight"])
            conv.bias.copy_(tensors[f"features.{index}.bias"])
        output, target = (image.clamp(-1, 1) for image in images())
        value = loss(output, target)
        rgb = [(image.expand(-1, 3, -1, -1) + 1) / 2 for image in (output, target)]
        theirs = piq.ContentLoss(network, layers=(name,), normalize_features=False)
        channels = tensors["features.3.weight" if layer == "relu2_2" else "features.12.weight"]
        # piq takes the sum over channels where the paper's formula and ours take the mean
        expected = theirs(*rgb) / len(channels)
    # 1e-5 relative: float32 convolutions in another order
    assert float(value) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("text", "side", "told"),
    [
        ("lpips", 15, "sides of at least 16, got 15 × 15"),
        ("lpips(network='alex')", 30, "sides of at least 31, got 30 × 30"),
        ("vgg", 15, "sides of at least 16, got 15 × 15"),
    ],
)
def test_a_patch_too_small_for_the_network_is_named(text, side, told, lpips_weights):
    with pytest.raises(UsageError, match=told):
        made(text)(*images(side))


@pytest.mark.parametrize("text", ["lpips", "vgg"])
def test_missing_weights_name_the_command_that_fetches_them(text, tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match="lpips-vgg are missing: denoisebench weights fetch"):
        made(text)(*images())
