import pytest
import torch
from denoisebench.registry.generators._unet import upsampling
from denoisebench.registry.generators.dncnn import dncnn
from denoisebench.registry.generators.resunet import resunet
from denoisebench.registry.generators.unet6 import unet6
from denoisebench.registry.generators.unet7 import unet7
from torch import Tensor, nn

from denoisebench import UsageError

AFFINE_NORMS = ("group", "instance", "batch")


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def noisy(batch: int, height: int, width: int) -> Tensor:
    torch.manual_seed(height + width)
    return torch.randn(batch, 1, height, width) * 0.7


@pytest.mark.parametrize("norm", AFFINE_NORMS)
def test_unet7_has_the_parameters_of_pix2pix_with_every_affine_norm(norm):
    with torch.device("meta"):
        assert parameters(unet7(norm=norm)) == 54_407_809


@pytest.mark.parametrize("norm", AFFINE_NORMS)
def test_unet6_has_one_level_less(norm):
    # its bottleneck (two 512-512 convolutions, two norms) and the wider input of one decoder block
    fewer = 2 * 512 * 512 * 16 + 2 * 1024 + 512 * 512 * 16
    with torch.device("meta"):
        assert parameters(unet6(norm=norm)) == 41_822_849 == 54_407_809 - fewer


def test_resizing_takes_nine_weights_where_the_transposed_convolution_takes_sixteen():
    # in × out of unet7's decoder: innermost, three dropped levels, 256, 128, 64 and the slice
    pairs = 512 * 512 + 3 * 1024 * 512 + 1024 * 256 + 512 * 128 + 256 * 64 + 128 * 1
    with torch.device("meta"):
        assert parameters(unet7(upsample="resize")) == 39_153_409 == 54_407_809 - 7 * pairs


def test_a_full_stem_adds_one_level_to_unet7():
    # the stem, 63 maps more into the first block, 63 more out of the last with norm for a bias,
    # and the last convolution
    more = (9 * 64 + 64) + 63 * 64 * 16 + (128 * 63 * 16 + 128 - 1) + (128 * 9 + 1)
    with torch.device("meta"):
        assert parameters(unet7(stem="full")) == 54_603_265 == 54_407_809 + more


def test_dncnn_has_the_parameters_of_its_authors_training_code():
    # 640 (first, bias) + 15 x (36,864 without bias + 128 of the norm) + 576 (last, no bias)
    assert parameters(dncnn()) == 556_096 == 640 + 15 * (36_864 + 128) + 576


@pytest.mark.parametrize("network", [unet7, unet6, resunet, dncnn])
def test_the_card_counts_right(network):
    with torch.device("meta"):
        assert parameters(network()) == network.__denoisebench__[2]["parameters"]


@pytest.mark.parametrize("norm", [*AFFINE_NORMS, "none"])
def test_unet7_trains_on_one_slice_of_256_whose_deepest_map_is_one_pixel(norm):
    network = unet7(width=8, norm=norm).train()
    network(noisy(1, 256, 256)).square().mean().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


@pytest.mark.parametrize("upsample", ["transpose", "resize"])
@pytest.mark.parametrize("stem", ["none", "full"])
def test_unet7_trains_with_either_way_up_and_either_stem(upsample, stem):
    network = unet7(width=8, upsample=upsample, stem=stem).train()
    output = network(noisy(1, 256, 512))
    assert output.shape == (1, 1, 256, 512)
    output.square().mean().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


def test_a_resized_map_has_no_checkerboard():
    torch.manual_seed(0)
    flat = torch.ones(1, 4, 8, 8)
    with torch.no_grad():
        resized, transposed = (
            upsampling(name, 4, 3, bias=True)(flat)[..., 2:-2, 2:-2]  # beyond the padding
            for name in ("resize", "transpose")
        )
    assert resized.shape == transposed.shape
    # 1e-6: float32 sums of 36 numbers around 0.2
    assert resized.std(dim=(2, 3)).max() < 1e-6
    assert transposed.std(dim=(2, 3)).max() > 0.01


def test_a_full_stem_sees_the_slice_without_a_stride():
    torch.manual_seed(0)
    network = unet7(width=4, norm="none", stem="full").double().eval()
    nn.init.zeros_(network.decoder[0][1].weight)  # nothing comes up from the strided levels
    slice_ = noisy(1, 256, 256).double()
    touched = slice_.clone()
    touched[..., 100, 101] += 1
    with torch.no_grad():
        changed = (network(touched) - network(slice_))[0, 0].nonzero()
    # two 3 × 3 convolutions reach two pixels
    assert changed.amin(0).tolist() == [98, 99]
    assert changed.amax(0).tolist() == [102, 103]


