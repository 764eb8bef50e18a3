"""Pictures as small scripts: a page opened from file:// may run a script, but not read a file.

Not PNG in a canvas, since browsers that guard against fingerprinting change what is read back from
one; deflated differences of neighbours are also a quarter smaller.
"""

import base64
import json
import zlib

import numpy as np
from numpy.typing import NDArray

STEP_HU = 0.5
OFFSET_HU = -16384.0


def script(key: str, hu: NDArray[np.float64]) -> str:
    """Write a slice as a script that hands it to the page.

    Args:
        key: by which the page asks for it.
        hu: (H, W); rounded to `STEP_HU`, held to -16384…16383.5.
    """
    rows, columns = hu.shape
    packed = base64.b64encode(zlib.compress(pack(hu), 9)).decode()
    return f"denoisebench.register({json.dumps(key)}, {rows}, {columns}, {json.dumps(packed)});\n"


def pack(hu: NDArray[np.float64]) -> bytes:
    """Turn (H, W) HU into 2·H·W bytes that deflate well: first all high bytes, then all low ones.

    Each pixel is what its left neighbour does not tell of it, less the same of the row above,
    modulo 2¹⁶, and zigzag: 0, -1, 1, -2, … become 0, 1, 2, 3, …
    """
    steps = np.clip(np.rint((hu - OFFSET_HU) / STEP_HU), 0, 65535).astype(np.uint16)
    across = steps.copy()
    across[:, 1:] -= steps[:, :-1]
    both = across.copy()
    both[1:] -= across[:-1]
    signed = both.view(np.int16)
    zigzag = ((signed << 1) ^ (signed >> 15)).view(np.uint16)
    high, low = (zigzag >> 8).astype(np.uint8), (zigzag & 255).astype(np.uint8)
    return high.tobytes() + low.tobytes()


def unpack(data: bytes, rows: int, columns: int) -> NDArray[np.float64]:
    """Undo `pack`, up to its rounding; what assets/pixels.js does in the reader's browser."""
    high, low = np.frombuffer(data, np.uint8).astype(np.uint16).reshape(2, rows, columns)
    zigzag = high << 8 | low
    both = (zigzag >> 1) ^ -(zigzag & 1)
    steps = both.cumsum(axis=0, dtype=np.uint16).cumsum(axis=1, dtype=np.uint16)
    return steps * STEP_HU + OFFSET_HU
