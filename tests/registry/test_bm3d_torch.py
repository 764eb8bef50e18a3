import numpy as np
import pytest
import pywt
import scipy.fft
import torch
from denoisebench.registry.baselines._bm3d import (
    Search,
    biorthogonal,
    collaborate,
    cosine,
    haar,
    hard_threshold,
    wiener,
)
from denoisebench.registry.baselines._bm3d_matching import nearest_blocks
from denoisebench.registry.baselines.bm3d import bm3d
from denoisebench.registry.baselines.bm3d_torch import bm3d_torch

from denoisebench import UsageError
from denoisebench.data.phantom import draw


def psnr(output, target):
    return 10 * np.log10(255**2 / np.mean((np.asarray(output) - np.asarray(target)) ** 2))


@pytest.fixture(scope="module")
def pair():
    """(noisy, clean): (96, 96) grey levels of a phantom's spine and liver, sigma 50."""
    clean = (np.clip(draw(5, 2)[220:316, 190:286], -160, 240) + 160) / 400 * 255
    assert clean.std() > 10
    return clean + np.random.default_rng(3).normal(0, 50, clean.shape), clean


def batch(*slices):
    return torch.from_numpy(np.stack(slices))[:, None]


def test_the_cosine_transform_is_scipys():
    # 1e-12: a few float64 roundings
    expected = scipy.fft.dct(np.eye(8), axis=0, norm="ortho")
    assert cosine().numpy() == pytest.approx(expected, abs=1e-12)


def test_the_haar_transform_is_pywavelets_up_to_sign():
    approximation, details = np.eye(16), []
    while len(approximation) > 1:
        approximation, detail = pywt.dwt(approximation, "haar", "periodization", axis=0)
        details.insert(0, detail)
    expected = np.concatenate([approximation, *details])
    # 1e-12: a few float64 roundings
    assert np.abs(haar(16).numpy()) == pytest.approx(np.abs(expected), abs=1e-12)
    assert haar(16) @ haar(16).T == pytest.approx(np.eye(16), abs=1e-12)


def test_the_wavelets_are_pywavelets_bior_up_to_order_shift_sign_and_length():
    approximation, rows = np.eye(8), []
    while len(approximation) > 1:
        approximation, detail = pywt.dwt(approximation, "bior1.5", "periodization", axis=0)
        rows += list(detail)
    rows += list(approximation)
    turned = [sign * np.roll(row, by) for row in rows for by in range(8) for sign in (-1, 1)]
    theirs = np.stack([row / np.linalg.norm(row) for row in turned])
    for row in biorthogonal().numpy():
        # 1e-12: a few float64 roundings
        assert np.abs(theirs - row).max(axis=1).min() < 1e-12
    # the same lengths of rows at each level, each row another
    assert np.linalg.matrix_rank(biorthogonal().numpy()) == 8


@pytest.mark.parametrize("at_once", [1, 7])
@pytest.mark.parametrize(("rows", "columns", "step"), [(40, 7, 3), (13, 46, 3), (9, 9, 1)])
def test_the_nearest_blocks_are_those_of_a_plain_search(rows, columns, step, at_once):
    reach, count, limit = 5, 24, 1.9  # between the second and the last of most groups
    blocks = torch.from_numpy(np.random.default_rng(1).normal(size=(2, rows, columns, 4))).float()
    found, counts = nearest_blocks(
        blocks, step=step, reach=reach, count=count, limit=limit, at_once=at_once
    )
    grid = [
        (image, row, column)
        for image in range(2)
        for row in range(0, rows, step)
        for column in range(0, columns, step)
    ]
    where, limited = {}, 0
    for place, own, valid in zip(grid_of(found, blocks), found, counts.tolist(), strict=True):
        image, row, column = place
        near = {
            (image * rows + r) * columns + c: float(
                (blocks[image, r, c] - blocks[image, row, column]).square().sum()
            )
            for r in range(max(0, row - reach), min(rows, row + reach + 1))
            for c in range(max(0, column - reach), min(columns, column + reach + 1))
        }
        where[place] = own
        expected = sorted(near, key=near.__getitem__)[:count]
        assert valid == sum(near[position] <= limit * 4 for position in expected)
        assert own[:valid].tolist() == expected[:valid]
        limited += valid < len(expected)
    assert sorted(where) == grid
    assert 0 < limited < len(grid)


def grid_of(found, blocks):
    """(image, row, column) of each reference block, which comes first in its group."""
    _, rows, columns, _ = blocks.shape
    for first in found[:, 0].tolist():
        yield first // (rows * columns), first // columns % rows, first % columns


def test_equal_blocks_are_found_after_the_reference_block():
    found, counts = nearest_blocks(
        torch.ones(1, 7, 7, 4), step=3, reach=2, count=4, limit=0, at_once=1
    )
    assert counts.tolist() == [4] * 9
    assert found[:, 0].tolist() == [7 * row + column for row in (0, 3, 6) for column in (0, 3, 6)]


def test_a_threshold_removes_what_it_reaches_and_weighs_by_the_rest():
    spectra = torch.tensor([[[4.0, -2.0, 1.0]], [[0.5, 3.0, 0.0]]])  # a group of two
    left, weight = hard_threshold(2.0)([spectra])
    assert left.tolist() == [[[4, 0, 0]], [[0, 3, 0]]]
    assert weight.tolist() == [0.5]


