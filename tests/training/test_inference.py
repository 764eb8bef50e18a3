"""Slices denoised alone, together and in tiles; memory that ends is played by a network."""

import numpy as np
import pytest
import torch
from torch import nn

from denoisebench import Unavailable
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.load import build
from denoisebench.scoring import denoisers
from denoisebench.training import inference
from denoisebench.training.inference import WHOLE, Inference, denoise, fade, starts, tiled


class Near(nn.Module):
    """Three convolutions: sees seven pixels around."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 5, padding=2), nn.ReLU(),
            nn.Conv2d(8, 1, 7, padding=3),
        )  # fmt: skip

    def forward(self, noisy):
        return noisy - self.body(noisy)


class Far(nn.Module):
    """Adds the mean of what it sees, as InstanceNorm subtracts it."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, noisy):
        return noisy + self.weight * noisy.mean()


class Small(nn.Module):
    """A network for which memory ends above so many pixels of a batch."""

    def __init__(self, network, pixels):
        super().__init__()
        self.network, self.pixels, self.asked = network, pixels, []

    def forward(self, noisy):
        if noisy.device.type != "meta":  # where it is reckoned
            self.asked.append(tuple(noisy.shape))
        if noisy.numel() > self.pixels:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return self.network(noisy)


def slices(count, height=64, width=64):
    random = np.random.default_rng(height)
    return [random.normal(100, 50, (height, width)) for _ in range(count)]


