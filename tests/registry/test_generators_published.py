"""Networks of the literature: the counts that are printed, and what makes each the one it is."""

import pytest
import torch
from denoisebench.registry.generators import nafnet as nafnet_file
from denoisebench.registry.generators import restormer as restormer_file
from denoisebench.registry.generators.ct_resnet import ct_resnet
from denoisebench.registry.generators.drunet import drunet
from denoisebench.registry.generators.nafnet import nafnet
from denoisebench.registry.generators.redcnn import redcnn
from denoisebench.registry.generators.restormer import restormer
from torch import Tensor, nn
from torch.nn.functional import layer_norm, scaled_dot_product_attention

from denoisebench import UsageError


def light_nafnet() -> nn.Module:
    return nafnet(width=4, encoder=(1, 0, 1, 1), middle=1, decoder=(1, 1, 0, 1))


def light_restormer() -> nn.Module:
    return restormer(width=8, blocks=(1, 1, 1, 1), refinement=1)


# (how it is made small, its smallest side, what the sides divide by)
NETWORKS = [
    pytest.param(lambda: redcnn(width=4), 21, 1, id="redcnn"),
    pytest.param(lambda: ct_resnet(width=8, blocks=2), 1, 1, id="ct_resnet"),
    pytest.param(lambda: drunet(width=4, blocks=1), 8, 8, id="drunet"),
    pytest.param(lambda: drunet(width=4, blocks=1, residual=True), 8, 8, id="drunet-residual"),
    pytest.param(light_nafnet, 16, 16, id="nafnet"),
    pytest.param(light_restormer, 8, 8, id="restormer"),
]


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def counted(make, **knobs) -> int:
    with torch.device("meta"):
        return parameters(make(**knobs))


def noisy(*shape: int) -> Tensor:
    torch.manual_seed(sum(shape))
    return torch.randn(*shape) * 0.7


def test_redcnn_has_the_1_85_million_parameters_of_the_literature():
    # 96 filters of 5 × 5: one map in, eight layers from 96 to 96, one map out. 1,848,865 is what
    # `summary` prints of the usual implementation (SSinyu/RED-CNN), 1.85 M in LDCT papers' tables
    assert counted(redcnn) == 1_848_865 == 96 * 26 + 8 * (96 * 96 * 25 + 96) + (96 * 25 + 1)


def test_ct_resnet_has_the_parameters_of_ldct_benchmarks():
    # sizes read from ldctbench/methods/resnet/network.py at 09b1011: 9 × 9 into 128, ten blocks
    # (3 × 3; 3 × 3 in 8 groups; 1 × 1; two BatchNorms), 3 × 3 out
    block = (128 * 128 * 9 + 128) + (128 * 16 * 9 + 128) + (128 * 128 + 128) + 2 * 256
    assert counted(ct_resnet) == 1_843_329 == (81 * 128 + 128) + 10 * block + (128 * 9 + 1)


def test_drunet_has_the_32_64_million_parameters_of_its_authors():
    # Two 3 × 3 a block: 8 blocks at 64, 128 and 256, 4 at 512; 2 × 2 down and up between; slice and
    # noise map in, slice out. The authors' colour network: 4 maps in, 3 out, 32,640,960
    scales = sum(8 * 2 * 9 * c**2 for c in (64, 128, 256)) + 4 * 2 * 9 * 512**2
    between = 2 * 4 * (64 * 128 + 128 * 256 + 256 * 512)
    assert counted(drunet) == 32_638_656 == scales + between + (2 + 1) * 64 * 9
    assert counted(drunet) + (2 + 2) * 64 * 9 == 32_640_960
    assert counted(drunet, sigma=None) == 32_638_656 - 64 * 9


