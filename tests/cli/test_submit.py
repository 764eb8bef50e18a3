"""denoisebench submit: what is packed, what is refused, and what a stranger's zip cannot do."""

import json
import os
import pickle
import shutil
import struct
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from safetensors.numpy import save_file

from denoisebench.cli import main as cli
from denoisebench.plugins.find import find
from denoisebench.scoring.result import (
    MetricResult,
    Result,
    Score,
    Verification,
    write_model,
    write_scores,
)
from denoisebench.scoring.statistics import estimate
from denoisebench.task import load_task
from denoisebench.training.recipe import plan


class Split:
    """What a recipe asks of a data set."""

    name, digest, split_digest, train = "folder-12345678", "a" * 64, "b" * 64, ()


@pytest.fixture
def folder(tmp_path, plugin) -> Path:
    """A run's folder as `run` leaves it, made by hand; of a user's own generator and loss."""
    place = tmp_path / "runs" / "tiny-my_loss-0123"
    place.mkdir(parents=True)
    catalogue = find([plugin])
    planned = plan(catalogue, generator="tiny", loss="my_loss", steps=3)
    recipe = planned.recipe(load_task("ct-sigma50"), Split)
    recipe.write(place / "recipe.toml")
    psnr = [28.0, 29.0, 30.5]
    slices, patients = [f"{n:016x}" for n in range(3)], [f"{n:012x}" for n in (7, 7, 8)]
    scores = [
        Score(slice=slice_, patient=patient, metric="psnr", value=value)
        for slice_, patient, value in zip(slices, patients, psnr, strict=True)
    ]
    write_scores(place / "scores.csv", scores)
    found = estimate(psnr, patients)
    mean = MetricResult(mean=found.mean, lo=found.low, hi=found.high, unit="dB", better="higher",
                        version=1, n=3, missing=0)  # fmt: skip
    Result(
        method=recipe.method, kind="network", task="ct-sigma50", task_version=1, data=Split.name,
        data_digest=Split.digest, split_digest=Split.split_digest, recipe=recipe.hash, n_slices=3,
        n_patients=2, metrics={"psnr": mean}, parameters=9, device="CPU", status="done",
    ).write(place / "result.json")  # fmt: skip
    save_file({"weight": np.zeros(9, np.float32)}, place / "model.safetensors")
    (place / "environment.json").write_text('{"python": "3.11"}\n')
    (place / "log.jsonl").write_text('{"step": 1}\n')
    (place / "preview.png").write_bytes(b"\x89PNG pixels of a patient")
    (place / "checkpoint.pt").write_bytes(pickle.dumps({"step": 3}))
    (place / "notes.txt").write_text("mine")
    return place


@pytest.fixture
def pack(denoisebench, folder, plugin):
    return lambda *words: denoisebench(
        "submit", folder, "--plugin", plugin, "--out", "s.zip", *words
    )


def rewritten(change) -> Path:
    """Repack s.zip with other contents: `change` edits a dict of names and bytes."""
    with zipfile.ZipFile("s.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile("other.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return Path("other.zip")


def signed(files: dict[str, bytes]) -> None:
    """Make submission.json agree with what is beside it."""
    card = json.loads(files["submission.json"])
    card["files"] = {
        name: {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
        if name != "submission.json"
    }
    files["submission.json"] = json.dumps(card).encode()


def test_a_run_is_packed_without_pictures_and_without_what_nobody_listed(pack):
    answer = pack("--name", "A. Person", "--url", "https://example.org/a", "--note", "two lines")
    assert answer.code == 0, answer.err
    with zipfile.ZipFile("s.zip") as archive:
        assert set(archive.namelist()) == {
            "submission.json", "result.json", "scores.csv", "recipe.toml", "environment.json",
            "log.jsonl", "model.safetensors", "plugins/tiny_plugins.py",
        }  # fmt: skip
        card = json.loads(archive.read("submission.json"))
    assert card["name"] == "A. Person"
    assert set(card["files"]) == {*archive.namelist()} - {"submission.json"}
    assert "never verified" in answer.err
    assert answer.out.startswith("s.zip: ")


def test_the_same_run_is_the_same_bytes(pack, folder):
    pack()
    first = Path("s.zip").read_bytes()
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    pack()
    assert Path("s.zip").read_bytes() == first


def test_without_weights_it_says_what_that_means(pack):
    answer = pack("--no-weights")
    assert answer.code == 0
    assert "without weights nobody can verify it" in answer.err
    assert "model.safetensors" not in zipfile.ZipFile("s.zip").namelist()


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("environment.json", '{"cwd": "/mnt/scans/ct"}', "an absolute path '/mnt/scans/ct'"),
        ("environment.json", '{"cwd": "C:\\\\\\\\scans"}', "an absolute path"),
        ("log.jsonl", '{"data": "~/scans"}', "a path in a home folder"),
        ("log.jsonl", '{"uid": "1.2.840.113619.2.55.3.4"}', "a UID '1.2.840.113619'"),
        ("log.jsonl", '{"uid": "2.25.3298"}', "a UID '2.25.3298'"),
        ("log.jsonl", '{"uid": "1.3.6.1.4.1.14519.5.2.1"}', "a UID"),
        ("log.jsonl", '{"by": "Jane.Scanlon"}', "the home folder's name 'scanlon'"),
        ("log.jsonl", '{"by": "jane42"}', "the user's name 'jane42'"),
        ("log.jsonl", '{"on": "ctbench7"}', "this host's name 'ctbench7'"),
        ("log.jsonl", '{"at": "HOME"}', "the home folder 'HOME'"),
    ],
)
def test_a_text_that_names_a_place_a_person_or_an_image_is_refused(
    pack, folder, monkeypatch, tmp_path, file, text, told
):
    home = tmp_path / "scanlon"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("getpass.getuser", lambda: "jane42")
    monkeypatch.setattr("socket.gethostname", lambda: "ctbench7.clinic.example")
    (folder / file).write_text(text.replace("HOME", str(home)))
    answer = pack()
    assert answer.code == 2
    assert len(answer.err.strip().splitlines()) == 1
    assert f"{file} holds {told.replace('HOME', str(home))}" in answer.err
    assert not list(Path().glob("s.zip*"))  # nothing half-written


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("000000000007", "DOE^JANE", "patient 'DOE^JANE' is not a pseudonym"),
        ("0000000000000001", "1.3.12.2.1107.5.1.4", "slice '1.3.12.2.1107.5.1.4' is not"),
    ],
)
def test_scores_name_slices_and_patients_by_digests_only(pack, folder, old, new, told):
    path = folder / "scores.csv"
    path.write_text(path.read_text().replace(old, new))
    answer = pack()
    assert answer.code == 2
    assert told in answer.err


