import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from denoisebench.scoring.audit.sites import disc
from denoisebench.scoring.physics import transfer

MIDDLE = (transfer.HALF, transfer.HALF)
WHOLE = disc(transfer.SHAPE, MIDDLE, transfer.RADIUS)


def test_what_changes_nothing_transfers_everything():
    # 1e-12: the same numbers divided by themselves
    assert transfer.transfer(40 * WHOLE[None], 40.0) == pytest.approx(np.ones(51), abs=1e-12)
    assert transfer.transfer(-24 * WHOLE[None], -40.0) == pytest.approx(np.full(51, 0.6))


@pytest.mark.parametrize("width", [0.8, 1.5, 2.5])
def test_a_gaussian_transfers_as_theory_says(width):
    blurred = gaussian_filter(WHOLE, width, truncate=6)
    found = transfer.transfer(60 * blurred[None], 60.0)
    theory = np.exp(-2 * (np.pi * width * transfer.FREQUENCIES) ** 2)
    # 0.015: points of the edge half a pixel apart
    assert found / found[0] == pytest.approx(theory, abs=0.015)
    # A disc's edge is bent: the next term of its series is 3 s² / 8 R²
    assert found[0] == pytest.approx(1 - 3 / 8 * (width / transfer.RADIUS) ** 2, abs=0.01)
    # exp(-2π²s²f²) is a half at sqrt(ln 2 / 2) / (π s), a tenth at sqrt(ln 10 / 2) / (π s)
    for level in (0.5, 0.1):
        where = np.sqrt(np.log(1 / level) / 2) / (np.pi * width)
        if where < 0.5:
            assert transfer.falls_to(found, level) == pytest.approx(where, rel=0.04)


def test_noise_averages_out_over_discs():
    random = np.random.default_rng(2)
    discs = 40 * WHOLE + 5 * random.standard_normal((200, *transfer.SHAPE))
    # 5 HU on 200 discs and 31 pixels of edge a point, of 40 HU: 0.2 % a point, 33 points
    assert transfer.transfer(discs, 40.0) == pytest.approx(np.ones(51), abs=0.03)


def test_a_curve_that_does_not_fall_ends_at_the_highest_frequency():
    assert transfer.falls_to(np.ones(51), 0.5) == 0.5
    assert transfer.falls_to(np.zeros(51), 0.5) == 0
    # In the middle of two points, 0.2 and 0.21
    stairs = np.where(np.arange(51) <= 20, 1.0, 0.0)
    assert transfer.falls_to(stairs, 0.5) == pytest.approx(0.205)
