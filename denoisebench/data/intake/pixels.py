"""Stored values of a DICOM file's frames, read and decoded one at a time.

Uncompressed frames are cut out of the file; encapsulated ones are decoded by pydicom's plugins,
after their own headers have been compared with the file's: nothing large is allocated on a claim.
"""

import os
import re
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import ExplicitVRBigEndian

from denoisebench.data.intake.header import LOSSLESS
from denoisebench.data.intake.raw import NotCT

# Decoders by preference; GDCM, the only one for JPEG lossless, comes last elsewhere. For JPEG 2000
# it is no faster (it takes two threads) and brings an OpenJPEG of 2017, whose overflows are public;
# for JPEG-LS 65 of 3,000 damaged streams ended it, and none pyjpegls.
DECODERS = ("pylibjpeg", "pyjpegls", "pydicom", "gdcm")
UNDEFINED = 0xFFFFFFFF  # the length of an element that ends at a delimiter
ITEM, END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
# A marker of JPEG, after any fill, and its segment's length; and segments that decide nothing:
# those of applications, comments and restart intervals.
SEGMENT = re.compile(rb"\xff+([^\x00\xff])(..)", re.DOTALL)
HARMLESS = {*range(0xE0, 0xF0), 0xFE, 0xDD}
# Coded data of one scan: no marker in it but restarts, and nothing but padding after its end.
CODED = re.compile(rb"(?:[^\xff]++|\xff++[\x00\xd0-\xd7])*+\xff++\xd9\x00*\Z", re.DOTALL)
Stored = NDArray[np.int16] | NDArray[np.uint16]


@dataclass(frozen=True)
class Place:
    """Where a file's pixels lie: bytes from its start, and their length as the file claims it."""

    start: int
    length: int


class Frames:
    """The frames of one file.

    Args:
        header: everything but the pixels, judged.
        syntax: the transfer syntax UID.
        source: the file, or its inflated data set.
        place: of the value of PixelData in it.
        count: of frames.

    Raises:
        NotCT: pixels are cut short, or their own header claims another size.
    """

    def __init__(
        self, header: Dataset, syntax: str, source: BinaryIO, place: Place, count: int
    ) -> None:
        self.header, self.syntax, self.source, self.place = header, syntax, source, place
        self.shape = int(header.Rows), int(header.Columns)
        self.kind = "i2" if header.PixelRepresentation == 1 else "u2"
        self.native = LOSSLESS[syntax] in ("uncompressed", "deflated")
        self.streams: list[bytes] = []
        if self.native:
            self._check_length(count)
        else:
            self._take_streams(count)

    def stored(self, index: int) -> Stored:
        """Return frame `index`, from 0: (H, W) stored values, int16 or uint16, the caller's own."""
        if not self.native:
            return _decoded(self.header, self.syntax, self.streams[index])
        order = ">" if self.syntax == ExplicitVRBigEndian else "<"
        pixels = np.empty(self.shape, order + self.kind)
        self.source.seek(self.place.start + index * pixels.nbytes)
        if self.source.readinto(pixels.data.cast("B")) != pixels.nbytes:  # type: ignore[attr-defined]
            raise NotCT("truncated while it was read")
        return pixels.astype(self.kind, copy=False)

    def _check_length(self, count: int) -> None:
        if self.place.length == UNDEFINED:
            raise NotCT("damaged: uncompressed pixels without a length")
        there = self.source.seek(0, os.SEEK_END) - self.place.start
        found, needed = min(self.place.length, there), count * self.shape[0] * self.shape[1] * 2
        if found < needed:
            raise NotCT(f"truncated: {found} of {needed} bytes of pixels")

    def _take_streams(self, count: int) -> None:
        """Read a codestream a frame, and compare its size with the header's."""
        self.source.seek(self.place.start)
        if self.place.length == UNDEFINED:
            data = self.source.read()
            data = data[: _end(data)]
        else:
            data = self.source.read(self.place.length)
        self.streams = list(islice(generate_frames(data, number_of_frames=count), count))
        if len(self.streams) < count:
            raise NotCT(f"truncated: {len(self.streams)} of {count} frames")
        if LOSSLESS[self.syntax] == "RLE":
            return  # pydicom checks each segment's length
        for stream in self.streams:
            if LOSSLESS[self.syntax] == "JPEG lossless" and not _is_sound_jpeg(stream):
                raise NotCT("damaged: its codestream's own header is not sound")
            if _stream_size(stream) != (*self.shape, 1):
                raise NotCT("damaged: its codestream and its header differ in size")
            if not stream.rstrip(b"\0").endswith(b"\xff\xd9"):
                raise NotCT("truncated: its codestream has no end")


def _end(data: bytes) -> int:
    """Return where the delimiter of encapsulated pixels ends."""
    place = 0
    while data[place : place + 4] == ITEM and place + 8 <= len(data):
        place += 8 + int.from_bytes(data[place + 4 : place + 8], "little")
    if data[place : place + 4] != END:
        raise NotCT("truncated: its encoded pixels have no end")
    return place + 8


