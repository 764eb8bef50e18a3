"""DICOM: files of every encoding, mutants of their bytes and of their elements, their reader."""

import hashlib
import importlib.util
import io
import math
import re
import shutil
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import numpy as np

from fuzzing.mutation import TOKENS, mutated
from fuzzing.target import Target

MAKERS = Path(__file__).parents[2] / "data" / "conftest.py"
DECODERS = ("pylibjpeg", "openjpeg", "libjpeg", "jpeg_ls", "pyjpegls", "gdcm", "jpegls")
FILES = 20  # in a folder
VRS = ("AE", "AT", "CS", "DA", "DS", "FD", "FL", "IS", "LO", "OB", "OW", "PN", "SH", "SL", "SQ",
       "SS", "ST", "UI", "UL", "UN", "US", "UT", "XX")  # fmt: skip
ELEMENT = re.compile(rb"[\x02\x08\x18\x20\x28\xe0][\x00\x7f]..([A-Z]{2})", re.DOTALL)
VALUES: tuple[Any, ...] = (
    "", "CT", "MR", "0", "-1", "1", "nan", "inf", "1e308", "-1e308", "1e-320", "64", "65", "63",
    "4096", "65535", "99999999", "1\\2", "1\\0\\0\\0\\1\\0", "0\\0\\0\\0\\0\\0", "x" * 300, "é",
    "LOCALIZER", "MONOCHROME1", "RGB", "HU", "US", "1.2.840.10008.5.1.4.1.1.4", "-32768",
)  # fmt: skip
PIECES = (*TOKENS, b"\xff\xd8\xff", b"\xff\xd9", b"\xff\x4f\xff\x51", b"\xfe\xff\x00\xe0", b"DICM",
          b"\xfe\xff\xdd\xe0\0\0\0\0", b"\xe0\x7f\x10\0OW\0\0\xff\xff\xff\xff")  # fmt: skip


def seeds(folder: Path) -> list[bytes]:
    """Make CT slices in every encoding that is read."""
    made = makers()
    uid = made.UID
    tiled, stored = made.tiled(made.STORED), made.STORED
    frames = np.stack([tiled, tiled[::-1], tiled.T])
    tags = made.enhanced(frames, [(1, -1024), (2, -1000), (0.5, -1024)])
    files = [
        made.write(folder / "explicit"),
        made.write(folder / "signed", tiled - 1024, PixelRepresentation=1, RescaleIntercept=0),
        made.write(folder / "padded", made.tiled([63536, *stored]), PixelPaddingValue=63536),
        made.write(folder / "enhanced", **tags),
        *(
            made.write(folder / f"encoded{number}", syntax=uid(syntax), BitsStored=12)
            for number, syntax in enumerate(
                ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
                 "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.70",
                 "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.80")
            )
        ),
    ]  # fmt: skip
    found = [file.read_bytes() for file in files]
    return [*found, found[4][_after_meta(found[4]) :]]  # the last: implicit, without a head


def makers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("made_dicom", MAKERS)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def _after_meta(data: bytes) -> int:
    return 144 + int.from_bytes(data[140:144], "little")


def case(random: Random, known: Sequence[bytes]) -> bytes:
    """Change bytes, the length or kind of an element where it stands, or an element's value."""
    kind = random.randrange(3)
    data = random.choice(known)
    if kind == 0:
        return mutated(random, known, PIECES)
    if kind == 1:
        changed = bytearray(data)
        for _ in range(random.choice((1, 1, 2))):
            _relabel(random, changed)
        return bytes(changed)
    try:
        changed_value = _revalue(random, data)
    except Exception:  # pydicom will not write everything
        return mutated(random, known, PIECES)
    return changed_value if random.random() < 0.7 else mutated(random, [changed_value], PIECES)


def _relabel(random: Random, data: bytearray) -> None:
    """Overwrite the length, the VR or the tag of an explicit element."""
    found = list(ELEMENT.finditer(bytes(data)))
    if not found:
        data[random.randrange(len(data))] ^= 0xFF
        return
    place = random.choice(found)
    kind = random.randrange(3)
    if kind == 0:
        data[place.start(1) : place.end(1)] = random.choice(VRS).encode()
    elif kind == 1:
        data[place.start() + random.randrange(4)] ^= 1 << random.randrange(8)
    else:
        long = place.group(1) in (b"OB", b"OW", b"SQ", b"UN", b"UT")
        start, size = (place.end() + 2, 4) if long else (place.end(), 2)
        length = random.choice((0, 1, 2, 7, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF))
        data[start : start + size] = (length & (256**size - 1)).to_bytes(size, "little")


