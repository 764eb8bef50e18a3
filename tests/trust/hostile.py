"""Hostile files, each made by code: name → what makes it below a folder, and asks to read it.

A maker returns a question for `stage.py`. MARK is what code in a file would leave, if it ran.
"""

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

MARK = "ran"
METRIC = {"mean": 1.0, "lo": None, "hi": None, "unit": "dB", "better": "higher", "version": 1,
          "n": 1, "missing": 0}  # fmt: skip
GOOD = {
    "schema_version": 1, "method": "noisy", "kind": "baseline", "task": "ct-sigma50",
    "task_version": 1, "data": "made", "data_digest": "a" * 64, "split_digest": "b" * 64,
    "recipe": "c" * 64, "n_slices": 1, "n_patients": 1, "parameters": 0, "device": "CPU",
    "status": "done", "metrics": {"psnr": METRIC},
}  # fmt: skip
SCORES = f"slice,patient,metric,value\n{'0' * 16},abc,psnr,1.0\n"
FINDING = {"schema_version": 1, "recipe": "c" * 64, "columns": {}}
DEEP = "[" * 100_000
DOTTED = ".".join(["a"] * 50_000) + " = 1"
ENDLESS = "9" * 10_000

Maker = Callable[[Path], list[str]]


class Evil:
    """Its pickle calls os.system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.folder / MARK}",)


def put(path: Path, data: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def zipped(entries: dict[str, str | bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def run(command: str, **files: str | bytes) -> Maker:
    """A run's folder with some of its files replaced, and a command that reads it."""

    def make(folder: Path) -> list[str]:
        place = folder / "runs" / "run"
        given = {name.replace("_", "."): data for name, data in files.items()}
        usual = {"result.json": json.dumps(GOOD), "scores.csv": SCORES}
        for name, data in {**usual, **given}.items():
            put(place / name, data)
        words = {
            "leaderboard": [str(folder / "runs")],
            "audit": [str(place)],
            "publish": [str(folder / "page"), "--runs", str(folder / "runs")],
        }
        return ["command", command, *words[command]]

    return make


def toml(option: str, text: str) -> Maker:
    start = {"--task": ["--baseline", "noisy"], "--preset": ["--gen", "unet7"]}[option]
    return lambda folder: [
        "command", "run", *start, "--data", "nowhere", option, put(folder / "bomb.toml", text)
    ]  # fmt: skip