def test_wiener_gains_are_the_estimates_share():
    noisy, estimate = torch.tensor([[[8.0, 8.0]]]), torch.tensor([[[3.0, 0.0]]])
    left, weight = wiener(3.0)([noisy, estimate])
    assert left.tolist() == [[[6, 0]]]  # 9 / (9 + 3)
    assert weight.tolist() == [pytest.approx(16 / 9)]


def test_it_is_as_good_as_the_wheel_on_a_phantom(pair):
    ours = bm3d_torch(batch(pair[0]), 50.0)[0, 0]
    # 0.3 dB: 0.11 on these few pixels; 0.01 to 0.13 on three whole slices of the phantom
    assert psnr(ours, pair[1]) == pytest.approx(psnr(bm3d(pair[0], 50.0), pair[1]), abs=0.3)


def test_it_is_as_good_as_the_wheel_on_real_ct(ct_pair):
    noisy, clean = (images[:, :, 180:308, 160:288] for images in ct_pair)
    ours = bm3d_torch(noisy, 50.0)
    gains = [
        psnr(ours[i], clean[i]) - psnr(bm3d(noisy[i, 0].numpy(), 50.0), clean[i]) for i in range(3)
    ]
    # 0.1 dB: what is promised of whole slices; single crops of 128² differ by up to 0.15
    assert np.mean(gains) == pytest.approx(0, abs=0.1)


@pytest.mark.slow
def test_it_is_within_a_tenth_of_a_decibel_of_the_wheel_on_each_slice(ct_pair):
    noisy, clean = ct_pair
    for image, target in zip(noisy, clean, strict=True):
        ours = bm3d_torch(image[None], 50.0)[0]
        theirs = bm3d(image[0].numpy(), 50.0)
        # 0.1 dB: the promise; 0.096 was the most on 51 test slices
        assert psnr(ours, target) == pytest.approx(psnr(theirs, target), abs=0.1)


def test_a_slice_is_denoised_alike_in_any_batch(pair):
    noisy, other = pair[0][:40, :44], pair[0][40:80, 40:84]
    together = bm3d_torch(batch(noisy, other), 50.0)
    assert torch.equal(together[:1], bm3d_torch(batch(noisy), 50.0))
    assert torch.equal(together[1:], bm3d_torch(batch(other), 50.0))


def test_slices_at_once_are_denoised_as_one_by_one(pair):
    both = batch(pair[0][:41, :44], pair[0][40:81, 40:84])[:, 0].float()
    given = ([both], biorthogonal(), hard_threshold(150.0), Search(16, 19, 3))
    together = collaborate(*given)
    for number in range(2):
        alone = collaborate([both[number : number + 1]], *given[1:])[0]
        # 0.2 grey levels: float32 sums in another order, and ties that fall the other way
        assert float((together[number] - alone).square().mean().sqrt()) < 0.2


def test_it_does_not_clip_and_keeps_dtype(pair):
    noisy = batch(pair[0] - 500)[..., :40, :40]
    for dtype in (torch.float32, torch.float64):
        output = bm3d_torch(noisy.to(dtype), 50.0)
        assert output.dtype == dtype
        assert float(output.mean()) == pytest.approx(float(noisy.mean()), abs=2)


@pytest.mark.parametrize("shape", [(8, 8), (8, 31), (9, 12), (17, 8)])
def test_slices_that_hold_few_blocks_are_denoised(shape):
    noisy = np.random.default_rng(8).normal(100, 20, shape)
    output = bm3d_torch(batch(noisy), 20.0)
    assert output.shape == (1, 1, *shape)
    assert float(output.std()) < noisy.std()


def test_it_takes_the_bias_of_clipping_off_where_it_is_asked_to(pair):
    noisy = batch(np.clip(np.rint(pair[0]), 0, 255))
    knobs = {"eight_bit": True}
    plain, debiased = (bm3d_torch(noisy, 50.0, debias=on, **knobs) for on in (False, True))
    assert debiased.dtype == noisy.dtype
    assert psnr(debiased[0, 0], pair[1]) > psnr(plain[0, 0], pair[1]) + 1
    assert torch.equal(bm3d_torch(noisy, 50.0, debias=True), plain)


def test_without_noise_nothing_is_done(pair):
    noisy = batch(pair[0])
    output = bm3d_torch(noisy, 0.0)
    assert torch.equal(output, noisy)
    assert output.data_ptr() != noisy.data_ptr()


@pytest.mark.parametrize(
    ("shape", "knobs", "message"),
    [
        ((7, 40), {}, r"bm3d_torch needs sides of 8 pixels, got 7 × 40"),
        ((9, 9), {"search": 38}, r"an odd search of at least 3, got 38; use 39"),
        ((9, 9), {"step": 9}, r"a step of 1 to 8, got 9; use 3"),
    ],
)
def test_what_it_cannot_do_is_refused(shape, knobs, message):
    with pytest.raises(UsageError, match=message):
        bm3d_torch(torch.zeros(1, 1, *shape), 50.0, **knobs)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_what_the_cpu_gives(pair):
    noisy = batch(pair[0], pair[0].T.copy())
    expected = bm3d_torch(noisy, 50.0).numpy()
    output = bm3d_torch(noisy.cuda(), 50.0)
    assert output.is_cuda
    # 0.5 grey levels: a tie between blocks that falls the other way; 0.01 dB
    assert psnr(output.cpu(), expected) > 50
