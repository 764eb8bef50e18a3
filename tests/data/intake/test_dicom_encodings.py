"""Every lossless encoding against HU worked by hand."""

import zlib
from base64 import b64decode
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate

from denoisebench.data.intake.dicom import read

HU = [-1024, -850, -100, 0, 60, 1000, 3071]
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
HTJ2K = {"HTJ2K": "1.2.840.10008.1.2.4.201", "HTJ2K RPCL": "1.2.840.10008.1.2.4.202"}
# 64 × 70 pixels of the stored values 0, 174, 924, 1024, 1084, 2024, 4095 again and again, and of HU
# themselves, as OpenJPH 0.26 encodes them reversibly; no package that tests ask for writes HTJ2K.
UNSIGNED = (
    "eNr77/8/kEHTgQEI3IAYzIACVD4jPyPj/wAGDgYmIIfrfxADD5DFyMDKwuLA+D+GQVihYwIS6Ojo+J/CIM7A6F+Qmu"
    "cV4KEQllqkYKBnZKZnrPd/AgMXyEQuRgbG/5MPMOgqJH7f8Dv8V/ivjtoj/xg5GH5uYzjAIKowRXOy2l9Gpi1AjtgN"
    "DiUBhYTLy/TjBRSgjH8M6ewCDZEzgNLi+xtcVJLOPbc56SnXV6BSpPTcSc9Ffu9RsdfR9zEl4r9Ezjn6kjwZBvsHb4"
    "Xqf1i77P8juyjmwI9TjNMUGQJ3MALd8G5Gz2ELiY7G+T/PiO/bMMV7plnm4lRdbkcOkNhHyfgfh4KmTQKKPY3SY3Fq"
    "aJSwkDLke5ygwFZ3LL3mobje06Blvrcydk7jbhTAJdh3SMNgVAuJWv4wWFtKuPE1xc7pUWZ31DvnJti8YHq6MsfBC9"
    "6bJ7YkvFC9eeKQQYnQmyeJElacAnZBDZs6AngWibDqODVs2st8gEH/uz+D/T+DRKXeSxmiYYyCi7bna05gqn/i7mOg"
    "2GsSligqwBp471muBlDsDxmqIhtY6/5cZBG+pNGLogqo8wALFQUjRu0ZtWfUnlF7Ru0ZKvb8Y2Co7zwMqryaV3Qple"
    "0/8hBchV1xFbSOf1QArsheKXXMXf/RAlydlQq6+F3/MccYVKlZdSxSz/7jJwmq2mRdAoW3/lPnAVVwfIs0Om/9F24r"
    "MuiRZQ8UcXlLEws0GuySOlinAKvStgCxgC7GaYIOQUcluCIWMbppABtsvP9vAgC0nS0u"
)
SIGNED = (
    "eNr77/8/kEHTgQEI3IAYzIACVD5jPyPj/wAGDgYmIIfrfxADD5DFyMDKwuLA+D+GQVihYwIS6Ojo+J/CIM7A6F+Qmu"
    "cV4KEQllqkYKBnZKZnrPd/AgMXyETOPwyM/ycfYNB2mGNhWbpq7V8GJYZf2xgOMIgqTNGcrPaXkWkLkCN2g0NJQCHh"
    "8jL9eAEFKOMfQzq7QEPkDKC0+P4GF5Wkc89tTnrK9RWoFCk9d9Jzkd97VOx19H1MifgvkXOOviRPhsH+wVuh+h/WLv"
    "v/yC6KOfDjFOM0RYbAHYxAN7yb0XPYQqKjcf7PM+L7NkzxnmmWuThVl9uRAyT2UTL+x6GgaZOAYk+j9FicGholLKQM"
    "+R4nKLDVHUuveSiu9zRome+tjJ3TuBsFcAn2HdIwGNVCopY/DNaWEm58TbFzepTZHfXOuQk2L5iersxx8IL35oktCS"
    "9Ub544ZFAi9OZJooQVp4BdUMOmjgCeRSKsOk4Nm/YyH2DQ/+7PYP/PIFGp91KGaBij4KLt+ZoTmOqfuPsYKPaahCWK"
    "CrAG3nuWqwEU+0OGqsgG1ro/F1mEL2n0oqgC6jzAQkXBiFF7Ru0ZtWfUnlF7hoo9/xgY6jsPgyqv5hVdSmX7jzwEV2"
    "FXXAWt4x8VgCuyV0odc9d/tABXZ6WCLn7Xf8wxBlVqVh2L1LP/+EmCqjZZl0Dhrf/UeUAVHN8ijc5b/4Xbigx6ZNkD"
    "RVze0sQCjQa7pA7WKcCqtC1ALKCLcZqgQ9BRCa6IRYxuGsAGG+//mwCiyypK"
)


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_every_lossless_encoding_gives_the_hu_worked_by_hand(
    tmp_path: Path, made: ModuleType, syntax: str, signed: bool
) -> None:
    stored = made.tiled(made.HU if signed else made.STORED, 64, 70)
    facts = {"PixelRepresentation": int(signed), "RescaleIntercept": 0 if signed else -1024}
    path = made.write(tmp_path / "a.dcm", stored, syntax, RescaleType="HU", **facts)
    (raw,) = read(path)
    assert raw.hu.dtype == np.int16
    assert np.array_equal(raw.hu, made.tiled(HU, 64, 70))


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("syntax", HTJ2K.values(), ids=HTJ2K)
def test_high_throughput_jpeg_2000_gives_the_hu_worked_by_hand(
    tmp_path: Path, made: ModuleType, syntax: str, signed: bool
) -> None:
    facts = {"PixelRepresentation": int(signed), "RescaleIntercept": 0 if signed else -1024}
    path = made.write(tmp_path / "a.dcm", made.tiled(made.STORED, 64, 70), **facts)
    dataset = dcmread(path)
    stream = zlib.decompress(b64decode(SIGNED if signed else UNSIGNED))
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path)
    (raw,) = read(path)
    assert np.array_equal(raw.hu, made.tiled(HU, 64, 70))


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_a_header_that_does_not_say_that_it_is_grey_is_read_all_the_same(
    tmp_path: Path, made: ModuleType, syntax: str
) -> None:
    path = made.write(tmp_path / "a.dcm", made.body(1), syntax, RescaleType="HU")
    dataset = dcmread(path)
    del dataset.SamplesPerPixel, dataset.PhotometricInterpretation
    dataset.save_as(path)
    assert np.array_equal(read(path)[0].hu, made.body(1) - 1024)


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_twelve_bits_and_a_slope_give_the_hu_worked_by_hand(
    tmp_path: Path, made: ModuleType, syntax: str, signed: bool
) -> None:
    # 0.5 · stored - 500: the ends of 12 bits, and halves that round to the even neighbour
    stored = [-2048, -1000, -1, 0, 1, 3, 2047] if signed else [0, 1, 3, 1000, 2000, 4094, 4095]
    hu = (
        [-1524, -1000, -500, -500, -500, -498, 524]
        if signed
        else [-500, -500, -498, 0, 500, 1547, 1548]
    )
    facts = {"PixelRepresentation": int(signed), "BitsStored": 12, "RescaleSlope": 0.5,
             "RescaleIntercept": -500, "RescaleType": "HU"}  # fmt: skip
    path = made.write(tmp_path / "a.dcm", made.tiled(stored, 64, 70), syntax, **facts)
    assert np.array_equal(read(path)[0].hu, made.tiled(hu, 64, 70))


