import pytest
import torch
from denoisebench.registry.discriminators._patch import bounded
from denoisebench.registry.discriminators.multiscale import halved, multiscale
from denoisebench.registry.discriminators.patch3 import patch3
from denoisebench.registry.discriminators.patch3_sn import patch3_sn
from denoisebench.registry.discriminators.patchn import patchn
from denoisebench.registry.discriminators.pixel import pixel
from denoisebench.registry.discriminators.unet_critic import sobel, unet_critic
from torch import nn

from denoisebench import UsageError

ALL = [patch3, patch3_sn, patchn, pixel, multiscale, unet_critic]
every_critic = pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_patch3_has_the_parameters_of_pix2pix(norm):
    assert parameters(patch3(norm=norm)) == 2_764_609 == patch3.__denoisebench__[2]["parameters"]


def test_critics_of_one_stack_have_the_parameters_of_patch3():
    assert parameters(patchn(layers=3)) == 2_764_609
    assert parameters(multiscale()) == 3 * 2_764_609
    # a bias for each of three layers' filters in place of a scale and a shift
    assert parameters(patch3_sn()) == 2_764_609 - (128 + 256 + 512)


@pytest.mark.parametrize(("layers", "side"), [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286)])
def test_patchn_sees_patches_of_the_papers_sizes(layers, side):
    network = patchn(layers=layers, width=1, norm="none")
    length = 2 ** (layers + 1) * 10
    image = torch.zeros(1, 1, length, length, requires_grad=True)
    logits = network(image, image.detach())
    middle = logits.shape[2] // 2
    logits[0, 0, middle, middle].backward()
    rows, columns = image.grad[0, 0].nonzero().T
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == side


@every_critic
def test_a_critic_judges_the_image_beside_the_noisy_slice(make):
    torch.manual_seed(0)
    network = make(width=4).eval()
    image, noisy = torch.randn(2, 2, 1, 64, 64)
    logits = network(image, noisy)
    assert logits.shape[0] == 2
    assert not torch.allclose(logits, network(image, noisy.flip(3)))
    assert not torch.allclose(logits, network(image.flip(3), noisy))


@every_critic
def test_a_critic_of_images_alone_takes_no_condition_and_ignores_one(make):
    network = make(width=4, condition=False).eval()
    image = torch.randn(2, 1, 64, 64)
    assert torch.equal(network(image), network(image, image.flip(3)))


@every_critic
def test_a_critic_asks_for_the_noisy_slice_it_was_built_for(make):
    message = rf"{make.__name__}\(condition=False\) judges the image alone"
    with pytest.raises(UsageError, match=message):
        make(width=4)(torch.randn(1, 1, 64, 64))


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_patch3_judges_24_pixels_and_refuses_fewer(norm):
    network = patch3(width=4, norm=norm).train()
    image = torch.randn(1, 1, 24, 24)
    assert network(image, image).shape == (1, 1, 1, 1)
    with pytest.raises(UsageError, match="patch3 needs sides of at least 24, got 16 × 24"):
        network(image[:, :, :16], image[:, :, :16])


@pytest.mark.parametrize(
    ("make", "knobs", "smallest"),
    [
        (patchn, {"layers": 1}, 6),
        (patchn, {"layers": 4}, 48),
        (patch3_sn, {}, 24),
        (multiscale, {"scales": 3}, 8),
        (multiscale, {"scales": 2}, 4),
        (unet_critic, {"levels": 3}, 8),
        (unet_critic, {"levels": 1}, 2),
    ],
)
def test_a_critic_judges_its_smallest_slice_and_names_it_to_a_smaller(make, knobs, smallest):
    network = make(width=2, **knobs).train()
    image = torch.randn(2, 1, smallest, smallest)
    assert torch.isfinite(network(image, image)).all()
    with pytest.raises(UsageError, match=f"sides of at least {smallest}, got .* larger --patch"):
        network(image[:, :, 1:], image[:, :, 1:])


@pytest.mark.parametrize(
    ("make", "knobs", "message"),
    [
        (patch3, {"norm": "layer"}, "no norm named 'layer'; one of: instance, batch, none"),
        (pixel, {"norm": "layer"}, "no norm named 'layer'"),
        (patch3_sn, {"width": 0}, "patch3_sn needs a width of at least 1, got 0"),
        (unet_critic, {"width": -1}, "unet_critic needs a width of at least 1"),
        (patchn, {"layers": 0}, "1 to 6 layers, got 0; pixel judges each pixel by itself"),
        (patchn, {"layers": 7}, "1 to 6 layers, got 7"),
        (multiscale, {"scales": 6}, "1 to 5 scales, got 6"),
        (unet_critic, {"levels": 7}, "1 to 6 levels, got 7"),
    ],
)
def test_a_critic_names_the_knob_that_makes_no_sense(make, knobs, message):
    with pytest.raises(UsageError, match=message):
        make(**knobs)