def test_words_that_look_a_little_like_a_path_are_let_through(pack, folder):
    texts = ["61.5 images/s", "see https://example.org/a/b", "and/or", "torch 2.13.0+cpu",
             "IEEE TIP 13/4 p. 600", "10.1109/ICIP.1994.413553"]  # fmt: skip
    (folder / "log.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    assert pack().code == 0


def test_a_run_that_contradicts_itself_or_has_lost_a_part_is_refused(pack, folder, plugin):
    result = folder / "result.json"
    good = result.read_text()
    result.write_text(good.replace('"status": "done"', '"status": "diverged"'))
    assert "is diverged" in pack().err
    result.write_text(good.replace('"n_slices": 3', '"n_slices": 4'))
    assert "counts other slices" in pack().err
    result.write_text(good)
    shutil.move(folder / "model.safetensors", folder / "elsewhere")
    assert "--no-weights" in pack().err
    shutil.move(folder / "elsewhere", folder / "model.safetensors")
    plugin.write_text(plugin.read_text() + "\n# edited since\n")
    answer = pack()
    assert answer.code == 2
    assert "has changed since" in answer.err


def test_a_good_zip_is_checked_and_unpacked_and_claims_are_left_out(denoisebench, pack, folder):
    recipe = json.loads((folder / "result.json").read_text())["recipe"]
    claim = Verification(recipe=recipe, metric="psnr", reported=29.5, measured=29.5, passed=True)
    write_model(folder / "verification.json", claim)
    pack()
    answer = denoisebench("submit", "--check", "s.zip", "--into", "received")
    assert answer.code == 0, answer.err
    place = Path("received") / folder.name
    assert not (place / "verification.json").exists()
    assert "Not unpacked, as you measure it yourself: verification.json" in answer.out
    assert f"denoisebench verify {place} --data DATA --plugin {place}/plugins/tiny" in answer.out
    assert "read plugins/tiny_plugins.py before" in answer.out
    assert (place / "scores.csv").read_bytes() == (folder / "scores.csv").read_bytes()
    again = denoisebench("submit", "--check", "s.zip", "--into", "received")
    assert again.code == 2
    assert "is there already" in again.err
    assert [path.name for path in Path("received").iterdir()] == [folder.name]
    (row,) = json.loads(denoisebench("leaderboard", "received", "--json").out)["rows"]
    assert (row["rank"], row["status"]) == (None, "unverified")
    told = json.loads(denoisebench("submit", "--check", "s.zip", "--json").out)
    assert told["claims"] == ["verification.json"]


def slip(files):
    files["../evil.txt"] = b"out"
    signed(files)


def absolute(files):
    files["/etc/evil"] = b"out"
    signed(files)


def extra(files):
    files["preview.png"] = b"\x89PNG"
    signed(files)


def pickled(files):
    files["checkpoint.pt"] = pickle.dumps({})
    signed(files)


def pickled_weights(files):
    files["model.safetensors"] = pickle.dumps({"weight": [0.0]})
    signed(files)


def claimed_header(files):
    files["model.safetensors"] = struct.pack("<Q", 50 << 30) + b"{"
    signed(files)


def hidden_plugin(files):
    files["plugins/../evil.py"] = b"x = 1"
    signed(files)


def other_digest(files):
    files["scores.csv"] += b" "


def unlisted(files):
    files["plugins/other.py"] = b"x = 1"


def missing(files):
    del files["result.json"]
    signed(files)


def deep(files):
    files["submission.json"] = b"[" * 100_000


def later(files):
    files["submission.json"] = files["submission.json"].replace(
        b'"schema_version": 1', b'"schema_version": 99'
    )


def named_out(files):
    card = json.loads(files["submission.json"])
    files["submission.json"] = json.dumps({**card, "run": "../../evil"}).encode()


def better(files):
    result = json.loads(files["result.json"])
    result["metrics"]["psnr"]["mean"] += 1
    files["result.json"] = json.dumps(result).encode()
    signed(files)


def other_run(files):
    card = json.loads(files["submission.json"])
    files["submission.json"] = json.dumps({**card, "method": "unet7 · l1"}).encode()


def other_recipe(files):
    import tomllib

    recipe = tomllib.loads(files["recipe.toml"].decode())
    files["recipe.toml"] = tomli_w.dumps({**recipe, "seed": 5}).encode()
    signed(files)


def named_patient(files):
    files["log.jsonl"] = b'{"uid": "1.2.840.113619.2.55.3.4"}'
    signed(files)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (slip, "holds no file '../evil.txt'"),
        (absolute, "holds no file '/etc/evil'"),
        (hidden_plugin, "holds no file 'plugins/../evil.py'"),
        (extra, "holds no file 'preview.png'"),
        (pickled, "holds no file 'checkpoint.pt'"),
        (pickled_weights, "holds no safetensors"),
        (claimed_header, "holds no safetensors"),
        (other_digest, "scores.csv is not the file whose digest"),
        (unlisted, "'plugins/other.py' is in the zip or in submission.json, and not in both"),
        (missing, "has no result.json"),
        (deep, "cannot read submission.json"),
        (later, "schema version 99"),
        (named_out, "run: String should match pattern"),
        (better, "mean of psnr in result.json is not that of scores.csv"),
        (other_run, "of another run"),
        (other_recipe, "another recipe than recipe.toml"),
        (named_patient, "log.jsonl holds a UID"),
    ],
)
def test_a_zip_that_was_tampered_with_is_refused_in_one_line(denoisebench, pack, change, told):
    pack()
    other = rewritten(change)
    before = {path.name for path in Path().iterdir()}
    answer = denoisebench("submit", "--check", other, "--into", "received")
    assert answer.code == 2
    assert len(answer.err.strip().splitlines()) == 1
    assert told in answer.err
    assert not list(Path("received").iterdir())
    assert {path.name for path in Path().iterdir()} == before | {"received"}
    assert not list(Path("..").glob("evil*"))


