import pytest

from denoisebench.board.render.numbers import count, duration, memory


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "-"), (0, "-"), (87, "87"), (2.9e6, "2.9 M"), (3.1e10, "31.0 G")],
)
def test_counts_are_short(number, text):
    assert count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.0001, "0.1 ms"), (0.0129, "12.9 ms"), (14.9, "14.9 s"), (120, "2.0 min"),
     (36000, "10.0 h")],
)  # fmt: skip
def test_durations_have_a_fitting_unit(seconds, text):
    assert duration(seconds) == text


def test_memory_is_in_bytes():
    assert [memory(size) for size in (None, 512, 1_400_000_000)] == ["-", "512 B", "1.4 GB"]
