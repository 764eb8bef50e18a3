"""Numbers as boards write them: what is worth reading, and its unit."""

DECIMALS = {"dB": 2, "HU": 1, "": 4}
MISSING = "-"


def rounded(value: float, unit: str) -> str:
    """Round to what is worth reading in a unit."""
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    return f"{value:.{DECIMALS.get(unit, 3)}f}"


def count(number: float | None) -> str:
    """Write a number of things: 87, 2.9 M."""
    if not number or not 0 < number < 10**18:
        return MISSING
    for unit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.1f} {letter}"
    return f"{number:g}"


def memory(size: int | None) -> str:
    """Write bytes: 1.4 GB."""
    text = count(size)
    return text if text == MISSING else f"{text}B" if text[-1].isalpha() else f"{text} B"


def duration(seconds: float | None) -> str:
    """Write seconds: 12.9 ms, 1.4 s, 2.0 min, 3.1 h."""
    if not seconds or not 0 < seconds < 1e12:
        return MISSING
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