def test_sizes_that_a_zip_claims_are_not_believed(denoisebench, pack):
    pack()
    with zipfile.ZipFile("bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.jsonl", bytes(30 << 20))
    assert "is compressed" in denoisebench("submit", "--check", "bomb.zip").err
    with zipfile.ZipFile("large.zip", "w") as archive:
        archive.writestr("result.json", bytes((1 << 20) + 1))
    assert "at most 1,048,576 are read" in denoisebench("submit", "--check", "large.zip").err
    # the central directory says 900 MB of weights; the zip has none of them
    data = bytearray(Path("s.zip").read_bytes())
    place = data.rindex(b"model.safetensors") - 46
    assert data[place : place + 4] == b"PK\x01\x02"
    data[place + 20 : place + 28] = struct.pack("<II", 900_000_000, 900_000_000)
    Path("claims.zip").write_bytes(data)
    answer = denoisebench("submit", "--check", "claims.zip")
    assert answer.code == 2
    assert "more bytes than the zip" in answer.err
    with zipfile.ZipFile("two.zip", "w") as archive:
        archive.writestr("result.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("result.json", "[]")
    assert "result.json twice" in denoisebench("submit", "--check", "two.zip").err
    Path("text.zip").write_text("no zip")
    assert "is no zip" in denoisebench("submit", "--check", "text.zip").err


def test_words_that_do_not_go_together_are_refused(denoisebench, pack, folder):
    for words, told in (
        ((), "name a RUN"),
        ((folder, "--into", "x"), "--into unpacks"),
        ((folder, "--check", "s.zip"), "leave out RUN"),
        (("--check", "s.zip", "--note", "x"), "leave out --note"),
        (("--check", "nowhere.zip"), "no file 'nowhere.zip'"),
    ):
        answer = denoisebench("submit", *words)
        assert answer.code == 2
        assert told in answer.err


def test_what_a_stranger_wrote_does_not_command_the_terminal(denoisebench, pack):
    pack("--note", "\x1b]0;owned\x07 hello")
    answer = denoisebench("submit", "--check", "s.zip")
    assert "\x1b" not in answer.out
    assert "hello" in answer.out


def test_verify_and_submit_stand_in_a_panel_of_their_own():
    assert {"verify", "submit"} <= set(cli.PANELS["Trust"])
