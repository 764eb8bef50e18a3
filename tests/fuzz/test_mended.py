"""Inputs that fuzzing found: each was a traceback, a hang or a wrong number once."""

import io
import json
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from fuzzing.dicom import makers
from fuzzing.resume import tiny_training

from denoisebench.board.page.figures.curves import training_curves
from denoisebench.data.intake.manifest import read_manifest
from denoisebench.data.store.layout import INDEX_FILE, SHARD_HEADER, read_array, shard_name
from denoisebench.data.store.opened import open_prepared
from denoisebench.data.store.prepare import prepare
from denoisebench.errors import UsageError
from denoisebench.plugins.expression import canonical, resolve
from denoisebench.plugins.find import find
from denoisebench.scoring.result import read_result
from denoisebench.scoring.submission.check import check
from denoisebench.task import load_task
from denoisebench.training import checkpoint, log
from denoisebench.training.loop import train
from denoisebench.training.recipe import plan

CPU = torch.device("cpu")
REGISTRY = Path(__file__).parents[2] / "registry"
GOLDEN = Path(__file__).parents[1] / "board" / "golden" / "runs"
DIGITS = "9" * 5000  # more than Python turns into a number
RECORD = log.Record(3, 1.0, 15.0, 1e-3, 9.0, {"l1": 0.1}, 28.5, {"output_spread": 0.9})


