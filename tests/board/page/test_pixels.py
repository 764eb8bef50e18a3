import base64
import json
import zlib

import numpy as np
import pytest

from denoisebench.board.page.pixels import OFFSET_HU, STEP_HU, pack, script, unpack


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (31, 18)])
def test_what_is_unpacked_is_what_was_packed_to_half_a_step(shape):
    hu = np.random.default_rng(0).normal(0, 3000, shape)
    assert np.abs(unpack(pack(hu), *shape) - hu).max() <= STEP_HU / 2


def test_steps_between_all_ends_survive():
    ends = np.array([[OFFSET_HU, 16383.5, 0.0], [16383.5, OFFSET_HU, -0.5], [0.5, 0.0, OFFSET_HU]])
    assert np.array_equal(unpack(pack(ends), 3, 3), ends)


def test_what_lies_outside_is_held():
    assert unpack(pack(np.array([[-1e9, 1e9]])), 1, 2).tolist() == [[OFFSET_HU, 16383.5]]


def test_a_script_names_its_key_as_data():
    text = script('a"b</script>', np.zeros((2, 3)))
    words = text.removeprefix("denoisebench.register(").removesuffix(");\n")
    key, rows, columns, packed = json.loads(f"[{words}]")
    assert (key, rows, columns) == ('a"b</script>', 2, 3)
    assert np.array_equal(unpack(zlib.decompress(base64.b64decode(packed)), 2, 3), np.zeros((2, 3)))


def test_a_smooth_slice_is_small():
    rows, columns = np.mgrid[:256, :256]
    # Four bytes a hundred pixels: a ramp's differences are all alike.
    assert len(script("a", rows / 2 + columns)) < 256 * 256 / 25
