"""Damaged and hostile files: a reason, and no traceback, no warning, no memory."""

import contextlib
import logging
import os
import struct
import warnings
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from denoisebench.data.intake import dicom, pixels
from denoisebench.data.intake.dicom import NotCT, read

SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big endian": "1.2.840.10008.1.2.2",
    "RLE": "1.2.840.10008.1.2.5",
    "JPEG lossless": "1.2.840.10008.1.2.4.57",
    "JPEG lossless SV1": "1.2.840.10008.1.2.4.70",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
}


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.99])
def test_a_truncated_file_is_refused(
    tmp_path: Path, made: ModuleType, syntax: str, kept: float
) -> None:
    path = made.write(tmp_path / "a.dcm", made.body(1), syntax, RescaleType="HU")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert any(word in made.refusal(path) for word in ("truncated", "damaged", "cannot be decoded"))


def test_a_codestream_cut_inside_a_whole_file_is_refused(tmp_path: Path, made: ModuleType) -> None:
    from pydicom import dcmread
    from pydicom.encaps import encapsulate, generate_frames

    path = made.write(tmp_path / "a.dcm", made.body(1), SYNTAXES["JPEG 2000"])
    dataset = dcmread(path)
    stream = next(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encapsulate([stream[: len(stream) // 2]])
    dataset.save_as(path)
    assert made.refusal(path) == "truncated: its codestream has no end"


@pytest.mark.parametrize("syntax", ["RLE", "JPEG lossless SV1", "JPEG-LS", "JPEG 2000"])
def test_encoded_pixels_without_their_delimiter_are_refused(
    tmp_path: Path, made: ModuleType, syntax: str
) -> None:
    path = made.write(tmp_path / "a.dcm", made.body(1), SYNTAXES[syntax], RescaleType="HU")
    data = path.read_bytes()
    end = data.rindex(b"\xfe\xff\xdd\xe0")
    path.write_bytes(data[:end])
    assert made.refusal(path) == "truncated: its encoded pixels have no end"


def test_short_pixels_before_other_elements_are_refused(tmp_path: Path, made: ModuleType) -> None:
    path = made.write(
        tmp_path / "a.dcm", made.body(1, 65)[:64], DataSetTrailingPadding=bytes(5000), Columns=66
    )  # fmt: skip
    assert made.refusal(path) == "truncated: 8320 of 8448 bytes of pixels"


def test_files_of_other_kinds_are_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: ModuleType
) -> None:
    monkeypatch.setattr(dicom, "read_partial", lambda *_, **__: pytest.fail("parsed"))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    assert made.refusal(tmp_path / "a.png") == "not DICOM"


def test_pixels_that_libjpeg_only_warns_about_are_refused(
    tmp_path: Path, made: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    path = made.write(
        tmp_path / "a.dcm", made.body(1), SYNTAXES["JPEG lossless"], RescaleType="HU"
    )  # fmt: skip
    data = bytearray(path.read_bytes())
    data[-3000:-2000] = bytes(1000)  # within the codestream, whose end stays whole
    path.write_bytes(data)
    assert made.refusal(path) == "pixels cannot be decoded (JPEG lossless, damaged codestream)"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("place", "byte"),
    [
        (6, 147), (6, 0), (6, 17),  # bits: 16
        (11, 3),  # components: 1
        (15, 42),  # the marker of the Huffman table, which led the decoder out of its memory
        (16, 0xC3),  # a second frame for the table
        (18, 255), (18, 33),  # the table's length: 32
        (19, 4), (19, 16),  # its place: 0
        (20, 3), (35, 255),  # its counts of codes of 1 and of 16 bits
        (37, 17),  # its first value
        (53, 2),  # components of the scan
        (54, 9),  # which component
        (55, 16),  # which table
        (56, 0), (56, 8),  # the predictor: 1
        (57, 1), (58, 16),
    ],
)  # fmt: skip
@pytest.mark.parametrize("syntax", ["JPEG lossless", "JPEG lossless SV1"])
def test_a_jpeg_whose_own_header_is_not_sound_never_reaches_its_decoder(
    tmp_path: Path, made: ModuleType, syntax: str, place: int, byte: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = made.write(tmp_path / "a.dcm", made.body(1), SYNTAXES[syntax], RescaleType="HU")
    data = bytearray(path.read_bytes())
    start = data.index(b"\xff\xd8\xff\xc3")
    before = data[start + place]
    assert before != byte
    data[start + place] = byte
    path.write_bytes(data)
    monkeypatch.setattr(pixels, "_decoded", lambda *_: pytest.fail("decoded"))
    assert made.refusal(path) == "damaged: its codestream's own header is not sound"


def test_a_jpeg_with_fill_comments_and_more_tables_is_sound() -> None:
    table = bytes([0, 1, *[0] * 15, 5])
    frame = b"\xff\xc3\x00\x0b\x10\x00\x40\x00\x40\x01\x01\x11\x00"
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x01\x00\x00"

    def stream(tables: bytes, coded: bytes = b"\x12\xff\x00\x34\xff\xd0\x56\xff\xd9") -> bytes:
        segment = b"\xff\xc4" + struct.pack(">H", 2 + len(tables)) + tables
        words = b"\xff\xff\xff\xfe\x00\x05abc\xff\xe0\x00\x02\xff\xdd\x00\x04\x00\x40"
        return b"\xff\xd8" + words + frame + segment + scan + coded

    assert pixels._is_sound_jpeg(stream(table))
    assert pixels._is_sound_jpeg(stream(table + b"\x01" + table[1:]) + b"\0")
    assert not pixels._is_sound_jpeg(stream(table[:-1]))
    assert not pixels._is_sound_jpeg(stream(table + b"\x01"))
    assert not pixels._is_sound_jpeg(stream(table, b"\x12\xff\xc4\x34\xff\xd9"))
    assert not pixels._is_sound_jpeg(stream(table, b"\x12\x34"))


def test_a_codestream_that_claims_a_huge_image_is_never_decoded(
    tmp_path: Path, made: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made.write(tmp_path / "a.dcm", made.body(1), SYNTAXES["JPEG 2000"])
    data = bytearray(path.read_bytes())
    size = data.index(b"\xff\x4f\xff\x51") + 8
    data[size : size + 8] = struct.pack(">2L", 60000, 60000)
    path.write_bytes(data)
    monkeypatch.setattr(pixels, "_decoded", lambda *_: pytest.fail("decoded"))
    assert made.refusal(path) == "damaged: its codestream and its header differ in size"


def test_an_offset_table_cannot_point_to_a_codestream_that_was_not_looked_at(
    tmp_path: Path, made: ModuleType
) -> None:
    from pydicom import dcmread
    from pydicom.encaps import encapsulate, generate_frames

    streams = []
    for seed in (1, 2):
        path = made.write(tmp_path / "a.dcm", made.body(seed), SYNTAXES["JPEG 2000"])
        dataset = dcmread(path)
        streams.append(next(generate_frames(dataset.PixelData, number_of_frames=1)))
    dataset.PixelData = encapsulate(streams, has_bot=False)
    dataset.ExtendedOffsetTable = struct.pack("<Q", 8 + len(streams[0]) + len(streams[0]) % 2)
    dataset.ExtendedOffsetTableLengths = struct.pack("<Q", len(streams[1]))
    dataset.save_as(path)
    assert np.array_equal(read(path)[0].hu, made.body(1) - 1024)


def test_a_deflated_bomb_is_not_inflated(
    tmp_path: Path, made: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made.write(tmp_path / "a.dcm", syntax=SYNTAXES["deflated"])
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(data[:start] + deflate.compress(bytes(64 << 20)) + deflate.flush())
    monkeypatch.setattr(dicom, "INFLATED_AT_MOST", 8 << 20)
    monkeypatch.setattr(dicom, "BytesIO", lambda *_: pytest.fail("inflated"))
    monkeypatch.setattr(dicom, "read_partial", lambda *_, **__: pytest.fail("inflated"))
    assert "inflates to more than" in made.refusal(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "zero bytes"),
        (b"path,split\n", "not DICOM"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "not DICOM"),
        (bytes(128) + b"DICM", "not CT"),
        (bytes(10_000), "not DICOM"),
        (b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100" + bytes(300), "not DICOM"),
        (bytes(128) + b"DICM" + b"\xff" * 400, ""),
    ],
)
def test_files_of_other_kinds_are_refused(
    tmp_path: Path, made: ModuleType, data: bytes, reason: str
) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(data)
    assert reason in made.refusal(path)


def test_folders_pipes_and_missing_files_are_refused_without_waiting(
    tmp_path: Path, made: ModuleType
) -> None:
    (tmp_path / "x.dcm").mkdir()
    assert made.refusal(tmp_path / "x.dcm") == "not a regular file"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.dcm")
        assert made.refusal(tmp_path / "pipe.dcm") == "not a regular file"
    assert "No such file" in made.refusal(tmp_path / "none.dcm")


def test_no_warning_and_no_log_line_comes_out_of_odd_files(
    tmp_path: Path, made: ModuleType, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = made.write(
        tmp_path / "a.dcm", PixelPaddingValue=[0, 40], PatientID="x" * 80,
        SeriesInstanceUID="1.02.x",
    )  # fmt: skip
    caplog.clear()
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        read(path)
        path.write_bytes(path.read_bytes()[:-100])
        made.refusal(path)
    assert not caught
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
    assert not logging.getLogger("pydicom").disabled


def test_mutated_files_give_slices_or_a_reason(tmp_path: Path, made: ModuleType) -> None:
    draw = np.random.default_rng(1)
    for syntax in SYNTAXES.values():
        path = made.write(tmp_path / "a.dcm", made.body(1), syntax, RescaleType="HU")
        good = path.read_bytes()
        for _ in range(12):
            data = bytearray(good)
            for place in draw.integers(128, len(data), draw.integers(1, 9)):
                data[place] = draw.integers(256)
            path.write_bytes(data)
            with contextlib.suppress(NotCT):
                assert all(raw.hu.dtype == np.int16 for raw in read(path))
