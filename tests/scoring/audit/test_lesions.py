import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import ive

from denoisebench.scoring.audit import lesions, sites
from denoisebench.scoring.audit.lesions import Lesion


def apart(task, lesion, change=lambda disc: disc):
    return change(lesions.drawn((128, 128), [lesion], task))


def test_recovery_is_the_share_of_contrast_that_is_left(task):
    lesion = Lesion((60, 70), -60.0)
    assert lesions.recovery(apart(task, lesion), lesion, task) == pytest.approx(1, abs=0.03)
    half = apart(task, lesion, lambda disc: disc / 2)
    # 0.03: the pixels of the edge are covered by more than a half, not whole
    assert lesions.recovery(half, lesion, task) == pytest.approx(0.5, abs=0.03)
    assert lesions.recovery(np.zeros((128, 128)), lesion, task) == 0


def test_a_blur_takes_as_much_contrast_as_theory_says(task):
    lesion, width = Lesion((64, 64), 40.0), 4.0
    blurred = apart(task, lesion, lambda disc: gaussian_filter(disc, width))
    # Mean over a disc of radius R of that disc blurred: 2 ∫ J1(kR)² exp(-k²s²/2) dk/k, which is
    # 1 - exp(-x)·(I0(x) + I1(x)) with x = R²/s².
    x = (lesions.RADIUS / width) ** 2
    # 0.02: the disc stands on a grid
    assert lesions.recovery(blurred, lesion, task) == pytest.approx(
        1 - ive(0, x) - ive(1, x), abs=0.02
    )


def test_lesions_stand_in_even_soft_tissue_and_come_again_with_the_slice(phantom, task):
    for one in phantom.test:
        planned = lesions.plan(one, task)
        assert planned == lesions.plan(one, task)
        for lesion in planned:
            inside = sites.disc(one.hu.shape, lesion.place, lesions.RADIUS) == 1
            # The phantom's soft tissues have textures of some 10 HU
            assert one.hu[inside].std() < 20
            assert -30 < one.hu[inside].mean() < 150
            assert 40 <= abs(lesion.contrast_hu) <= 80
        grey = task.to_grey(one.hu) + lesions.drawn(one.hu.shape, planned, task)
        where = [sites.disc(grey.shape, each.place, lesions.RADIUS) > 0 for each in planned]
        for one_disc in where:  # the window does not cut a lesion off; single grains may touch it
            assert np.mean((grey[one_disc] < 0) | (grey[one_disc] > 255)) < 0.02
        places = [each.place for each in planned]
        between = [np.hypot(*np.subtract(a, b)) for a in places for b in places if a != b]
        assert min(between, default=99) >= lesions.APART


def test_the_matched_filter_gives_a_disc_its_strength_and_a_wide_error_none(task):
    image = 35 * sites.disc((64, 64), (32, 32), lesions.RADIUS)
    assert lesions.matched(image)[32, 32] == pytest.approx(35, abs=1e-9)  # rounding
    assert np.abs(lesions.matched(np.full((64, 64), 35.0))).max() < 1e-9


def test_discs_that_the_clean_slice_lacks_are_found_with_their_strength(task):
    clean, even = np.full((128, 128), 100.0), np.ones((128, 128), dtype=bool)
    output = clean + lesions.drawn(clean.shape, [Lesion((40, 50), -45.0)], task)
    output += lesions.drawn(clean.shape, [Lesion((90, 90), 15.0)], task)  # too faint to count
    ((place, strength),) = lesions.invented(output, clean, even, task)
    assert place == (40, 50)
    assert strength == pytest.approx(-45, abs=1e-6)  # rounding
    assert lesions.invented(clean, clean, even, task) == []
    even[30:50, 40:60] = False
    assert lesions.invented(output, clean, even, task) == []


def test_side_effects_are_what_lesions_change_far_from_themselves(task):
    inside, lesion = np.ones((128, 128), dtype=bool), Lesion((40, 40), 60.0)
    near, far = apart(task, lesion), apart(task, Lesion((90, 90), 30.0))
    assert lesions.side_effects(near, [lesion], inside, task) == []
    ((place, strength),) = lesions.side_effects(near + far, [lesion], inside, task)
    assert (place, round(strength)) == ((90, 90), 30)
