"""denoisebench data fetch: what it says when it cannot, and what it prints when it can."""

import json
import socket

import pytest

from denoisebench.cli import data_fetch
from denoisebench.data.fetch import known, transfer
from denoisebench.lock import LOCK


def test_an_unknown_name_names_the_nearest(denoisebench):
    answer = denoisebench("data", "fetch", "tcia-mimi")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "Error: no public data set named 'tcia-mimi'; nearest: tcia-mini. "
        "All: ct-lymph-nodes, tcia-mini\n"
    )


@pytest.mark.parametrize("count", ["2", "0", "-1", "x"])
def test_too_few_patients_are_refused(denoisebench, count):
    answer = denoisebench("data", "fetch", "ct-lymph-nodes", "--patients", count)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "--patients" in answer.err


@pytest.mark.parametrize("missing", data_fetch.EXTRA)
def test_without_the_extra_one_line_says_which(denoisebench, monkeypatch, missing):
    """A patch stands for a machine without the package."""
    monkeypatch.setattr(data_fetch, "find_spec", lambda name: None if name == missing else name)
    answer = denoisebench("data", "fetch", "tcia-mini")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == (
        f"Error: data fetch needs {missing}, which is not installed: "
        "pip install 'denoisebench[fetch]'\n"
    )
    assert not known.default_folder("tcia-mini").exists()


@pytest.mark.parametrize("words", [["tcia-mini"], ["ct-lymph-nodes", "--patients", "3"]])
def test_a_machine_without_a_network_gets_one_line(denoisebench, monkeypatch, tmp_path, words):
    pytest.importorskip("requests", reason="the extra fetch is not installed")
    pytest.importorskip("idc_index_data", reason="the extra fetch is not installed")
    monkeypatch.setattr(transfer, "PAUSE_SECONDS", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        answer = denoisebench("data", "fetch", *words, "--from", url, "--out", tmp_path / "out")
    assert (answer.code, answer.out) == (1, "")
    first, error = answer.err.splitlines()
    assert first.startswith(f"{words[0]}: ")
    assert "CC BY 3.0" in first
    assert error.startswith(
        f"Error: {words[0]}: the archive cannot be reached (127.0.0.1: Connection refused); 0 of "
    )
    assert {path.name for path in (tmp_path / "out").iterdir()} == {LOCK}


def test_what_could_not_be_had_is_named_and_the_exit_code_is_1(denoisebench, monkeypatch, tmp_path):
    """A patch stands for a fetch that lost a slice; tests/data/fetch has real ones."""
    download = pytest.importorskip(
        "denoisebench.data.fetch.download", reason="the extra fetch is not installed"
    )

    def lost(facts, rows, folder, **rest):
        failure = download.Failure("a/b.dcm", "the archive answers 404")
        return download.Fetched(facts.name, folder, 236, 235, 10, 0, (failure,))

    monkeypatch.setattr(download, "fetch", lost)
    answer = denoisebench("data", "fetch", "tcia-mini", "--json", "--out", tmp_path)
    assert answer.code == 1
    assert answer.err.splitlines()[1:] == [
        "a/b.dcm: the archive answers 404",
        "Error: 1 slices of tcia-mini could not be had; the same command goes on",
    ]
    assert json.loads(answer.out) == {
        "name": "tcia-mini",
        "folder": str(tmp_path),
        "wanted": 236,
        "here": 235,
        "new": 10,
        "set_aside": 0,
        "failures": [{"path": "a/b.dcm", "reason": "the archive answers 404"}],
    }