def pickled(code: bytes) -> bytes:
    """Return a checkpoint whose pickle is `code`."""
    sound, changed = io.BytesIO(), io.BytesIO()
    torch.save({"step": 3}, sound)
    with zipfile.ZipFile(sound) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, code if name.endswith("data.pkl") else old.read(name))
    return changed.getvalue()


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02.",  # IndexError: nothing on the stack
        b"\x80\x02K\x01K\x02s.",  # TypeError: an item of no dict
        b"\x80\x02X\xff\xff\xff\xff.",  # a text that is longer than the file
        b"\x80\x02]q\x00.",  # a list
        b"\x80\x02}q\x00K\x01K\x02s.",  # a dict, but not of names
    ],
)
def test_a_damaged_checkpoint_is_refused(code, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(pickled(code))
    with pytest.raises(UsageError, match="not a checkpoint that can be read"):
        checkpoint.load(tmp_path / "checkpoint.pt", torch.device("cpu"))


@pytest.mark.parametrize("length", [1001, 25_000])
def test_a_name_too_long_for_torchs_words_is_refused_before_it_looks(length, tmp_path):
    code = b"\x80\x02ctorch._utils\n" + b"x" * length + b"\n."
    (tmp_path / "checkpoint.pt").write_bytes(pickled(code))
    with pytest.raises(UsageError, match=r"it holds a name of .* characters; remove it"):
        checkpoint.load(tmp_path / "checkpoint.pt", CPU)


@pytest.mark.parametrize(
    "changes",
    [
        {"step": "three"}, {"step": -1}, {"step": 10**400}, {"seconds": float("nan")},
        {"health": 3}, {"generator": {}}, {"optimisers": []},
        {"optimisers": [3]}, {"sums": torch.zeros(7)}, {"sums": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_state_that_is_not_of_this_training_is_refused(changes, finished, tmp_path):
    training, state = finished
    checkpoint.save(tmp_path / "checkpoint.pt", {**state, **changes})
    with pytest.raises(UsageError, match="does not fit this recipe"):
        train(*training, tmp_path, device=CPU, resume=True)


@pytest.mark.parametrize("best", [{"step": 1}, {"step": 1, "psnr": "high", "weights": {}}, [3]])
def test_best_weights_that_are_none_are_refused(best, finished, tmp_path):
    training, state = finished
    checkpoint.save(tmp_path / "checkpoint.pt", state)
    checkpoint.save(tmp_path / checkpoint.BEST, best)
    with pytest.raises(UsageError, match=r"best\.pt (does not fit|is not a checkpoint)"):
        train(*training, tmp_path, device=CPU, resume=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A training that is done, and the state that it left."""
    training, folder = tiny_training(), tmp_path_factory.mktemp("run")
    train(*training, folder, device=CPU)
    return training, checkpoint.load(folder / "checkpoint.pt", CPU)


@pytest.mark.parametrize(
    "line", [b"\xff", b"[" * 5000, DIGITS.encode(), b'"x"', b"[]", b"{}", b'{"step": "3"}']
)
def test_a_log_ends_at_a_line_that_is_none(line, tmp_path):
    for _ in range(2):
        log.append(tmp_path / "log.jsonl", RECORD)
    sound = (tmp_path / "log.jsonl").read_bytes()
    (tmp_path / "log.jsonl").write_bytes(sound + line + b"\n" + sound)
    assert log.read(tmp_path / "log.jsonl") == [RECORD, RECORD]


def test_a_log_with_a_value_of_another_type_ends_there(tmp_path):
    log.append(tmp_path / "log.jsonl", RECORD)
    text = (tmp_path / "log.jsonl").read_text()
    (tmp_path / "log.jsonl").write_text(text + text.replace('"step": 3', '"step": "three"'))
    assert log.read(tmp_path / "log.jsonl") == [RECORD]


def test_numbers_of_5000_digits_are_refused_everywhere(tmp_path):
    (tmp_path / "task.toml").write_text(f"version = {DIGITS}")
    with pytest.raises(UsageError, match="cannot read"):
        load_task(str(tmp_path / "task.toml"))
    (tmp_path / "result.json").write_text(f'{{"schema_version": {DIGITS}}}')
    with pytest.raises(UsageError, match="cannot read"):
        read_result(tmp_path / "result.json")
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("submission.json", DIGITS)
        archive.writestr("result.json", "{}")
        archive.writestr("scores.csv", "")
    with pytest.raises(UsageError, match="cannot read"):
        check(tmp_path / "s.zip")


@pytest.mark.parametrize("value", [5e-324, 10**400, -(10**400)], ids=["tiny", "huge", "minus huge"])
def test_curves_leave_out_what_cannot_be_drawn(value):
    # at 5e-324 the logarithmic axis had 324 decades, which matplotlib laid out for minutes
    records = [
        RECORD,
        log.Record(4, 1.0, 20.0, 1e-3, 9.0, {"l1": 0.2}, 28.6, {"output_spread": value}),
    ]
    began = time.monotonic()
    plots = training_curves(records)
    assert time.monotonic() - began < 5
    assert [plot.title for plot in plots] == ["Losses", "Validation"]


def test_a_manifest_with_a_path_longer_than_paths_are_names_its_line(tmp_path):
    (tmp_path / "manifest.csv").write_text(f"path,split\n{'a' * 300},train\n")
    with pytest.raises(UsageError, match=r"line 2: .* is not in the folder"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("window_hu = [-160, 240]", "window_hu = [-inf, 240]"),
        ("window_hu = [-160, 240]", "window_hu = [-1e308, 1e308]"),
        ("window_hu = [-160, 240]", "window_hu = [0, 5e-324]"),
        ("window_hu = [-160, 240]", "window_hu = [nan, nan]"),
        ("sigma = 50", "sigma = inf"),
        ("sigma = 50", "sigma = nan"),
        ("sigma = 50", "sigma = 5e-324"),
    ],
)
def test_a_task_that_gives_no_numbers_is_refused(line, changed, tmp_path):
    text = (REGISTRY / "tasks/ct-sigma50.toml").read_text()
    assert line in text
    (tmp_path / "task.toml").write_text(text.replace(line, changed))
    with pytest.raises(UsageError, match=changed.partition(" ")[0]):
        load_task(str(tmp_path / "task.toml"))


@pytest.mark.parametrize(
    "line",
    ["knobs.unet7.dropout = nan", "knobs.unet7.dropout = inf", 'knobs.unet7.norm = "\u202e"',
     'knobs.unet7.norm = 2017-01-01', f"knobs.unet7.width = 0x{'f' * 5000}",
     f"adjust.unet7.batch = 0x{'f' * 5000}"],
    ids=["nan", "inf", "unprintable", "date", "long knob", "long field"],
)  # fmt: skip
def test_a_preset_holds_no_value_that_a_recipe_could_not(line, tmp_path):
    text = (REGISTRY / "presets/quick.toml").read_text()
    (tmp_path / "own.toml").write_text(f"{line}\n{text}")
    with pytest.raises(UsageError):
        plan(find(()), preset=str(tmp_path / "own.toml"))


@pytest.mark.parametrize("text", ["unet7(dropout=-0.0)", "unet7(dropout=0)", "unet7"])
def test_minus_zero_is_zero(text):
    assert canonical(resolve(text, "generator", find(()))) == "unet7"


def test_what_is_written_is_never_too_long_to_be_read():
    text = f"unet7(norm='{chr(34) * 1500}')"  # each quote is written as two characters
    with pytest.raises(UsageError, match=r"3,\d+ characters with its knobs; 2,000 are accepted"):
        resolve(text, "generator", find(()))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    makers().patients(folder / "files", "abc")
    prepare(folder / "files", folder / "prepared", workers=0)
    return folder / "prepared"


@pytest.fixture
def place(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "prepared")
    return tmp_path / "prepared"


@pytest.mark.parametrize("header", [b"{'descr': [(", b"{'descr': '<i2", b"\xff\xff", b"(" * 100])
def test_an_array_whose_header_cannot_be_parsed_is_refused(header, tmp_path):
    padded = header.ljust(118) + b"\n"
    (tmp_path / "a.npy").write_bytes(
        b"\x93NUMPY\x01\0" + len(padded).to_bytes(2, "little") + padded
    )
    with pytest.raises(UsageError, match="damaged"):
        read_array(tmp_path / "a.npy")


def test_a_pseudonym_that_is_no_ascii_is_read(place):
    index = np.load(place / INDEX_FILE)
    index["patient"][0] = b"\xff" * 12
    np.save(place / INDEX_FILE, index)
    dataset = open_prepared(place)
    assert dataset.train[0].patient == "�" * 12
    assert "�" * 12 in dataset.patients("train")


@pytest.mark.parametrize("change", [-2, -3000])
def test_a_shard_that_is_cut_short_is_refused(place, change):
    path = place / shard_name(0)
    data = path.read_bytes()
    path.write_bytes(data[:change])
    with pytest.raises(UsageError, match=r"shard-00000\.npy"):
        list(open_prepared(place).train)
    assert len(data) > SHARD_HEADER + 3000


def test_a_shard_with_an_odd_byte_behind_it_is_read(place):
    path = place / shard_name(0)
    path.write_bytes(path.read_bytes() + b"\0")
    assert len(list(open_prepared(place).train)) > 0


def test_a_mutant_among_runs_hides_none(tmp_path):
    from denoisebench.board.board import collect

    shutil.copytree(GOLDEN / "bm3d", tmp_path / "bm3d")
    shutil.copytree(GOLDEN / "nlm", tmp_path / "nlm")
    values = json.loads((tmp_path / "nlm" / "result.json").read_text())
    text = json.dumps({**values, "parameters": "X"}).replace('"X"', DIGITS)
    (tmp_path / "nlm" / "result.json").write_text(text)
    found, problems = collect(tmp_path)
    assert [entry.folder for entry in found] == ["bm3d"]
    assert len(problems) == 1