def _stream_size(stream: bytes) -> tuple[int, int, int] | None:
    """Return rows, columns and components as a JPEG or JPEG 2000 codestream claims them."""
    if stream[:4] == b"\xff\x4f\xff\x51" and len(stream) > 42:
        right, bottom, left, top = struct.unpack(">4L", stream[8:24])
        return bottom - top, right - left, int.from_bytes(stream[40:42], "big")
    if stream[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 < len(stream) and stream[place] == 0xFF:
        marker, length = stream[place + 1], int.from_bytes(stream[place + 2 : place + 4], "big")
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns, components = struct.unpack(">HHB", stream[place + 5 : place + 10])
            return rows, columns, components
        place += 2 + length
    return None


def _is_sound_jpeg(stream: bytes) -> bool:
    """Tell whether GDCM's libjpeg may see a JPEG lossless stream: it trusts what it reads.

    A precision of 147 bits or a missing table lead it out of its memory. What is sound: ITU-T T.81,
    annexes B and H, for one component in one scan.
    """
    place, frame, tables = 2, b"", set[int]()
    while found := SEGMENT.match(stream, place):
        marker, length = found[1][0], int.from_bytes(found[2], "big")
        part = stream[found.end() : found.end() + length - 2]
        place = found.end() + length - 2
        if length < 2 or len(part) != length - 2:
            return False
        if marker == 0xC4:
            given = _tables(part)
            if not given:
                return False
            tables |= given
        elif marker == 0xC3:
            if frame or len(part) != 9 or not 2 <= part[0] <= 16 or part[5] != 1:
                return False
            frame = part
        elif marker == 0xDA:
            # predictor 1 to 7, and a point transform that leaves a bit
            return (
                len(part) == 6 and bool(frame) and part[:2] == b"\x01" + frame[6:7]
                and part[2] >> 4 in tables and part[2] & 15 == 0
                and 1 <= part[3] <= 7 and part[4] == 0 and part[5] < frame[0]
                and CODED.match(stream, place) is not None
            )  # fmt: skip
        elif marker not in HARMLESS:
            return False
    return False


def _tables(part: bytes) -> set[int]:
    """Return which Huffman tables of differences a segment holds; none where one is not sound."""
    found = set()
    while len(part) >= 17:
        counts, values = part[1:17], part[17 : 17 + sum(part[1:17])]
        codes = sum(count << (15 - index) for index, count in enumerate(counts))
        if (
            part[0] > 3
            or codes > 1 << 16
            or len(values) != sum(counts)
            or max(values, default=99) > 16
        ):
            return set()
        found.add(part[0])
        part = part[17 + len(values) :]
    return set() if part else found


def _decoded(header: Dataset, syntax: str, stream: bytes) -> Stored:
    decoder = get_decoder(syntax)
    able = decoder.available_plugins
    plugin = next((name for name in DECODERS if name in able), "")
    if not plugin:
        raise NotCT(f"no decoder for {LOSSLESS[syntax]}: pip install python-gdcm pylibjpeg")
    # only the frame that was looked at: offset tables of the file may point to another
    options: dict[str, Any] = {
        "rows": int(header.Rows),
        "columns": int(header.Columns),
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",  # or 1: that is for display
        "bits_allocated": 16,
        "bits_stored": int(header.BitsStored),
        "pixel_representation": int(header.PixelRepresentation),
        "pixel_keyword": "PixelData",
        "correct_unused_bits": False,
    }
    with _listening(plugin == "gdcm") as complaints:
        try:
            pixels, _ = decoder.as_array(
                encapsulate([stream]), index=0, raw=True, decoding_plugin=plugin, **options
            )
        except Exception as problem:
            kind = type(problem).__name__
            raise NotCT(f"pixels cannot be decoded ({LOSSLESS[syntax]}, {kind})") from None
    if complaints:
        raise NotCT(f"pixels cannot be decoded ({LOSSLESS[syntax]}, damaged codestream)")
    if pixels.shape != (int(header.Rows), int(header.Columns)) or pixels.itemsize > 2:
        raise NotCT("damaged: decoded to another size than the header's")
    return pixels.astype("i2" if header.PixelRepresentation == 1 else "u2", copy=False)


@contextmanager
def _listening(attentive: bool) -> Iterator[list[bytes]]:
    """Collect what libjpeg prints: it calls damage a warning and returns wrong pixels all the same.

    Lines of anybody else are passed on.
    """
    complaints: list[bytes] = []
    saved = _copy_of_stderr() if attentive else None
    if saved is None:
        yield complaints
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield complaints
        finally:
            os.dup2(saved, 2)
            file.seek(0)
            for line in file:
                if any(word in line for word in (b"JPEG", b"marker", b"Huffman")):
                    complaints.append(line)
                else:
                    os.write(saved, line)
            os.close(saved)


def _copy_of_stderr() -> int | None:
    try:
        return os.dup(2)
    except OSError:  # a program without one
        return None