def on_a_gpu(generator, multiple=1, **knobs):
    """What a GPU would be given; it is computed here."""
    found = Inference(generator, multiple, **knobs)
    found.at_once = lambda shape: max(1, found._at_once // (shape[0] * shape[1]))
    return found


@pytest.mark.parametrize("name", ["resunet", "dncnn(depth=5)", "nafnet(width=8)"])
def test_a_slices_output_does_not_depend_on_what_stood_beside_it(name, catalogue):
    torch.manual_seed(0)
    network, noisy = build(resolve(name, "generator", catalogue)[0]), slices(3)
    together = on_a_gpu(network, 16)(noisy)
    for one, output in zip(noisy, together, strict=True):
        # 1e-3 grey levels: float32 convolutions of another batch size
        assert output == pytest.approx(denoise(network, one, 16), abs=1e-3)


def test_a_cpu_is_given_one_slice_at_a_time_so_outputs_are_equal_to_the_bit():
    network, noisy = Small(Near(), 64 * 64), [*slices(3), *slices(2, 32, 48)]
    outputs = list(denoisers.network(network, 1)(iter(noisy)))
    assert [shape[0] for shape in network.asked] == [1] * 5
    for one, output in zip(noisy, outputs, strict=True):
        assert np.array_equal(output.image, denoise(network, one, 1))


def test_slices_of_one_shape_go_together_and_come_in_order():
    network, noisy = Small(Near(), 10**9), [*slices(3), *slices(2, 32, 48), *slices(1)]
    outputs = list(denoisers.Network(on_a_gpu(network))(iter(noisy)))
    assert [shape[0] for shape in network.asked] == [3, 2, 1]
    for one, output in zip(noisy, outputs, strict=True):
        # 1e-3 grey levels: float32 convolutions of another batch size
        assert output.image == pytest.approx(denoise(network, one, 1), abs=1e-3)


def test_where_memory_ends_half_as_many_go_and_it_is_remembered(monkeypatch):
    monkeypatch.setattr(inference, "PIXELS_AT_ONCE", 8 * 64 * 64)
    network = Small(Near(), 3 * 64 * 64)
    running, noisy = on_a_gpu(network), slices(8)
    outputs = list(denoisers.Network(running)(noisy))
    assert [shape[0] for shape in network.asked] == [8, 4, 2, 2, 2, 2]
    assert running.note == WHOLE
    for one, output in zip(noisy, outputs, strict=True):
        # 1e-3 grey levels: float32 convolutions of another batch size
        assert output.image == pytest.approx(denoise(network, one, 1), abs=1e-3)


def test_a_slice_that_does_not_fit_by_itself_goes_in_tiles_and_the_next_shape_whole():
    network, (large,), (small,) = Small(Near(), 200 * 200), slices(1, 400, 300), slices(1)
    running = on_a_gpu(network, 4)
    assert running([large])[0].shape == large.shape
    whole, *tiles = network.asked
    assert whole == (1, 1, 400, 300)
    assert set(tiles) == {(1, 1, 200, 200)}
    running([small])
    assert network.asked[-1] == (1, 1, 64, 64)
    assert running.note == f"{WHOLE}; slices of 400 × 300 in tiles of 200 that overlap by 64"


def test_memory_that_does_not_suffice_for_a_tile_is_told_in_a_line():
    with pytest.raises(Unavailable, match="cpu has not the memory for a tile of 128 pixels"):
        denoise(Small(Near(), 100), slices(1, 300, 300)[0], 4)


def test_an_error_that_is_not_of_memory_is_raised():
    with pytest.raises(RuntimeError, match="expected input"):
        denoise(nn.Conv2d(2, 1, 3), slices(1)[0], 1)


# 1e-3 grey levels: float32 sums of a tile and of the slice, blended


@pytest.mark.parametrize(("height", "width"), [(300, 420), (128, 500), (257, 130)])
def test_tiles_give_what_the_whole_gives_where_a_network_sees_near(height, width):
    (noisy,), network = slices(1, height, width), Near()
    assert denoise(network, noisy, 4, tile=128) == pytest.approx(
        denoise(network, noisy, 4), abs=1e-3
    )


def test_tiles_cut_without_an_overlap_would_differ():
    """The control of the test above."""
    image, network = torch.from_numpy(slices(1, 256, 256)[0])[None, None].float(), Near()
    with torch.inference_mode():
        whole, cut = network(image), tiled(network, image, 128, 2)
    assert (whole - cut).abs().max() > 0.1


def test_no_seam_is_seen_where_tiles_have_other_means():
    """What tiles add differs by up to 80 grey levels; from pixel to pixel it fades."""
    row, column = np.mgrid[0:256, 0:320]
    noisy = 20 + 0.25 * row + 0.35 * column
    added = denoise(Far(), noisy, 4, tile=128) - noisy
    steps = max(np.abs(np.diff(added, axis=axis)).max() for axis in (0, 1))
    assert np.ptp(added) > 60
    # The fade is sin² over half of an overlap of 64: its steepest step is π / 2 / 32 of a
    # difference of at most 80 between neighbours.
    assert steps < 80 * np.pi / 2 / 32
    with torch.inference_mode():
        image = torch.from_numpy(noisy)[None, None].float()
        cut = tiled(Far(), image, 128, 2) - image
    assert cut.diff(dim=-1).abs().max() > 10  # the control: an overlap too short to fade in


@pytest.mark.parametrize("length", [128, 129, 192, 400, 4096])
def test_tiles_cover_an_axis_with_weights_that_add_to_something(length):
    total = np.zeros(length)
    for start in starts(length, 128, 64):
        weights = fade(length, start, 128, 64).numpy()
        assert start + len(weights) <= length
        total[start : start + len(weights)] += weights
    # 1e-6: sin² and cos² in float32 add to 1; the last tile may overlap by more
    assert total.min() > 1 - 1e-6
    assert total.max() < 3


def test_tiles_are_divisible_by_what_the_generator_needs():
    network = Small(Near(), 10**9)
    denoise(network, slices(1, 700, 900)[0], 48, tile=100)
    assert {side % 48 for shape in network.asked for side in shape[-2:]} == {0}
    assert {shape[-1] for shape in network.asked} == {144}


def test_a_slice_that_fits_is_never_tiled():
    network = Small(Near(), 10**9)
    running = Inference(network, 4)
    running(slices(1, 1100, 1000))
    assert network.asked == [(1, 1, 1100, 1000)]
    assert running.note == WHOLE


def test_on_a_cpu_memory_is_reckoned_before_it_ends(monkeypatch):
    """A system kills what takes too much, so a large slice is not tried."""
    asked = []

    def suffices(network, shape):
        asked.append(shape)
        return max(shape) <= 300

    monkeypatch.setattr(inference, "memory_suffices", suffices)
    network = Small(Near(), 10**9)
    running = Inference(network, 4)
    running(slices(1, 64, 64))
    assert not asked  # the reckoning takes longer than a small slice
    running(slices(1, 1050, 1000))
    assert asked == [(1, 1, 1052, 1000), (1, 1, 528, 528), (1, 1, 264, 264)]
    assert max(shape[-1] for shape in network.asked[1:]) == 264


def test_what_a_network_needs_is_reckoned_as_tensors_come_and_go():
    needed = inference.reckoned(nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU()), (1, 1, 100, 100))
    assert needed == 4 * 100 * 100 * (1 + 8 + 8)
    deep = nn.Sequential(*(nn.Conv2d(8 if place else 1, 8, 1) for place in range(9)))
    assert inference.reckoned(deep, (1, 1, 100, 100)) == needed  # two at a time, however deep