def test_a_slices_logits_do_not_depend_on_the_batch_it_came_in():
    network = patch3(width=4).train()
    image, noisy = torch.randn(2, 3, 1, 64, 64)
    # 1e-5: kernels for another batch size sum in another order
    assert torch.allclose(network(image, noisy)[1:2], network(image[1:2], noisy[1:2]), atol=1e-5)


def layers(network):
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


@pytest.mark.parametrize("make", [patch3_sn, unet_critic])
def test_spectral_norm_leaves_no_layer_a_singular_value_above_one(make):
    torch.manual_seed(0)
    network = make(width=4).train()
    image = torch.randn(1, 1, 24, 24)
    with torch.no_grad():
        for _ in range(30):
            network(image, image)
        weights = [layer.weight.flatten(1) for layer in layers(network.eval())]
        largest = [float(torch.linalg.matrix_norm(weight, 2)) for weight in weights]
    # 2 %: the power iteration is slow where the two largest values are close
    assert all(1 - 1e-5 < value < 1.02 for value in largest), largest


def test_spectral_norm_moves_its_vectors_in_training_only():
    network = bounded(nn.Sequential(nn.Conv2d(1, 4, 3)))
    image = torch.randn(1, 1, 8, 8)
    states = [{k: v.clone() for k, v in network.state_dict().items()}]
    for training in (True, False):
        network.train(training)(image)
        states.append({k: v.clone() for k, v in network.state_dict().items()})
    moved = [name for name in states[0] if not torch.equal(states[0][name], states[1][name])]
    assert sorted(name.rpartition(".")[2] for name in moved) == ["_u", "_v"]
    assert all(torch.equal(states[1][name], states[2][name]) for name in states[0])


def test_pixel_without_a_norm_judges_each_pixel_by_itself():
    network = pixel(width=4, norm="none")
    image = torch.zeros(1, 1, 8, 8, requires_grad=True)
    network(image, image.detach())[0, 0, 3, 5].backward()
    assert image.grad[0, 0].nonzero().tolist() == [[3, 5]]


def shares(network, biases, side=64):
    """Of each head in the mean of all logits: what its last bias moves it by."""
    image = torch.randn(1, 1, side, side)
    mean = network(image, image).mean()
    return [float(share) for share in torch.autograd.grad(mean, biases)]


@pytest.mark.parametrize("side", [64, 75])
def test_the_critics_of_a_pyramid_weigh_the_same(side):
    network = multiscale(width=2)
    biases = [critic.layers[-1].bias for critic in network.critics]
    # 1e-5: a float32 sum of some hundred equal terms
    assert shares(network, biases, side) == pytest.approx([1 / 3] * 3, abs=1e-5)


@pytest.mark.parametrize("side", [64, 75])
def test_the_logits_of_a_coarse_map_are_repeated_evenly(side):
    network = multiscale(width=2)
    image = torch.randn(1, 1, side, side)
    for head in network(image, image)[0].detach():
        counts = torch.unique(head, return_counts=True)[1]
        assert counts.max() - counts.min() <= 1


def test_each_critic_of_a_pyramid_sees_half_of_the_one_before():
    network = multiscale(width=2, norm="none").eval()
    image, noisy = torch.randn(2, 1, 1, 64, 64)
    heads = network(image, noisy)[0]
    for critic, head in zip(network.critics, heads, strict=True):
        assert torch.equal(torch.unique(critic(image, noisy)), torch.unique(head))
        image, noisy = halved(image), halved(noisy)
    assert image.shape[2] == 8


def test_the_four_heads_of_the_unet_weigh_the_same():
    network = unet_critic(width=2, levels=2)
    heads = (network.image.whole, network.image.each, network.gradient.whole, network.gradient.each)
    # 1e-4: a float32 sum of 4,096 equal terms
    assert shares(network, [head.bias for head in heads]) == pytest.approx([0.25] * 4, abs=1e-4)


def test_the_unet_judges_slice_and_pixels_in_image_and_gradient():
    torch.manual_seed(0)
    network = unet_critic(width=2, levels=3).eval()
    image, noisy = torch.randn(2, 1, 1, 33, 47)
    logits = network(image, noisy)[0]
    assert logits.shape == (4, 33 * 47)
    assert [len(torch.unique(head)) == 1 for head in logits] == [True, False, True, False]
    brighter = network(image + 1, noisy + 1)[0]
    # 1e-4: a gradient forgets a constant, up to float32's rounding of the sum
    assert torch.allclose(logits[2:], brighter[2:], atol=1e-4)
    assert not torch.allclose(logits[:2], brighter[:2], atol=1e-3)


def test_the_gradient_is_kornias_sobel():
    from kornia.filters import sobel as reference

    image = torch.randn(2, 2, 9, 13, dtype=torch.float64)
    # 1e-12: float64 sums of six terms
    assert torch.allclose(sobel(image), reference(image), rtol=0, atol=1e-12)
