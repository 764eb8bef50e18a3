"""`denoisebench audit RUN`, `audit --physics RUN` and `run --audit`."""

import json
from pathlib import Path

import pytest

FEW = ("--slices", 2, "--seeds", 2)
COLUMNS = {"lesions_found", "contrast_recovery", "invented", "contradictions", "seed_spread"}


@pytest.fixture
def audit(denoisebench, roomy_ct):
    """Audit a blur that was scored before."""
    words = ("run", "--baseline", "gaussian(width=1.0)", "--data", roomy_ct)
    assert denoisebench(*words).code == 0
    return lambda *more: denoisebench("audit", the_run().name, "--data", roomy_ct, *FEW, *more)


def the_run(pattern: str = "gaussian-*") -> Path:
    (folder,) = Path("runs").glob(pattern)
    return folder


def test_an_audit_prints_its_columns_and_leaves_them_beside_the_result(audit):
    answer = audit()
    assert answer.code == 0
    found = json.loads((the_run() / "audit.json").read_text())
    assert set(found["columns"]) == COLUMNS
    assert all(name in answer.out for name in COLUMNS)
    assert "2 slices of 2 patients, 2 noises each" in answer.out
    result = json.loads((the_run() / "result.json").read_text())
    assert found["recipe"] == result["recipe"]
    assert (the_run() / "audit.png").read_bytes()[:4] == b"\x89PNG"
    assert not list(the_run().glob("*.writing"))
    kinds = {place["kind"] for place in found["places"]}
    assert kinds <= {"contradiction", "invented", "lost lesion"}
    # A blur of one pixel keeps most of a disc of ten, and all of this data is even tissue
    assert found["columns"]["contrast_recovery"]["mean"] == pytest.approx(0.85, abs=0.05)
    assert found["columns"]["lesions_found"]["mean"] == 1


def test_an_audit_comes_out_the_same_again(audit):
    first = audit("--json")
    pictures = [(the_run() / "audit.png").read_bytes()]
    assert audit("--json").out == first.out
    pictures.append((the_run() / "audit.png").read_bytes())
    assert pictures[0] == pictures[1]
    assert json.loads(first.out) == json.loads((the_run() / "audit.json").read_text())


def test_physics_prints_its_columns_and_leaves_curves(audit):
    answer = audit("--physics")
    assert answer.code == 0
    found = json.loads((the_run() / "physics.json").read_text())
    assert {"noise", "d_prime", "f50_+40hu", "bias_soft"} <= set(found["columns"])
    assert {"NPS", "TTF +40 HU", "TTF -40 HU"} <= set(found["curves"])
    assert (the_run() / "physics.png").exists()
    assert not (the_run() / "audit.json").exists()
    # There is no bone in these slices
    bone = found["columns"]["bias_bone"]
    assert (bone["mean"], bone["reason"]) == (None, "too little bone")
    assert "too little bone" in answer.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("audit", "nothing"), "no run is called 'nothing'"),
        (("audit", "nothing", "--slices", 1), "x>=2"),
        (("audit",), "Missing argument 'RUN'"),
    ],
)
def test_mistakes_are_one_line(denoisebench, words, message):
    answer = denoisebench(*words)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert answer.err.count("\n") == 1


def test_other_data_than_the_run_was_scored_on_are_refused(audit, denoisebench, tiny_ct):
    answer = denoisebench("audit", the_run(), "--data", tiny_ct)
    assert answer.code == 2
    assert "give --data what the run had" in answer.err
    assert not list(the_run().glob("audit*"))


def test_a_network_is_audited_right_after_it_was_scored(denoisebench, plugin, roomy_ct):
    words = ("run", "--gen", "tiny", "--loss", "l1", "--steps", 3, "--batch", 2, "--patch", 32,
             "--plugin", plugin, "--data", roomy_ct, "--audit")  # fmt: skip
    answer = denoisebench(*words)
    assert answer.code == 0
    assert "tiny · l1" in answer.out
    found = json.loads((the_run("tiny-*") / "audit.json").read_text())
    # An untrained network keeps most of the noise
    assert found["columns"]["seed_spread"]["mean"] > 20
    assert found["details"]["seeds"] == 8


def test_a_run_is_not_audited_unless_asked(audit):
    assert not list(the_run().glob("audit*"))


def test_a_network_that_diverged_costs_its_twin_no_audit(denoisebench, plugin, roomy_ct):
    words = ("run", "--gen", "tiny", "--loss", "cgan + nan_loss", "--disc", "pixel", "--twin",
             "--steps", 3, "--batch", 2, "--patch", 32, "--plugin", plugin, "--data", roomy_ct,
             "--audit")  # fmt: skip
    answer = denoisebench(*words)
    assert answer.code == 1
    assert "diverged" in answer.out
    assert "Traceback" not in answer.err
