import numpy as np
import pytest
import torch
from denoisebench.registry.metrics.psnr import psnr
from denoisebench.registry.metrics.psnr_body import body, psnr_body
from denoisebench.registry.metrics.rmse_hu import rmse_hu
from denoisebench.registry.metrics.ssim import ssim
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from denoisebench import UsageError


def skimage_psnr(output, target):
    pairs = zip(target[:, 0].numpy(), output[:, 0].numpy(), strict=True)
    return [peak_signal_noise_ratio(t, o, data_range=255) for t, o in pairs]


def skimage_wang2004(output, target, data_range=255):
    pairs = zip(target[:, 0].numpy(), output[:, 0].numpy(), strict=True)
    wang2004 = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return [structural_similarity(t, o, data_range=data_range, **wang2004) for t, o in pairs]


# 1e-10 dB: both take the mean of float64 squares, in another order.
# 1e-7: both sum float64 products of 121 weights; ours from a window rounded otherwise.


def test_psnr_equals_skimage_with_overshoot(overshooting):
    assert psnr(*overshooting).tolist() == pytest.approx(skimage_psnr(*overshooting), abs=1e-10)


def test_psnr_equals_skimage_on_ct(ct_pair):
    values = psnr(*ct_pair)
    assert values.tolist() == pytest.approx(skimage_psnr(*ct_pair), abs=1e-10)
    # 0.05 dB: 20 log10(255 / 50) = 14.15, drawn 262,144 times
    assert values.tolist() == pytest.approx([14.15] * 3, abs=0.05)


def test_ssim_equals_skimage_with_overshoot(overshooting):
    assert ssim(*overshooting).tolist() == pytest.approx(skimage_wang2004(*overshooting), abs=1e-7)


def test_ssim_equals_skimage_on_ct(ct_pair):
    assert ssim(*ct_pair).tolist() == pytest.approx(skimage_wang2004(*ct_pair), abs=1e-7)


def test_ssim_of_a_wrong_range_is_another_number(overshooting):
    wrong = np.array(skimage_wang2004(*overshooting, data_range=2))
    assert np.abs(wrong - ssim(*overshooting).numpy()).max() > 0.01


def test_psnr_of_a_wrong_range_is_another_number(overshooting):
    output, target = overshooting
    assert (psnr(output / 255, target / 255) - psnr(output, target)).min() > 40


def test_equal_slices_score_best(overshooting):
    _, target = overshooting
    assert psnr(target, target).tolist() == [float("inf")] * 3
    assert psnr_body(target, target).tolist() == [float("inf")] * 3
    assert ssim(target, target).tolist() == [1.0] * 3
    assert rmse_hu(target, target).tolist() == [0.0] * 3


@pytest.mark.parametrize("metric", [psnr, psnr_body, ssim, rmse_hu])
def test_a_slices_score_does_not_depend_on_the_batch_it_came_in(metric, overshooting):
    output, target = overshooting
    together = metric(output.float(), target.float())
    alone = [metric(output[i : i + 1].float(), target[i : i + 1].float()) for i in range(3)]
    assert together.dtype == torch.float64
    # 1e-12: convolutions of another batch size may sum in another order
    assert together.tolist() == pytest.approx([float(value) for value in alone], rel=1e-12)


def test_ssim_names_slices_that_its_window_does_not_fit(overshooting):
    output, target = overshooting
    with pytest.raises(UsageError, match="sides of at least 11, got 10 × 80"):
        ssim(output[:, :, :10], target[:, :, :10])


def test_rmse_is_in_hu_of_the_window():
    target = torch.zeros(1, 1, 8, 8)
    assert rmse_hu(target + 51, target).tolist() == pytest.approx([80.0])  # a fifth of 400 HU
    assert rmse_hu(target + 51, target, window_hu=(-1000, 1000)).tolist() == pytest.approx([400.0])


def torso() -> np.ndarray:
    """Grey levels of a disc with an air hole on a thin table that stands on a thick foot."""
    row, column = np.mgrid[0:256, 0:256]
    grey = np.zeros((256, 256))
    grey[np.hypot(row - 110, (column - 128) / 1.4) < 70] = 100
    grey[np.hypot(row - 100, column - 100) < 20] = 0
    grey[179:181, 20:236] = 120  # touches the disc
    grey[220:240, 60:196] = 120
    return grey


def test_the_body_is_filled_and_lies_on_no_table():
    found = body(torso(), (-160.0, 240.0))
    assert found[100, 100]  # the hole
    assert found[110, 128]
    assert not found[180, :80].any()  # the table
    assert not found[230].any()  # its foot
    assert not found[5].any()  # air
    row, column = np.mgrid[0:256, 0:256]
    disc = np.hypot(row - 110, (column - 128) / 1.4) < 70
    # 1 %: the opening rounds the rim
    assert np.mean(found != disc) < 0.01


def test_psnr_body_counts_errors_inside_the_body_only():
    target = torch.from_numpy(torso())[None, None]
    mask = torch.from_numpy(body(torso(), (-160.0, 240.0)))
    outside = target + torch.where(mask, 0.0, 80.0)
    assert psnr_body(outside, target).tolist() == [float("inf")]
    inside = target + torch.where(mask, 25.5, 0.0)
    assert psnr_body(inside, target).tolist() == pytest.approx([20.0])  # a tenth of the peak
    assert psnr(inside, target)[0] > 20


def test_a_slice_of_air_is_scored_as_a_whole():
    air = torch.zeros(1, 1, 64, 64)
    assert psnr_body(air + 25.5, air).tolist() == pytest.approx([20.0])


def test_the_body_threshold_is_skin_in_a_wide_window():
    # -500 HU (lung, foam) is grey 63.75 of [-1000, 1000]; the body starts at -300 HU
    foam, fat = np.full((64, 64), 63.75), np.full((64, 64), 114.75)
    grey = np.where(np.arange(64) < 32, foam, fat)
    assert body(grey, (-1000.0, 1000.0))[32].tolist() == [False] * 32 + [True] * 32


def test_the_body_of_real_ct_is_a_plausible_share_of_the_slice(ct_pair):
    _, target = ct_pair
    for grey in target[:, 0].numpy():
        found = body(grey, (-160.0, 240.0))
        assert 0.15 < found.mean() < 0.8
        assert grey[~found].mean() < 0.2 * grey[found].mean()
