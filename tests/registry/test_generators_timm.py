"""unet_timm over encoders of several families; timm is imported once, after `compat.prepare`."""

import socket
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from denoisebench import UsageError, compat

# name, strides of its maps: a CNN, one that begins at a quarter of the size, one with depthwise
# convolutions, one with channels last, a transformer whose maps are all of one size
ENCODERS = {
    "resnet10t": [2, 4, 8, 16, 32],
    "convnext_atto": [4, 8, 16, 32],
    "mobilenetv3_small_050": [2, 4, 8, 16, 32],
    "mambaout_femto": [4, 8, 16, 32],
    "vit_tiny_patch16_224": [16, 16, 16],
}


@pytest.fixture(scope="module")
def file() -> ModuleType:
    compat.prepare()
    from denoisebench.registry.generators import unet_timm

    return unet_timm


def noisy(*shape: int) -> Tensor:
    torch.manual_seed(sum(shape))
    return torch.randn(*shape) * 0.7


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("encoder", ENCODERS)
def test_any_family_of_encoders_comes_back_to_full_resolution(file, encoder):
    torch.manual_seed(0)
    network = file.unet_timm(encoder=encoder, width=8)
    assert network.encoder.feature_info.reduction() == ENCODERS[encoder]
    assert network.channels_last == (encoder == "mambaout_femto")
    slice_ = noisy(2, 1, 32, 96)
    assert torch.equal(network(slice_), slice_)  # it starts as the identity
    sides = [network.channels_first(each).shape[2:] for each in network.encoder(slice_)]
    assert sides == [(32 // stride, 96 // stride) for stride in ENCODERS[encoder]]
    nn.init.normal_(network.tail.weight)
    for parameter in network.parameters():  # some encoders start a branch at zero
        parameter.data += 0.01 * torch.randn_like(parameter)
    output = network(slice_)
    assert output.shape == slice_.shape
    output.square().mean().backward()
    assert [name for name, p in network.named_parameters() if not p.grad.any()] == []


def test_resnet18_with_our_decoder_has_the_parameters_on_the_card(file):
    # torchvision's 11,689,512, less 1,000 classes, less two of three channels into 7 × 7 × 64
    encoder = 11_689_512 - (512 * 1000 + 1000) - 2 * 64 * 49

    def level(below, skipped, above):
        return 9 * (below + skipped) * above + 9 * above * above + 4 * above

    decoder = level(512, 256, 256) + level(256, 128, 256) + level(256, 64, 128)
    decoder += level(128, 64, 64) + level(64, 32, 32)
    stem, tail = 9 * 32 + 32, 9 * 32 + 1
    with torch.device("meta"):
        assert parameters(file.unet_timm()) == encoder + decoder + stem + tail == 15_708_065


def test_a_slice_of_any_sides_is_padded_to_the_encoders_stride(file):
    torch.manual_seed(0)
    network = file.unet_timm(encoder="mobilenetv3_small_050", width=8).eval()
    nn.init.normal_(network.tail.weight)
    slice_ = noisy(1, 1, 33, 50)
    with torch.no_grad():
        output = network(slice_)
        padded = network(pad(slice_, (0, 14, 0, 31), mode="replicate"))
    assert torch.equal(output, padded[..., :33, :50])


def test_nothing_is_downloaded(file, monkeypatch):
    def refuse(*_):
        raise AssertionError("it asks the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with torch.device("meta"):
        file.unet_timm(encoder="resnet10t")


@pytest.mark.parametrize(
    ("encoder", "told"),
    [
        ("resnet81", r"no model named 'resnet81'; nearest: resnet18, .* timm.list_models\(\)"),
        ("hf-hub:timm/resnet18", "no model named 'hf-hub:timm/resnet18'"),
        ("gmlp_ti16_224", "cannot use timm's 'gmlp_ti16_224': .*; try resnet18"),
    ],
)
def test_an_encoder_that_cannot_serve_is_named(file, encoder, told):
    with pytest.raises(UsageError, match=told):
        file.unet_timm(encoder=encoder)
