"""Files are not code: hostile ones are refused in one line, run nothing, and cost next to nothing.

Hostile DICOM (claimed sizes, deflate bombs, codestreams that lie) is in
tests/data/intake/test_dicom_damaged.py, a pickle among fetched weights in
tests/scoring/weights/test_archive.py, what a confined child may answer in
tests/scoring/verify/test_box.py, and more submissions in tests/cli/test_submit.py.
"""

import ast
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import LEFT_OUT, MARK, REFUSED, Evil

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OURS = ("UsageError", "Unavailable", "NotCT")
MOST_BYTES = 200 << 20
MOST_SECONDS = 5.0  # of the process' own time: the machine may be busy with other things

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[list[str]], Any]]:
    """Ask a warm process, in a fork of its own, to read a file."""
    home = tmp_path_factory.mktemp("home")
    stage = subprocess.Popen(
        [sys.executable, "-P", str(HERE / "stage.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "DENOISEBENCH_HOME": str(home), "COLUMNS": "200"},
    )  # fmt: skip

    def asked(question: list[str]) -> Any:
        stage.stdin.write(json.dumps(question) + "\n")
        stage.stdin.flush()
        return json.loads(stage.stdout.readline())

    yield asked
    stage.stdin.close()
    stage.stdout.close()
    stage.wait()


def cheap(answer: dict) -> bool:
    return answer["seconds"] < MOST_SECONDS and answer["grown"] < MOST_BYTES


def one_of_ours(answer: dict) -> bool:
    """Exit code 2 with its line, or one of our errors; an expression is shown with a caret."""
    said = answer["said"].strip()
    ours = answer["error"] in OURS or (answer["error"] == "RuntimeError" and said[:8] == "2 Error:")
    return ours and "Traceback" not in said and (said.count("\n") == 0 or said.endswith("^"))


@linux
@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_in_one_line_runs_nothing_and_costs_little(ask, tmp_path, name):
    answer = ask(REFUSED[name](tmp_path / "here"))
    assert one_of_ours(answer), answer
    assert cheap(answer), answer
    assert not list(tmp_path.rglob(MARK))


@linux
@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_hostile_file_beside_others_is_left_out_and_costs_little(ask, tmp_path, name):
    """A board or a page goes on without it, or says in one line that nothing is left."""
    answer = ask(LEFT_OUT[name](tmp_path))
    assert answer["error"] is None or one_of_ours(answer), answer
    assert cheap(answer), answer


BUSY = "import time\nend = time.process_time() + 5.5\nwhile time.process_time() < end: pass"
CONTROLS = {
    "memory": ("x = bytes(300 << 20); y = bytearray(b'1') * (300 << 20)", cheap),
    "time": (BUSY, cheap),
    "another error": ("raise KeyError('x')", one_of_ours),
    "two lines": (r"import denoisebench; raise denoisebench.UsageError('a\nb')", one_of_ours),
}


@linux
@pytest.mark.parametrize("name", CONTROLS)
def test_what_a_careless_reader_does_is_seen(ask, name):
    code, broken = CONTROLS[name]
    assert not broken(ask(["careless", code]))


@linux
def test_the_pickle_would_leave_its_mark(ask, tmp_path):
    ask(["careless", f"import pickle; pickle.loads({pickle.dumps(Evil(tmp_path))!r})"])
    assert (tmp_path / MARK).exists()


ALLOWED = {
    # What a baseline's own `fit` made goes to its own workers by a pipe, never to a disk.
    ("denoisebench/scoring/denoisers.py", "pickle.loads"),
    # Refuses any global but the parts of a float32 array.
    ("denoisebench/scoring/weights/archive.py", "pickle.Unpickler"),
    # The one place where a plug-in that was named is run.
    ("denoisebench/plugins/load.py", "exec_module"),
    # A room of the tests, by its place: the planted leaks.
    ("benchmarks/leaks.py", "exec_module"),
    # A cheat, and the scorer that falls for it.
    ("benchmarks/canaries.py", "pickle.loads"),
}
FORBIDDEN = {"pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads", "shelve.open",
             "yaml.load", "eval", "exec", "os.system", "os.popen", "joblib.load",
             "torch.hub.load"}  # fmt: skip
METHODS = {"extractall", "exec_module"}
NEEDED = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False),
          "numpy.load": ("allow_pickle", False)}  # fmt: skip


def careless(source: str) -> set[str]:
    """Name the calls in a source by which a file could become code."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            found |= {ast.unparse(base) for base in node.bases} & FORBIDDEN
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        told = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
        found |= {called} & FORBIDDEN | {called.rpartition(".")[2]} & METHODS
        word, value = NEEDED.get(called, (None, None))
        if word and told.get(word) is not value:
            found.add(f"{called} without {word}={value}")
        if told.get("shell"):
            found.add("shell=True")
    return found


def test_no_reader_in_the_source_could_run_a_file():
    sources = [path for room in ("denoisebench", "registry", "benchmarks", "docs")
               for path in (ROOT / room).rglob("*.py")]  # fmt: skip
    found = {
        (path.relative_to(ROOT).as_posix(), call)
        for path in sources
        for call in careless(path.read_text(encoding="utf-8"))
    }
    assert found == ALLOWED
    assert len(sources) > 150


@pytest.mark.parametrize(
    "code",
    ["pickle.load(f)", "torch.load(f)", "torch.load(f, weights_only=False)", "np.load(f)",
     "np.load(f, allow_pickle=True)", "yaml.load(f)", "eval(x)", "exec(x)", "a.extractall()",
     "subprocess.run(x, shell=True)", "class A(pickle.Unpickler): pass", "os.system(x)"],
)  # fmt: skip
def test_a_careless_reader_in_the_source_is_found(code):
    assert careless(code)