def test_a_network_that_needs_values_is_not_reckoned():
    class Choosy(Far):
        def forward(self, noisy):
            return noisy if noisy.mean() > 0 else -noisy

    assert inference.reckoned(Choosy(), (1, 1, 8, 8)) is None
    assert inference.memory_suffices(Choosy(), (1, 1, 8, 8))


def test_memory_of_a_planet_does_not_suffice_for_a_slice_of_a_planet():
    assert not inference.memory_suffices(Near(), (1, 1, 10**6, 10**6))
    assert inference.memory_suffices(Near(), (1, 1, 64, 64))


def test_a_generator_in_training_is_left_in_training_also_by_an_error():
    network = Small(Near(), 0).train()
    with pytest.raises(Unavailable):
        denoise(network, slices(1)[0], 1)
    assert network.training


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_slice_of_4096_goes_through_a_gpu_of_little_memory():
    device, network = torch.device("cuda"), Near().cuda()
    network.body[0] = nn.Conv2d(1, 8, 5, padding=2).cuda()
    torch.cuda.set_per_process_memory_fraction(
        0.5e9 / torch.cuda.get_device_properties(0).total_memory
    )
    try:
        running = Inference(network, 4)
        (noisy,) = slices(1, 4096, 4096)
        output = running([noisy])[0]
        assert "tiles" in running.note
        assert np.isfinite(output).all()
        assert torch.cuda.max_memory_allocated(device) < 0.5e9
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.parametrize("shape", [(50, 64), (64, 50), (50, 41), (5, 9)])
def test_a_slice_of_any_sides_is_reflected_to_the_multiple_and_cut_back(shape):
    network, (noisy,) = Small(Near(), 10**9), slices(1, *shape)
    assert denoise(network, noisy, 16).shape == shape
    assert all(side % 16 == 0 for side in network.asked[0][2:])


def test_where_tiles_are_fixed_memory_that_ends_is_told(monkeypatch):
    """Pixels that depend on a machine's memory would stand under one UID."""
    network, (large,) = Small(Near(), 200 * 200), slices(1, 400, 300)
    running = Inference(network, 4, fixed=True)
    with pytest.raises(Unavailable, match="not the memory for 400 pixels a side; give --tile 200"):
        running([large])
    monkeypatch.setattr(inference, "memory_suffices", lambda network, shape: False)
    with pytest.raises(Unavailable, match="for 600 pixels a side; give --tile 300"):
        Inference(network, 4, tile=600, fixed=True)(slices(1, 1200, 1200))
    assert Inference(network, 4, tile=200, fixed=True)([large])[0].shape == large.shape


def test_a_side_of_one_pixel_is_repeated():
    assert denoise(Near(), slices(1, 1, 40)[0], 16).shape == (1, 40)