@pytest.mark.parametrize("kind", ["OB", "OW"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("syntax", ["implicit", "explicit", "deflated", "big endian"])
def test_uncompressed_frames_equal_those_of_pydicoms_own_decoder(
    tmp_path: Path, made: ModuleType, syntax: str, signed: bool, kind: str
) -> None:
    every = np.arange(65536).reshape(2, 128, 256) - 32768 * signed
    tags = made.enhanced(every, [(0.5, -9000), (0.25, -9000)], PixelRepresentation=int(signed))
    path = made.write(tmp_path / "a.dcm", syntax=SYNTAXES[syntax], **tags)
    dataset = dcmread(path)
    dataset["PixelData"].VR = kind
    dataset.save_as(path)
    own = dcmread(path).pixel_array
    assert np.array_equal(own, every)
    for raw, frame, slope in zip(read(path), own, (0.5, 0.25), strict=True):
        assert np.array_equal(raw.hu, np.rint(frame * slope - 9000))


@pytest.mark.parametrize("syntax", ["RLE", "JPEG 2000"])
def test_frames_compressed_one_by_one_have_a_rescale_each(
    tmp_path: Path, made: ModuleType, syntax: str
) -> None:
    stored = np.stack([made.body(1), made.body(2)])
    tags = made.enhanced(stored, [(1, -1024), (2, -1000)])
    path = made.write(tmp_path / "a.dcm", syntax=SYNTAXES[syntax], **tags)
    one, two = read(path)
    assert np.array_equal(one.hu, made.body(1) - 1024)
    assert np.array_equal(two.hu, 2 * made.body(2) - 1000)
