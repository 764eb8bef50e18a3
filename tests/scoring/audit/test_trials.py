import numpy as np
import pytest

from denoisebench.data.scan import Slice
from denoisebench.scoring.audit.sites import choose
from denoisebench.scoring.audit.stability import seed_spread
from denoisebench.scoring.audit.trials import by_turns, column, denoised, under_seeds
from denoisebench.scoring.denoisers import Denoised


def slices(*patients: str) -> list[Slice]:
    return [
        Slice(np.full((8, 8), number, dtype=np.int16), patient, "1")
        for number, patient in enumerate(patients)
    ]


def test_every_patient_has_a_slice_before_any_has_a_second():
    chosen = by_turns(slices("a", "a", "a", "b", "b", "c"), 5)
    assert [one.patient for one in chosen] == ["a", "b", "c", "a", "b"]
    assert len(by_turns(slices("a", "b"), 9)) == 2


def test_outputs_come_back_with_their_slice_from_a_denoiser_that_reads_ahead(task):
    def reading_ahead(noisy_slices):
        for noisy in list(noisy_slices):
            yield Denoised(noisy + 1, 0.0)

    trials = [
        under_seeds(task, one, seeds) for one, seeds in zip(slices(*"abc"), (2, 4, 3), strict=True)
    ]
    found = list(denoised(reading_ahead, iter(trials)))
    assert [trial for trial, _ in found] == trials
    for trial, outputs in found:
        assert np.array_equal(outputs, np.stack(trial.noisy) + 1)
        assert len({image.tobytes() for image in trial.noisy}) == len(trial.noisy)


def test_a_column_averages_patients_and_says_what_is_missing():
    found = column([1.0, 3.0, 6.0, None], ["a", "a", "b", "b"], "HU", "lower", "no room")
    assert (found.mean, found.n, found.missing, found.reason) == (4.0, 3, 1, "no room")
    assert found.lo < 4.0 < found.hi
    nothing = column([None], ["a"], "HU", "lower", "no room")
    assert (nothing.mean, nothing.n, nothing.reason) == (None, 0, "no room")
    assert column([1.0, 2.0], ["a", "b"], "HU", "lower", "no room").reason is None


def test_seed_spread_is_the_deviation_over_seeds_in_hu(task):
    outputs = np.random.default_rng(0).standard_normal((400, 40, 40)) * 5 * task.grey_per_hu
    outputs += np.arange(40.0)  # structure does not count
    body = np.zeros((40, 40), dtype=bool)
    body[:20] = True
    outputs[:, 20:] *= 9  # outside
    found = seed_spread(outputs, body, task)
    # 400 seeds: a deviation is known to 3.5 %, the mean of 800 pixels to 0.13 %
    assert found.mean == pytest.approx(5, rel=0.01)
    assert found.high == pytest.approx(5 * (1 + 2.33 * 0.035), rel=0.03)
    assert seed_spread(np.ones((3, 40, 40)), body, task).mean == 0


def test_places_are_apart_inside_the_mask_and_the_same_again():
    mask = np.zeros((60, 60), dtype=bool)
    mask[20:50, 10:50] = True
    places = choose(mask, "ab" * 32, 5, 12.0)
    assert places == choose(mask, "ab" * 32, 5, 12.0)
    assert places != choose(mask, "ab" * 32, 5, 12.0, seed=1)
    assert len(places) == 5
    assert all(mask[place] for place in places)
    assert min(np.hypot(*np.subtract(a, b)) for a in places for b in places if a != b) >= 12
    assert choose(np.zeros_like(mask), "ab" * 32, 5, 12.0) == []
