import dataclasses

import numpy as np
import pytest

from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import Slice
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.scoring import denoisers, tune
from denoisebench.task import load_task

BLUR = '''
from scipy.ndimage import gaussian_filter

from denoisebench import baseline


@baseline("blur", tune={"width": [0.5, 2.0, 6.0], "gain": [0.5, 1.0]})
def blur(noisy, sigma, *, width: float = 0.5, gain: float = 1.0, channels: int = 7):
    """A blur.

    Knobs:
        width: of the blur.
        gain: what the result is multiplied by.
        channels: filled from the task.
    """
    assert channels == 1
    return gain * gaussian_filter(noisy, width)
'''


@pytest.fixture
def part(tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    (tmp_path / "blur.py").write_text(BLUR)
    catalogue = find([tmp_path / "blur.py"])
    return lambda text: resolve(text, "baseline", catalogue)[0]


def slices(split, count):
    row, column = np.mgrid[0:64, 0:64]
    found = []
    for number in range(count):
        hu = np.where(np.hypot(row - 32, column - 25 - number) < 20, 100, -100).astype(np.int16)
        found.append(Slice(hu, f"{split}{number}", "1.2"))
    return tuple(found)


@pytest.fixture
def data():
    class Untouchable(tuple):
        def __iter__(self):
            raise AssertionError("the test split was looked at")

        __getitem__ = __iter__

    return DataSet("made", slices("train", 2), slices("val", 10), Untouchable(slices("test", 3)))


TASK = load_task("ct-sigma50")


def test_the_best_setting_on_validation_slices_is_chosen_and_spelled_out(part, data):
    chosen, tuning = tune.tuned(part("blur"), data, TASK, workers=1)
    assert chosen.text == "blur(width=2, gain=1)"
    assert tuning.chosen == {"width": 2.0, "gain": 1.0}
    assert len(tuning.tried) == 6
    best = max(psnr for _, psnr in tuning.tried)
    assert dict(tuning.chosen) in [setting for setting, psnr in tuning.tried if psnr == best]
    assert tuning.at_the_edge == ("gain",)


def test_what_the_user_gave_is_not_tuned_even_where_it_is_the_default(part, data):
    chosen, tuning = tune.tuned(part("blur(width=0.5)"), data, TASK, workers=1)
    assert tuning.chosen == {"gain": 1.0}
    assert chosen.knobs["gain"] == 1.0
    assert chosen.knobs.get("width", 0.5) == 0.5
    same, nothing = tune.tuned(part("blur(width=0.5, gain=0.5)"), data, TASK, workers=1)
    assert nothing is None
    assert same == part("blur(width=0.5, gain=0.5)")


def test_a_tuning_is_kept_and_not_repeated(part, data, monkeypatch):
    first = tune.tuned(part("blur"), data, TASK, workers=1)
    monkeypatch.setattr(denoisers, "each", None)
    assert tune.tuned(part("blur"), data, TASK, workers=1) == first
    (kept,) = (tune.home() / "baselines" / "blur").glob("tuned-*.json")
    kept.write_text("[1, 2")
    with pytest.raises(TypeError):  # it would be done again
        tune.tuned(part("blur"), data, TASK, workers=1)


def test_without_validation_slices_the_defaults_stand(part, data):
    bare = dataclasses.replace(data, val=())
    assert tune.tuned(part("blur"), bare, TASK, workers=1) == (part("blur"), None)
