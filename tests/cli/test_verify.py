"""denoisebench verify, on a folder of CT and a network trained for three steps."""

import json
from pathlib import Path

import numpy as np
import pytest

from denoisebench.scoring.result import Verification, read_model, read_result, read_scores

FAST = ("--batch", 2, "--patch", 32, "--steps", 3)


@pytest.fixture
def ct(tmp_path, tiny_ct) -> Path:
    """Eight patients with a slice of 512 × 512, so that chance moves PSNR by hundredths only."""
    import pydicom

    folder = tmp_path / "ct"
    rows, columns = np.mgrid[:512, :512]
    for path in tiny_ct.rglob("0.dcm"):
        slice_ = pydicom.dcmread(path)
        patient = int(str(slice_.PatientID)[1:])
        disc = (rows - 250) ** 2 + (columns - 256) ** 2 < (150 + 8 * patient) ** 2
        slice_.Rows = slice_.Columns = 512
        slice_.PixelData = np.where(disc, 20 + 10 * patient, -1000).astype("<i2").tobytes()
        place = folder / f"{patient}.dcm"
        place.parent.mkdir(exist_ok=True)
        slice_.save_as(place)
    return folder


@pytest.fixture(autouse=True)
def salt(monkeypatch) -> int:
    """Stand in for the system's randomness: two slices would fail once in some by chance."""
    monkeypatch.setattr("secrets.randbits", lambda bits: 2017)
    return 2017


@pytest.fixture
def noisy(denoisebench, ct) -> Path:
    """A run of the noisy input."""
    assert denoisebench("run", "--baseline", "noisy", "--data", ct).code == 0
    return next(Path("runs").glob("noisy-*"))


def test_a_network_of_a_users_own_is_verified(denoisebench, plugin, ct, salt):
    words = ("--gen", "tiny", "--loss", "l1", *FAST, "--plugin", plugin, "--data", ct)
    # references of the board are none of this test's business, BM3D least of all
    Path("task.toml").write_text(
        'name = "ct-sigma50"\nversion = 1\nsummary = "the same without references"\n'
        'window_hu = [-160, 240]\nmetrics = ["psnr", "psnr_body", "ssim", "rmse_hu", "lpips"]\n'
        'noise = {protocol = "awgn50", sigma = 50}\n'
    )
    assert denoisebench("run", *words, "--task", "task.toml").code == 0
    folder = next(Path("runs").glob("tiny-*"))
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    answer = denoisebench("verify", folder.name, "--data", ct, "--plugin", plugin)
    assert answer.code == 0, answer.out + answer.err
    assert "tiny · l1: verified" in answer.out
    assert "lpips            not measured" in answer.out  # this cache holds no weights
    found = read_model(folder / "verification.json", Verification)
    assert found.passed
    assert found.recipe == read_result(folder / "result.json").recipe
    assert int(found.details["salt"], 16) == salt
    assert len(found.details["weights_sha256"]) == 64
    after = {name: (folder / name).read_bytes() for name in before}
    assert after == before  # nothing else is touched


def test_a_run_that_says_more_than_it_scores_fails_with_one_sentence(denoisebench, noisy, ct):
    text = (noisy / "scores.csv").read_text()
    (noisy / "scores.csv").write_text(text.replace(",psnr,14.", ",psnr,15."))
    answer = denoisebench("verify", noisy.name, "--data", ct)
    assert answer.code == 1
    assert "unverified: the mean of psnr in result.json is not that of scores.csv" in answer.out
    found = read_model(noisy / "verification.json", Verification)
    assert (found.passed, found.measured) == (False, None)
    assert found.reported == read_result(noisy / "result.json").metrics["psnr"].mean


def test_a_baseline_is_verified_without_weights_and_without_its_cache(denoisebench, noisy, ct):
    answer = denoisebench("verify", noisy, "--data", ct, "--slices", 1, "--json")
    found = json.loads(answer.out)
    assert (answer.code, found["passed"]) == (0, True), answer.out
    assert found["details"]["weights_sha256"] is None
    assert found["details"]["slices"] == 1
    scores = [one.value for one in read_scores(noisy / "scores.csv") if one.metric == "psnr"]
    assert found["reported"] in scores
    assert found == json.loads((noisy / "verification.json").read_text())


def test_what_cannot_be_verified_is_refused_in_one_line(denoisebench, noisy, ct, one_patient):
    for words, told in (
        (("nothing", "--data", ct), "no run is called 'nothing'"),
        ((noisy, "--data", one_patient), "other pixels or another split"),
        ((noisy, "--data", "no/where"), "no data set and no folder"),
        ((noisy, "--data", ct, "--slices", 0), "--slices"),
    ):
        answer = denoisebench("verify", *words)
        assert answer.code == 2
        assert told in answer.err
        assert len(answer.err.strip().splitlines()[-1:]) == 1
    assert not (noisy / "verification.json").exists()