def _revalue(random: Random, data: bytes) -> bytes:
    """Change, drop or repeat an element of any depth, and write the file again."""
    from pydicom import Dataset, config, dcmread, dcmwrite
    from pydicom.sequence import Sequence as Items

    before = config.settings.writing_validation_mode, config.settings.reading_validation_mode
    config.settings.writing_validation_mode = config.IGNORE
    config.settings.reading_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = dcmread(io.BytesIO(data), force=True)
            holders: list[Dataset] = [dataset, dataset, dataset.file_meta]
            for holder in holders:
                for element in list(holder):
                    if element.VR == "SQ":
                        holders.extend(element.value)
            holder = random.choice(holders)
            element = holder[random.choice(list(holder.keys()))]
            kind = random.randrange(6)
            if kind == 0:
                del holder[element.tag]
            elif element.VR == "SQ":
                items = list(element.value)
                element.value = Items(
                    random.choice(([], items * 2, items[1:], [Dataset(), *items]))
                )
            elif isinstance(element.value, bytes) or kind == 1:
                holder.add_new(element.tag, random.choice(("UN", "OB", "OW")), random.randbytes(9))
            else:
                element.value = _value(random, element.VR)
            written = io.BytesIO()
            dcmwrite(written, dataset)
            return written.getvalue()
    finally:
        config.settings.writing_validation_mode, config.settings.reading_validation_mode = before


def _value(random: Random, vr: str) -> Any:
    value = random.choice(VALUES)
    if vr in ("US", "SS", "UL", "SL"):
        signed, bits = vr[0] == "S", 16 if vr[1] == "S" else 32
        number = random.choice((0, 1, 2, 8, 12, 15, 16, 17, 63, 64, 65, 128, 4096, 4097, 65535))
        return min(number, 2 ** (bits - signed) - 1)
    if vr in ("FD", "FL"):
        return random.choice((0.0, -1.0, 1e30, math.nan, math.inf))
    return value.split("\\") if "\\" in value else value


def valid(raw: Any) -> None:
    """Hold a slice to what every slice promises."""
    assert raw.hu.dtype == np.int16
    assert raw.hu.ndim == 2
    rows, columns = raw.hu.shape
    assert min(rows, columns) >= 64
    assert max(rows, columns) <= 4096
    assert raw.hu.min() < raw.hu.max()
    described(raw)
    pixels = np.ascontiguousarray(raw.hu, dtype="<i2").tobytes()
    assert raw.digest == hashlib.sha256(pixels).hexdigest()


def described(raw: Any) -> None:
    """Hold what is told of a slice to what can be true."""
    assert raw.position_mm is None or math.isfinite(raw.position_mm), raw.position_mm
    known = all(math.isfinite(step) and step > 0 for step in raw.spacing_mm)
    assert known or all(math.isnan(step) for step in raw.spacing_mm), raw.spacing_mm
    assert math.isfinite(raw.thickness_mm), raw.thickness_mm
    assert raw.thickness_mm >= 0
    assert isinstance(raw.patient_id, str)
    assert isinstance(raw.series_uid, str)


def file_reader(folder: Path) -> Callable[[bytes], None]:
    """Read a file as a child of the folder reader does."""
    from denoisebench.data.intake.dicom import read

    place = folder / "slice.dcm"

    def reader(data: bytes) -> None:
        place.write_bytes(data)
        slices = read(place)
        assert slices
        for raw in slices:
            valid(raw)
            assert raw.hu.min() < 0

    return reader


def folder_case(random: Random, known: Sequence[bytes]) -> bytes:
    """Put mutants and one sound file into a zip, as the folder that it stands for."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(FILES - 1):
            archive.writestr(zipfile.ZipInfo(f"{number:02}.dcm"), case(random, known))
        archive.writestr(zipfile.ZipInfo("sound.dcm"), known[0])
    return packed.getvalue()


def folder_reader(folder: Path) -> Callable[[bytes], None]:
    """Read a folder of mutants as `data prepare` does: pixels go from a child into a shard."""
    from denoisebench.data.intake.child import Batch
    from denoisebench.data.intake.folder import walk
    from denoisebench.data.intake.readers import read_batches

    files, shard = folder / "files", folder / "shard"

    def reader(data: bytes) -> None:
        shutil.rmtree(files, ignore_errors=True)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(files)
        paths, aside = walk(files)
        assert len(paths) == FILES
        assert not aside
        ((_, answers),) = read_batches(files, [Batch(paths, shard, start=128)], workers=1)
        assert len(answers) == FILES
        assert not isinstance(answers[paths.index("sound.dcm")], str), "a mutant hides a sound file"
        pixels = shard.read_bytes()
        for answer in answers:
            if isinstance(answer, str):
                assert answer
                continue
            for facts in answer:
                described(facts)
                own = pixels[facts.offset : facts.end]
                assert hashlib.sha256(own).hexdigest() == facts.digest
                assert len(own) == 2 * facts.rows * facts.columns

    return reader


FILE = Target(seeds, case, file_reader, decoders=DECODERS)
# a child starts in half a second, and again after each decoder that crashed
FOLDER = Target(seeds, folder_case, folder_reader, files=FILES, seconds=30)