@pytest.mark.parametrize(
    ("printed", "knobs"),
    [
        # "29.16M parameters in NAFNet-width32 for the denoising task", megvii-research/NAFNet #60
        (29_159_715, {}),
        # the deblurring network of width 32, 17.1 M in tables
        (17_111_907, {"encoder": (1, 1, 1, 28), "middle": 1, "decoder": (1, 1, 1, 1)}),
    ],
)
def test_nafnet_has_its_authors_parameters_less_two_channels_in_and_out(printed, knobs):
    def block(c):
        return 7 * c**2 + 33 * c  # at 512: 1,851,904, as torchinfo prints it

    blocks = {"encoder": (2, 2, 4, 8), "middle": 12, "decoder": (2, 2, 2, 2)} | knobs
    widths = (32, 64, 128, 256)
    there = zip(widths, blocks["encoder"], blocks["decoder"][::-1], strict=True)
    scales = sum((down + up) * block(c) for c, down, up in there) + blocks["middle"] * block(512)
    between = sum(2 * c * c * 4 + 2 * c + 4 * c * 2 * c for c in widths)
    ends = 3 * 32 * 9 + 32 + 32 * 3 * 9 + 3
    assert printed == scales + between + ends
    assert counted(nafnet, **knobs) == printed - 2 * 32 * 9 - 2 * (32 * 9 + 1)


def test_restormer_of_the_papers_size_has_its_26_1_million_parameters():
    # the authors' network for deblurring has 26,126,644; those for denoising lack the shift of each
    # layer norm: two a block of 48, 96 (twice at full size), 192 and 384 channels
    shifts = 2 * (4 * 48 + (6 + 4 + 4 + 6) * 96 + 2 * 6 * 192 + 8 * 384)
    assert 26_126_644 - shifts == 26_111_668
    # two channels less in and out
    ours = counted(restormer, width=48, blocks=(4, 6, 6, 8), refinement=4)
    assert ours == 26_111_668 - 2 * 48 * 9 - 2 * 96 * 9


@pytest.mark.parametrize(("make", "smallest", "multiple"), NETWORKS)
def test_it_takes_its_smallest_side_and_odd_multiples(make, smallest, multiple):
    network = make().eval()
    for height, width in ((smallest, smallest), (smallest, 3 * smallest), (5 * multiple + 30,) * 2):
        sides = (height + -height % multiple, width + -width % multiple)
        with torch.no_grad():
            output = network(noisy(2, 1, *sides))
        assert output.shape == (2, 1, *sides)
        assert torch.isfinite(output).all()


@pytest.mark.parametrize(("make", "smallest", "multiple"), NETWORKS)
def test_with_nothing_predicted_the_slice_comes_back_unclamped(make, smallest, multiple):
    network, slice_ = make().eval(), noisy(1, 1, 48, 32) * 100
    last = getattr(network, "tail", None) or network.decoder[0]  # redcnn's last is there
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        output = network(slice_)
    if getattr(network, "residual", True):
        # 1e-4: drunet goes to [0, 1] and back, at values of some hundreds
        assert torch.allclose(output, slice_, atol=1e-4)
    else:  # drunet predicts the slice: nothing is black
        assert torch.equal(output, torch.full_like(output, -1))


@pytest.mark.parametrize(("silenced", "reach"), [(4, 16), (2, 8), (0, 0)])
def test_redcnn_has_its_shortcuts_where_the_paper_has_them(silenced, reach):
    # without what a transposed layer gives, its shortcut is all that is left, and each of the
    # layers around it reaches two pixels
    network, slice_ = redcnn(width=3).double(), noisy(1, 1, 61, 61).double().abs()
    for parameter in network.parameters():
        parameter.data.abs_()  # no ReLU is ever closed
    nn.init.zeros_(network.decoder[silenced].weight)
    touched = slice_.clone()
    touched[..., 30, 30] += 1
    with torch.no_grad():
        changed = (network(touched) - network(slice_))[0, 0].nonzero()
    assert changed.amin(0).tolist() == [30 - reach] * 2
    assert changed.amax(0).tolist() == [30 + reach] * 2


def test_drunet_without_a_map_scales_with_the_slice():
    # no bias: twice the contrast to black gives twice the output
    network, slice_ = drunet(width=4, blocks=1, sigma=None).double(), noisy(1, 1, 16, 24).double()
    with torch.no_grad():
        once, twice = network(slice_), network(2 * (slice_ + 1) - 1)
    # 1e-12: float64 of the same numbers, doubled
    assert torch.allclose(twice + 1, 2 * (once + 1), atol=1e-12)


def test_drunet_is_told_the_noise_level_on_the_scale_of_the_slice():
    slice_ = noisy(1, 1, 16, 24).double()
    torch.manual_seed(0)
    network = drunet(width=4, blocks=1, sigma=25).double()
    torch.manual_seed(0)
    louder = drunet(width=4, blocks=1, sigma=50).double()
    with torch.no_grad():
        once, twice = network(slice_), louder(2 * (slice_ + 1) - 1)
    assert torch.allclose(twice + 1, 2 * (once + 1), atol=1e-12)  # slice and noise, both doubled
    assert not torch.allclose(network(slice_), louder(slice_))