@pytest.mark.parametrize("stem", ["none", "full"])
def test_dropout_stands_in_three_blocks_of_unet7_and_two_of_unet6(stem):
    for make, count in ((unet7, 3), (unet6, 2)):
        network = make(width=8, dropout=0.5, stem=stem)
        rates = [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)]
        assert sorted(rates, reverse=True) == [0.5] * count + [0.0] * (len(rates) - count)
        # the innermost block has none, those next to it have
        assert [block[3].p for block in reversed(network.decoder)][: count + 1] == [0] + [
            0.5
        ] * count


def test_a_unet_has_no_norm_outermost_and_innermost_and_one_bias():
    network = unet7(width=8, norm="batch")
    normed = [isinstance(block[2], nn.BatchNorm2d) for block in network.encoder]
    assert normed == [False] + [True] * 6 + [False]
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert sum(layer.bias is not None for layer in convolutions) == 1
    assert network.decoder[0][1].bias is not None


def test_without_residual_unet7_ends_in_a_tanh():
    network = unet7(width=8, residual=False).eval()
    assert network(noisy(1, 256, 256) * 100).abs().max() <= 1


def test_residual_unet7_keeps_a_shift_of_the_grey_level():
    # what pix2pix's InstanceNorm and tanh lose: HU
    torch.manual_seed(0)
    network, slice_ = unet7(width=8, norm="instance").eval(), noisy(1, 256, 256)
    with torch.no_grad():
        shifted = network(slice_ + 0.5) - network(slice_)
    # 0.1: the first level has no norm, so the shift reaches the predicted noise through the skip
    assert shifted.mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("unshuffle", [1, 2, 4])
def test_resunet_starts_as_the_identity(unshuffle):
    torch.manual_seed(0)
    network, slice_ = resunet(unshuffle=unshuffle), noisy(2, 96, 64)
    with torch.no_grad():
        assert torch.equal(network(slice_), slice_)


@pytest.mark.parametrize("unshuffle", [1, 2, 4])
def test_resunet_moves_with_the_slice(unshuffle):
    # a wrong order of shuffled pixels would show as a shift within a block
    torch.manual_seed(0)
    network = resunet(width=8, blocks=1, unshuffle=unshuffle).double()
    slice_ = noisy(1, 288, 288).double()
    nn.init.normal_(network.tail.weight)
    step = 4 * unshuffle
    with torch.no_grad():
        moved = network(slice_.roll((step, step), (2, 3))).roll((-step, -step), (2, 3))
        still = network(slice_)
    inner = (..., slice(128, 160), slice(128, 160))  # beyond the reach of the borders
    # 1e-9: float64 convolutions of the same numbers in another place
    assert torch.allclose(moved[inner], still[inner], atol=1e-9)


@pytest.mark.parametrize(
    ("network", "side"),
    [(unet7(width=8, norm="batch"), 256), (unet7(width=8), 256), (resunet(), 48), (dncnn(), 33)],
    ids=["unet7-batch", "unet7", "resunet", "dncnn"],
)
def test_a_slices_output_does_not_depend_on_the_batch_it_came_in(network, side):
    slices = noisy(3, side, side)
    network.train()
    network(slices)  # moves running statistics off their start
    network.eval()
    with torch.no_grad():
        together, alone = network(slices), network(slices[1:2])
    # 1e-5: kernels for another batch size sum in another order
    assert torch.allclose(together[1:2], alone, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "sides", "told"),
    [
        (unet7, (500, 512), "unet7 needs sides divisible by 256, got 500 × 512; use --patch 256"),
        (unet6, (256, 250), "unet6 needs sides divisible by 128, got 256 × 250; use --patch 128"),
        (resunet, (44, 48), "resunet needs sides divisible by 8, got 44 × 48"),
    ],
)
def test_sides_that_do_not_divide_are_named(make, sides, told):
    with pytest.raises(UsageError, match=told):
        make(width=8)(noisy(1, *sides))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: unet7(norm="layer"), "no norm named 'layer'; one of: instance, batch"),
        (
            lambda: unet7(upsample="shuffle"),
            "no upsample named 'shuffle'; one of: transpose, resize",
        ),
        (lambda: unet6(stem="half"), "no stem named 'half'; one of: none, full"),
        (lambda: resunet(unshuffle=3), "unshuffle is 1, 2 or 4, got 3"),
        (lambda: dncnn(depth=1), "depth of at least 2, got 1"),
    ],
)
def test_knobs_that_make_no_network_are_named(make, told):
    with pytest.raises(UsageError, match=told):
        make()
