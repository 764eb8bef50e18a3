"""Altered slices are other bodies of the same difficulty; and no child sees a slice twice."""

from collections import Counter

import numpy as np
import pytest

from denoisebench.data.scan import Slice
from denoisebench.scoring.verify import alteration
from denoisebench.scoring.verify.secret import chosen, showings


def body(rows: int = 96, columns: int = 80) -> np.ndarray:
    row, column = np.mgrid[:rows, :columns]
    inside = np.hypot(row - 40, column - 36) < 30
    texture = np.random.default_rng(0).normal(0, 10, (rows, columns))
    return np.where(inside, 40 + texture, -1000).astype(np.int16)


def test_nothing_is_interpolated(monkeypatch):
    """Without field and lesions, an altered slice has no pixel that the original has not."""
    monkeypatch.setattr(alteration, "FIELD_HU", 0.0)
    monkeypatch.setattr(alteration, "LESIONS", (0, 0))
    hu = body()
    shapes = set()
    for seed in range(20):
        made = alteration.altered(hu, np.random.default_rng(seed))
        assert np.isin(made, hu).all()
        shapes.add(made.shape)
    assert shapes == {(96, 80), (80, 96)}
    monkeypatch.setattr(alteration, "WARP", 0.0)
    made = alteration.altered(hu, np.random.default_rng(0))
    assert np.array_equal(np.sort(made, axis=None), np.sort(hu, axis=None))


def test_pixels_are_pushed_by_two_of_512_and_no_turn_or_roll_takes_it_back():
    row, column = np.mgrid[:512, :512].astype(np.int16)
    pushed = [
        alteration._warped(image, np.random.default_rng(0)).astype(int) - image
        for image in (row, column)
    ]
    inner = (slice(2, -2), slice(2, -2))  # at the border they are held back
    for push in pushed:
        assert np.abs(push).max() == 2
        assert len(np.unique(push[inner])) >= 3  # not one shift for all


def test_every_salt_alters_otherwise_and_the_same_salt_alike():
    made = [alteration.altered(body(), np.random.default_rng(seed)) for seed in range(30)]
    assert len({(image.shape, image.tobytes()) for image in made}) == 30
    again = alteration.altered(body(), np.random.default_rng(3))
    assert np.array_equal(again, made[3])


def test_the_field_is_slow_and_bounded_and_lesions_are_as_strong_as_they_say():
    waves = alteration._waves((128, 128), np.random.default_rng(1))
    assert np.abs(waves).max() == pytest.approx(1)
    # four waves of at most two periods a side, each at most as high as all of them together
    assert np.abs(np.diff(waves, axis=0)).max() < 4 * 2 * np.pi * 2 / 128
    for seed in range(5):
        lesions = alteration._lesions(np.full((256, 256), 40.0), np.random.default_rng(seed))
        assert 15 < np.abs(lesions).max() < 8 * 60


def test_extremes_stay_int16_and_air_gets_no_lesion():
    hu = np.full((64, 64), -32768, np.int16)
    hu[0, 0] = 32767
    made = alteration.altered(hu, np.random.default_rng(0))
    assert made.dtype == np.int16
    assert made.min() < -32700
    assert not alteration._lesions(hu.astype(float), np.random.default_rng(0)).any()


@pytest.fixture
def slices():
    """Two patients with six slices, four with one."""
    patients = [*"aaaaaabbbbbb", *"cdef"]
    return [Slice(body() + np.int16(place), patient, "s") for place, patient in enumerate(patients)]


def test_each_child_sees_each_slice_once_and_together_they_see_both(slices):
    first, second = showings(slices, salt=7)
    for own in (first, second):
        assert Counter(one.original.digest for one in own) == Counter(s.digest for s in slices)
        assert 0 < sum(one.altered for one in own) < len(own)
    pairs = Counter((one.original.digest, one.altered) for one in (*first, *second))
    assert len(pairs) == 2 * len(slices)
    order = [slice_.digest for slice_ in slices]
    assert [one.original.digest for one in first] != order
    assert [one.original.digest for one in first] != [one.original.digest for one in second]


def test_another_salt_is_another_order_coin_and_choice(slices):
    assert [o.altered for o in showings(slices, 1)[0]] != [
        o.altered for o in showings(slices, 2)[0]
    ]
    names = [{one.digest for one in chosen(slices, 8, salt)} for salt in range(4)]
    assert any(one != names[0] for one in names)


def test_a_choice_takes_every_patient_before_a_second_slice_of_one(slices):
    for salt in range(5):
        assert {one.patient for one in chosen(slices, 6, salt)} == set("abcdef")
    assert len(chosen(slices, None, 0)) == len(chosen(slices, 99, 0)) == 16


def test_an_altered_showing_is_another_slice_with_noise_of_its_own(slices):
    for one in (*showings(slices, 3)[0], *showings(slices, 3)[1]):
        assert (one.slice.digest == one.original.digest) is not one.altered
        assert one.slice.patient == one.original.patient
        assert one.slice.digest == one.slice.digest  # the same each time it is asked