def device(folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    (folder / "device.toml").symlink_to("/dev/zero")
    return ["command", "run", "--gen", "unet7", "--preset", str(folder / "device.toml")]


def checkpoint(data: bytes) -> Maker:
    return lambda folder: ["checkpoint", put(folder / "checkpoint.pt", data)]


def described(pickled: bytes) -> bytes:
    return zipped({"archive/data.pkl": pickled, "archive/version": "3\n"})


def inflating(folder: Path) -> list[str]:
    import torch

    file = io.BytesIO()
    torch.save({"a": torch.zeros(300 << 20, dtype=torch.uint8)}, file)
    with zipfile.ZipFile(file) as whole:
        entries = {name: whole.read(name) for name in whole.namelist()}
    return checkpoint(zipped(entries, zipfile.ZIP_DEFLATED))(folder)


def tensors(header: bytes, length: int | None = None) -> Maker:
    head = struct.pack("<Q", len(header) if length is None else length)

    def make(folder: Path) -> list[str]:
        put(folder / "model.safetensors", head + header)
        return ["weights", str(folder)]

    return make


def pickled_weights(folder: Path) -> list[str]:
    put(folder / "model.safetensors", pickle.dumps(Evil(folder)))
    return ["weights", str(folder)]


def card(text: str | bytes) -> Maker:
    return lambda folder: ["card", put(folder / "card.py", text)]


def submission(data: bytes) -> Maker:
    return lambda folder: ["command", "submit", "--check", put(folder / "s.zip", data)]


def manifest(text: str) -> Maker:
    def make(folder: Path) -> list[str]:
        put(folder / "manifest.csv", text)
        return ["manifest", str(folder)]

    return make


def loss(text: str) -> Maker:
    return lambda folder: ["expression", "loss", text.replace("HERE", str(folder / MARK))]


def many(count: int) -> bytes:
    one = b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    return b"{" + b",".join(one % number for number in range(count)) + b"}"


def marked(fact: str) -> Maker:
    return card(
        f"from denoisebench import loss\n@loss('a', weight={fact})\ndef a(output, target): ...\n"
    )


IMPORT = "import denoisebench\nx = "
MANY_METRICS = json.dumps({**GOOD, "metrics": {f"m{n}": METRIC for n in range(5_000)}})
NAMES = zipped({f"{number:060}": "" for number in range(60_000)})
CARDLESS = {"result.json": "", "scores.csv": ""}

REFUSED: dict[str, Maker] = {
    "task, nested": toml("--task", "a = " + DEEP),
    "task, dotted": toml("--task", DOTTED),
    "task, 100 MB": lambda f: toml("--task", "#" + "x" * (100 << 20))(f),
    "task, endless number": toml("--task", f"version = {ENDLESS}"),
    "task, endless hex": toml("--task", "version = 0x" + "f" * 10_000),
    "preset, nested": toml("--preset", "a = " + DEEP),
    "preset, dotted": toml("--preset", DOTTED),
    "preset, a device": device,
    "result, nested": run("audit", result_json=DEEP),
    "result, endless number": run("audit", result_json=f'{{"a": {ENDLESS}}}'),
    "result, 200 MB": lambda f: run("audit", result_json='"' + "x" * (200 << 20))(f),
    "result, brackets": lambda f: run("audit", result_json="[" + "[]," * 8_000_000)(f),
    "result, 5,000 metrics": run("audit", result_json=MANY_METRICS),
    "checkpoint, pickle": lambda f: checkpoint(pickle.dumps(Evil(f)))(f),
    "checkpoint, zipped pickle": lambda f: checkpoint(described(pickle.dumps(Evil(f), 2)))(f),
    "checkpoint, nested": checkpoint(described(b"\x80\x02" + b"(" * 300_000 + b".")),
    "checkpoint, 2 GB of zeros": checkpoint(
        described(b"\x80\x02}X\x01\0\0\0ac__builtin__\nbytearray\nJ\0\0\0\x7f\x85Rs.")
    ),
    "checkpoint, deflated": inflating,
    "checkpoint, contents": checkpoint(NAMES),
    "weights, header of 2^60": tensors(b"{}", 1 << 60),
    "weights, header of 50 GB": tensors(b"{}", 50 << 30),
    "weights, tensor of 50 GB": tensors(
        b'{"a":{"dtype":"F32","shape":[12500000000],"data_offsets":[0,50000000000]}}'
    ),
    "weights, nested": tensors(b'{"a":' + DEEP.encode() + b"}"),
    "weights, 300,000 tensors": lambda f: tensors(many(300_000))(f),
    "weights, pickle": pickled_weights,
    "card, nested": card(f"{IMPORT}{'(' * 90_000}{')' * 90_000}"),
    "card, 10 MB": lambda f: card(f"{IMPORT}1 #{'x' * (10 << 20)}")(f),
    "card, NUL": card(b"import denoisebench\0"),
    "card, sum": card(IMPORT + "+".join(["1"] * 90_000)),
    "card, dots": card(f"{IMPORT}a{'.a' * 90_000}"),
    "card, elif": card(f"{IMPORT}1\nif x: 0\n" + "elif x: 0\n" * 15_000),
    "card, power": marked("9**9**9**9"),
    "card, endless number": marked("0x" + "f" * 9_000),
    "card, call": lambda f: marked(f"open({str(f / MARK)!r}, 'w')")(f),
    "expression, power": loss("9**9**9*l1"),
    "expression, nested": loss("(" * 100_000),
    "expression, nested knob": loss("ssim(window=" + "[" * 900 + "]" * 900 + ")"),
    "expression, call": loss("__import__('os').system('touch HERE')"),
    "expression, call in a knob": loss("ssim(window=open('HERE', 'w'))"),
    "expression, endless number": loss(ENDLESS + "*l1"),
    "submission, pickle": lambda f: submission(pickle.dumps(Evil(f)))(f),
    "submission, slip": submission(zipped({f"../{MARK}": "x"})),
    "submission, deflated": lambda f: submission(
        zipped({"log.jsonl": bytes(300 << 20)}, zipfile.ZIP_DEFLATED)
    )(f),
    "submission, contents": submission(NAMES),
    "submission, nested": submission(zipped({"submission.json": DEEP, **CARDLESS})),
    "submission, endless number": submission(zipped({"submission.json": ENDLESS, **CARDLESS})),
    "manifest, columns": manifest("," * 10_000_000),
    "manifest, cells": manifest("path,split\n" + "," * 10_000_000),
    "manifest, a cell": lambda f: manifest('path,split\n"' + "x" * 100_000_000)(f),
    "manifest, rows": lambda f: manifest("path,split\n" + "a,train\n" * 10_000_000)(f),
}


def deflated(folder: Path) -> list[str]:
    """A CT slice, whole but for 300 MiB of zeros in an element of its own behind the pixels."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset = Dataset()
    dataset.file_meta, dataset.Modality, dataset.SOPClassUID = meta, "CT", CTImageStorage
    dataset.SOPInstanceUID, dataset.DataSetTrailingPadding = "1.2.3", bytes(300 << 20)
    folder.mkdir(exist_ok=True)
    dataset.save_as(folder / "bomb.dcm", enforce_file_format=True)
    assert (folder / "bomb.dcm").stat().st_size < 1 << 20
    return ["DICOM", str(folder / "bomb.dcm")]


REFUSED["DICOM, deflated"] = deflated

PATIENTS = "".join(f"{number},{number},psnr,1\n" for number in range(60_000))

LEFT_OUT: dict[str, Maker] = {
    "scores, columns": run("leaderboard", scores_csv="," * 10_000_000),
    "scores, cells": run("leaderboard", scores_csv=SCORES + "," * 10_000_000),
    "scores, rows": run("leaderboard", scores_csv=SCORES + "a,b,c,\n" * 1_100_000),
    "scores, patients": run("leaderboard", scores_csv=SCORES + PATIENTS),
    "result, nested": run("leaderboard", result_json=DEEP),
    "verification, nested": run("leaderboard", verification_json=DEEP),
    "audit, places": lambda f: run(
        "leaderboard", audit_json=json.dumps(FINDING)[:-1] + ', "places": [' + "{}," * 8_000_000
    )(f),
    "recipe, dotted": run("publish", recipe_toml=DOTTED),
    "log, nested": run("publish", log_jsonl=DEEP),
    "log, endless number": run("publish", log_jsonl=f'{{"step": {ENDLESS}}}'),
    "log, Latin 1": run("publish", log_jsonl=b"\xff\xfe\n"),
    "log, 200 MB": lambda f: run("publish", log_jsonl="x" * (200 << 20))(f),
    "log, names": lambda f: run(
        "publish", log_jsonl=json.dumps({"losses": dict.fromkeys(map(str, range(500_000)), 1)})
    )(f),
    "environment, nested": run("publish", environment_json=DEEP),
    "environment, 200 MB": lambda f: run("publish", environment_json="x" * (200 << 20))(f),
}
