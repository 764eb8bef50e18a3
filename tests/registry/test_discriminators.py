import pytest
import torch
from denoisebench.registry.discriminators.patch3 import patch3

from denoisebench import UsageError


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_patch3_has_the_parameters_of_pix2pix(norm):
    assert parameters(patch3(norm=norm)) == 2_764_609 == patch3.__denoisebench__[2]["parameters"]


def test_patch3_sees_patches_of_70_pixels():
    network = patch3(width=4, norm="none")
    image = torch.zeros(1, 1, 256, 256, requires_grad=True)
    network(image, image.detach())[0, 0, 15, 15].backward()
    rows, columns = image.grad[0, 0].nonzero().T
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == 70


def test_patch3_judges_the_image_beside_the_noisy_slice():
    torch.manual_seed(0)
    network = patch3(width=4)
    image, noisy = torch.randn(2, 2, 1, 64, 64)
    logits = network(image, noisy)
    assert logits.shape == (2, 1, 6, 6)
    assert not torch.allclose(logits, network(image, noisy.flip(3)))
    assert not torch.allclose(logits, network(image.flip(3), noisy))


def test_patch3_alone_takes_no_condition_and_ignores_one():
    network = patch3(width=4, condition=False)
    image = torch.randn(2, 1, 64, 64)
    assert torch.equal(network(image), network(image, image.flip(3)))


def test_patch3_asks_for_the_noisy_slice_it_was_built_for():
    with pytest.raises(UsageError, match=r"patch3\(condition=False\) judges the image alone"):
        patch3(width=4)(torch.randn(1, 1, 64, 64))


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_patch3_judges_24_pixels_and_refuses_fewer(norm):
    network = patch3(width=4, norm=norm).train()
    image = torch.randn(1, 1, 24, 24)
    assert network(image, image).shape == (1, 1, 1, 1)
    with pytest.raises(UsageError, match="sides of at least 24, got 16 × 24"):
        network(image[:, :, :16], image[:, :, :16])


def test_a_slices_logits_do_not_depend_on_the_batch_it_came_in():
    network = patch3(width=4).train()
    image, noisy = torch.randn(2, 3, 1, 64, 64)
    # 1e-5: kernels for another batch size sum in another order
    assert torch.allclose(network(image, noisy)[1:2], network(image[1:2], noisy[1:2]), atol=1e-5)
