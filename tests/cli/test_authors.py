"""`denoisebench new` and `denoisebench check`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from denoisebench.plugins.new import KINDS

ALL = pytest.mark.parametrize("what", KINDS)


@ALL
def test_what_new_writes_keeps_every_contract(denoisebench, what):
    answer = denoisebench("new", what, "my_own")
    assert (answer.code, answer.err) == (0, "")
    assert "denoisebench check my_own.py" in answer.out
    answer = denoisebench("check", "my_own.py", "--json")
    (found,) = json.loads(answer.out)
    assert answer.code == 0
    assert (found["kind"], found["name"]) == (KINDS[what], "my_own")
    assert {outcome["status"] for outcome in found["contracts"]} == {"passed"}


def test_the_test_that_new_writes_passes_and_turns_red(denoisebench):
    assert denoisebench("new", "loss", "my_own", "--out", "deep/er").code == 0
    folder = Path("deep/er")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    text = (folder / "my_own.py").read_text()
    (folder / "my_own.py").write_text(text.replace(".abs().pow(power).mean()", ".mean()"))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "mend" not in done.stderr


def test_a_loss_that_new_writes_stands_on_the_board(denoisebench, plugin, tiny_ct, tiny_task):
    assert denoisebench("new", "loss", "my_own").code == 0
    answer = denoisebench("run", "--plugin", plugin, "--plugin", "my_own.py", "--gen", "tiny",
                          "--loss", "my_own(power=1.2)", "--batch", 2, "--patch", 32, "--steps", 3,
                          "--task", tiny_task, "--data", tiny_ct)  # fmt: skip
    assert answer.code == 0
    assert "tiny · my_own(power=1.2)" in answer.out


def test_new_overwrites_nothing(denoisebench):
    Path("test_mine.py").write_text("precious")
    answer = denoisebench("new", "metric", "mine")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "test_mine.py exists already" in answer.err
    assert not Path("mine.py").exists()
    assert Path("test_mine.py").read_text() == "precious"


MISTAKES = {
    ("new", "los", "mine"): "nothing to write for 'los'",
    ("new", "loss", "l1"): "there is a loss named 'l1' already",
    ("new", "loss", "my-own"): "a Python identifier, got 'my-own'",
    ("new", "loss", "class"): "a Python identifier, got 'class'",
    ("new", "loss", "test_mine"): "are no plug-ins",
    ("check", "l11"): "no plug-in named 'l11'; nearest: l1",
    ("check", "nowhere.py"): "does not exist",
    ("check", "l1+mse"): "one plug-in at a time",
    ("check", "resunet(widht=8)"): "width",
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_line_and_code_2(denoisebench, words):
    answer = denoisebench(*words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert MISTAKES[words] in answer.err
    assert not list(Path().iterdir())


def test_check_says_what_fails_and_how_to_mend_it(denoisebench, tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(
        "from denoisebench import loss\n\n\n"
        '@loss("wrong")\n'
        "def wrong(output, target, *, power: int = 2):\n"
        '    """A sign error, and a knob that nothing is said of."""\n'
        "    return -((output - target) ** power).mean()\n"
    )
    answer = denoisebench("check", path)
    assert answer.code == 1
    assert "✗ documents its knobs" in answer.out
    assert "✗ grows with noise" in answer.out
    assert answer.out.count("mend:") >= 2
    assert "✓" in answer.out


def test_check_takes_a_name_with_knobs_and_every_kind_that_has_it(denoisebench):
    found = json.loads(denoisebench("check", "ssim", "--json").out)
    assert [entry["kind"] for entry in found] == ["loss", "metric"]
    found = json.loads(denoisebench("check", "ssim(window=7)", "--json").out)
    assert [(entry["kind"], entry["name"]) for entry in found] == [("loss", "ssim(window=7)")]


PLANTED = {
    "wrong_shape": "keeps the shape",
    "non_deterministic_eval": "repeats itself",
    "dead_parameter": "lets the gradient reach every parameter",
    "in_place_edit": "leaves its input alone",
    "range_error": "has an absolute unit",
    "sign_error": "grows with noise",
    "batch_dependent_output": "treats each slice alone",
    "count_off": "has the parameters it says",
    "knob_undocumented": "documents its knobs",
    "state_dict_not_round_trip": "is the same after saving",
    "nan_at_equality": "has a finite gradient at equality",
    "odd_size": "takes odd sides once padded",
}


def test_check_finds_twelve_of_twelve_planted_faults(denoisebench):
    answer = denoisebench("check", Path(__file__).with_name("planted_faults.py"), "--json")
    assert answer.code == 1
    broken = {
        entry["name"]: [o for o in entry["contracts"] if o["status"] == "failed"]
        for entry in json.loads(answer.out)
    }
    assert sorted(broken) == sorted(PLANTED)
    for name, promise in PLANTED.items():
        told = {outcome["name"].replace("_", " "): outcome for outcome in broken[name]}
        assert promise in told, (name, list(told))
        assert told[promise]["message"]
        assert told[promise]["mend"]
