from functools import cache

import pytest
import torch
from denoisebench.registry.metrics.lpips import lpips
from denoisebench.registry.metrics.lpips_vgg import lpips_vgg
from torch import nn

from denoisebench import Unavailable, load_weights

NETWORKS = {"alex": (lpips, "lpips-alex"), "vgg": (lpips_vgg, "lpips-vgg")}


@pytest.fixture(params=NETWORKS)
def network(request):
    return request.param


@cache
def reference(network):
    """Return the package's network with its own linear heads and our backbone."""
    from denoisebench import compat

    compat.prepare()
    import lpips as package

    model = package.LPIPS(net=network, pnet_rand=True, verbose=False)
    tensors = load_weights(NETWORKS[network][1])
    layers = [layer for layer in model.net.modules() if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for index, layer in enumerate(layers):
            layer.weight.copy_(tensors[f"features.{index}.weight"])
            layer.bias.copy_(tensors[f"features.{index}.bias"])
    assert f"features.{len(layers)}.weight" not in tensors
    return model


def scores(model, output, target, to_network):
    with torch.no_grad():
        return model(*(to_network(g.float()).expand(-1, 3, -1, -1) for g in (output, target)))


def to_network(grey):
    return grey.clamp(0, 255) / 127.5 - 1


# torchvision's notices on how the package asks for an untrained backbone
@pytest.mark.filterwarnings("ignore:The parameter 'pretrained':UserWarning")
@pytest.mark.filterwarnings("ignore:Arguments other than a weight enum:UserWarning")
class TestAgainstThePackage:
    # 1e-5: float32 convolutions of another batch size; measured on CT: 4e-8

    def test_on_ct(self, network, ct_pair, lpips_weights):
        noisy, clean = (each[:2, :, 160:352, 160:352] for each in ct_pair)
        blurred = nn.functional.avg_pool2d(noisy, 5, stride=1, padding=2)
        model = reference(network)
        for output in (noisy, blurred):
            ours = NETWORKS[network][0](output, clean)
            theirs = scores(model, output, clean, to_network).flatten()
            assert ours.tolist() == pytest.approx(theirs.tolist(), abs=1e-5)

    def test_with_overshoot(self, network, overshooting, lpips_weights):
        ours = NETWORKS[network][0](*overshooting)
        theirs = scores(reference(network), *overshooting, to_network).flatten()
        assert ours.tolist() == pytest.approx(theirs.tolist(), abs=1e-5)

    def test_a_wrong_range_is_another_number(self, network, overshooting, lpips_weights):
        ours = NETWORKS[network][0](*overshooting)
        theirs = scores(reference(network), *overshooting, lambda g: g.clamp(0, 255) / 255)
        assert (ours - theirs.flatten()).abs().max() > 0.01

    def test_the_linear_heads_are_those_of_the_package(self, network, lpips_weights):
        tensors = load_weights(NETWORKS[network][1])
        for index, head in enumerate(reference(network).lins):
            assert torch.equal(head.model[-1].weight, tensors[f"heads.{index}.weight"])


def test_equal_slices_are_at_distance_zero(network, overshooting, lpips_weights):
    metric = NETWORKS[network][0]
    assert metric(overshooting[0], overshooting[0]).tolist() == [0.0] * 3


def test_a_slices_distance_does_not_depend_on_the_batch_it_came_in(
    network, overshooting, lpips_weights
):
    metric, (output, target) = NETWORKS[network][0], overshooting
    alone = [float(metric(output[i : i + 1], target[i : i + 1])) for i in range(3)]
    # 1e-6: float32 convolutions of another batch size
    assert metric(output, target).tolist() == pytest.approx(alone, abs=1e-6)


def test_missing_weights_name_the_command_that_fetches_them(
    network, overshooting, tmp_path, monkeypatch
):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path))
    metric, weights = NETWORKS[network]
    told = f"weights {weights} are missing: denoisebench weights fetch lpips"
    with pytest.raises(Unavailable, match=told):
        metric(*overshooting)
