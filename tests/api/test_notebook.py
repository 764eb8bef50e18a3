"""The notebook of the documentation: executed as it stands, small, and nobody's machine in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from denoisebench.scoring.submission.private import found_in, own_names

NOTEBOOKS = Path(__file__).parents[2] / "docs" / "notebooks"
LARGEST = 300_000  # bytes


@pytest.fixture(params=sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def notebook(request) -> Path:
    return request.param


def test_it_is_committed_as_executed_from_top_to_bottom(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    kinds = {output["output_type"] for cell in code for output in cell["outputs"]}
    assert "error" not in kinds
    assert "execute_result" in kinds


def test_it_is_small_and_says_nothing_of_who_executed_it(notebook):
    assert notebook.stat().st_size < LARGEST
    document = json.loads(notebook.read_text(encoding="utf-8"))
    assert set(document["metadata"]) == {"kernelspec", "language_info"}
    for cell in document["cells"]:
        for output in cell.get("outputs", ()):
            texts = [output.get("text", ""), *output.get("data", {}).items()]
            told = [text for text in texts if isinstance(text, str) or "image" not in text[0]]
            assert found_in(json.dumps(told, ensure_ascii=False), own_names()) is None


def test_no_cell_raises_here(here):
    environment = {**os.environ, "JUPYTER_PLATFORM_DIRS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, NOTEBOOKS / "execute.py", "--check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_cell_that_raises_is_told(here, monkeypatch):
    (here / "execute.py").write_bytes((NOTEBOOKS / "execute.py").read_bytes())
    cell = {"cell_type": "code", "source": "1 / 0", "metadata": {}, "outputs": [], "id": "a",
            "execution_count": None}  # fmt: skip
    broken = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (here / "broken.ipynb").write_text(json.dumps(broken))
    environment = {**os.environ, "JUPYTER_PLATFORM_DIRS": "1"}
    command = [sys.executable, here / "execute.py", "--check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
