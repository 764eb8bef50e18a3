"""denoisebench data: what it prints, and what it returns."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def denoisebench(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    import os

    return subprocess.run(
        [sys.executable, "-m", "denoisebench", "data", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DENOISEBENCH_HOME": str(home), "COLUMNS": "100"},
    )


def test_real_ct_is_prepared_listed_and_verified_whole(tmp_path: Path, ct_folder: Path) -> None:
    done = denoisebench(tmp_path, "verify", str(ct_folder))
    assert done.stdout.splitlines() == [
        "236 of 236 slices equal the digests of manifest.csv",
        "236 of 236 slices equal their digests",
        "no patient and no slice is in two splits",
        "236 of 236 slices of tcia-mini are among them",
    ]
    assert done.returncode == 0
    everything = json.loads(denoisebench(tmp_path, "list", "--json").stdout)
    states = [(entry["name"], entry["state"]) for entry in everything]
    assert states == [
        ("phantom", "embedded"), ("ct-lymph-nodes", "public"), ("tcia-mini", "public"),
        ("tcia-mini", "prepared"),
    ]  # fmt: skip
    listed = everything[-1]
    assert listed["name"] == "tcia-mini"
    assert listed["slices"] == [144, 41, 51]
    assert listed["patients"] == [30, 15, 19]
    assert listed["licences"] == ["CC BY 3.0", "CC BY 4.0"]
    again = denoisebench(tmp_path, "verify", "tcia-mini", "--json")
    assert json.loads(again.stdout)[0]["right"] == 236
    report = denoisebench(tmp_path, "prepare", str(ct_folder))
    assert "236 slices of 64 patients, from 236 of 236 files" in report.stdout


def test_the_report_says_why_files_were_set_aside(tmp_path: Path, ct_odd_folder: Path) -> None:
    done = denoisebench(tmp_path, "prepare", str(ct_odd_folder), "--out", str(tmp_path / "odd"))
    assert done.returncode == 0, done.stderr
    assert "5 slices of 5 patients, from 8 of 35 files" in done.stdout
    assert "4  a localizer, not a slice in HU" in done.stdout
    facts = json.loads(
        denoisebench(
            tmp_path, "prepare", str(ct_odd_folder), "--out", str(tmp_path / "odd"), "--json"
        ).stdout
    )
    assert len(facts["set_aside"]) == 30
    assert {"path": "seg.dcm", "reason": "not CT: modality SEG"} in facts["set_aside"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("prepare", "nowhere"), "no folder 'nowhere'; give one that holds DICOM files"),
        (("verify", "nowhere"), "no data set and no folder named 'nowhere'; use phantom, ct-lymph"),
        (("verify", "."), "'.' has no manifest.csv to hold it against"),
        (("verify", "phantom"), "phantom is drawn by this program"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = denoisebench(tmp_path / "home", *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {said}")
    assert done.stderr.count("\n") == 1


def test_help_lists_the_four_commands_in_one_panel(tmp_path: Path) -> None:
    lines = denoisebench(tmp_path, "--help").stdout.splitlines()
    first = next(number for number, line in enumerate(lines) if "Commands" in line)
    rest = "\n".join(lines[first:])
    assert all(f"│ {name}" in rest for name in ("fetch", "list", "prepare", "verify"))
    assert not any(panel in line for line in lines[:first] for panel in ("Look", "Trust"))
