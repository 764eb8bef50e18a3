import pytest

from denoisebench.errors import UsageError
from denoisebench.fleet.listed import expressions, seeds


@pytest.mark.parametrize(("text", "found"), [
    ("l1", ("l1",)),
    ("l1,cgan+l1", ("l1", "cgan+l1")),
    (" l1 , cgan + 100*l1 ", ("l1", "cgan + 100*l1")),
    ('unet7(norm="batch",dropout=0.0),resunet', ('unet7(norm="batch",dropout=0.0)', "resunet")),
    ('a(b="x,(y"),c', ('a(b="x,(y")', "c")),
    ("a(b=(1, 2)),c(d=[3, 4])", ("a(b=(1, 2))", "c(d=[3, 4])")),
])  # fmt: skip
def test_commas_separate_outside_parentheses_and_quotes(text, found):
    assert expressions(text) == found


@pytest.mark.parametrize("text", [
    "", " ", ",", "l1,", ",l1", "l1,,mse", "unet7(", "unet7)", 'a(b="x),c', "l1\nmse", "l1,\x00",
    "l1, 3 mse", "(" * 5000, "a," * 20_000, "import os, l1",
])  # fmt: skip
def test_what_is_no_list_of_expressions_is_a_mistake(text):
    with pytest.raises(UsageError):
        expressions(text)


@pytest.mark.parametrize(("text", "found"), [
    ("3", (3,)), ("0..2", (0, 1, 2)), ("0,1,5", (0, 1, 5)), ("5,0..1", (5, 0, 1)),
    ("0..2,1", (0, 1, 2)), ("7..7", (7,)),
])  # fmt: skip
def test_seeds_are_numbers_and_ranges_each_once(text, found):
    assert seeds(text) == found


@pytest.mark.parametrize("text", [
    "", "x", "-1", "1.5", "0...2", "0..", "..2", "1,,2", "2..0", "0..1000",
    "0..9999999999999999999", "0..999,2000", "²", "٣", "1e3",
])  # fmt: skip
def test_what_is_no_seed_is_a_mistake_of_one_line(text):
    with pytest.raises(UsageError) as mistake:
        seeds(text)
    assert "\n" not in str(mistake.value)