def test_a_nafnet_block_starts_as_the_identity():
    torch.manual_seed(0)
    block, features = nafnet_file.Block(8), noisy(2, 8, 6, 5)
    assert torch.equal(block(features), features)
    nn.init.ones_(block.scale)
    assert not torch.allclose(block(features), features)


def test_nafnet_with_fewer_scales_takes_finer_multiples():
    network = nafnet(width=4, encoder=(1,), middle=1, decoder=(1,))
    assert network(noisy(1, 1, 2, 6)).shape == (1, 1, 2, 6)


@pytest.mark.parametrize("heads", [1, 2])
def test_restormers_attention_is_ordinary_attention_with_channels_for_tokens(heads):
    torch.manual_seed(0)
    attention = restormer_file.ChannelAttention(8, heads).double()
    attention.temperature.data = torch.rand(heads, 1, 1).double() + 0.5
    features = noisy(2, 8, 6, 5).double()
    query, key, value = attention.given(features).reshape(2, 3, heads, 8 // heads, 30).unbind(1)
    query = query / query.norm(dim=-1, keepdim=True) * attention.temperature
    key = key / key.norm(dim=-1, keepdim=True)
    mixed = scaled_dot_product_attention(query, key, value, scale=1.0).reshape(2, 8, 6, 5)
    # 1e-12: float64, the same sums in another order
    assert torch.allclose(attention(features), attention.project(mixed), atol=1e-12)


def test_restormers_norm_is_a_layer_norm_that_leaves_the_mean():
    features = noisy(2, 8, 6, 5).double() + 3
    normed = restormer_file.ChannelNorm(8).double()(features)
    usual = layer_norm(features.permute(0, 2, 3, 1), (8,)).permute(0, 3, 1, 2)
    # 1e-12: float64, the same sums in another order
    assert torch.allclose(normed - normed.mean(1, keepdim=True), usual, atol=1e-12)
    assert normed.mean() > 1


@pytest.mark.parametrize(
    ("make", "sides", "told"),
    [
        (lambda: redcnn(width=4), (20, 64), "redcnn needs sides of at least 21, got 20 × 64"),
        (lambda: drunet(width=4), (60, 64), "drunet needs sides divisible by 8, got 60 × 64"),
        (light_nafnet, (64, 72), "nafnet needs sides divisible by 16, got 64 × 72"),
        (light_restormer, (12, 8), "restormer needs sides divisible by 8, got 12 × 8"),
    ],
)
def test_sides_that_do_not_fit_are_named(make, sides, told):
    with pytest.raises(UsageError, match=told):
        make()(noisy(1, 1, *sides))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: redcnn(width=0), "redcnn takes whole numbers of at least 1 for width, got 0"),
        (lambda: ct_resnet(width=12), "ct_resnet's width is divisible by 8, got 12"),
        (lambda: ct_resnet(blocks=-1), "whole numbers of at least 1 for blocks, got -1"),
        (lambda: drunet(sigma=0.0), "drunet's sigma is grey levels above 0, or None, got 0.0"),
        (lambda: nafnet(encoder=(1, 1)), r"as many .* got \(1, 1\) and \(2, 2, 2, 2\)"),
        (lambda: nafnet(encoder=(1,) * 5, decoder=(1,) * 5), "at most 4, got"),
        (lambda: nafnet(encoder=(1.5,), decoder=(1,)), r"at least 0 for encoder, got \(1.5,\)"),
        (lambda: restormer(blocks=(1, 1, 1)), r"4 blocks and 4 heads, got \(1, 1, 1\) and"),
        (
            lambda: restormer(heads=(3, 2, 4, 8)),
            r"\(16, 32, .* divide by .* got heads \(3, 2, 4, 8\)",
        ),
        (lambda: restormer(width=9, heads=(1, 2, 4, 8)), "needs an even width"),
        (lambda: restormer(expansion=0.5), "expansion is a number of at least 1, got 0.5"),
    ],
)
def test_knobs_that_make_no_network_are_named(make, told):
    with torch.device("meta"), pytest.raises(UsageError, match=told):
        make()
