"""Slices that are copies of one another, though their files and names differ.

Found: copies that were renamed, re-encoded without loss, shifted by ± 1 HU, padded otherwise,
rescaled, flipped or turned by quarters, cropped by a pixel a side, resampled to half the matrix,
annotated in a corner, or compressed 10:1 by JPEG 2000 and decompressed again. Not promised: copies
moved inside the same matrix, windowed, off by more than 2 HU, with noise added, reconstructed anew.

`candidates` compares all pairs of thumbnails; `confirm` looks at both slices. Their limits were set
between copies and neighbours of 185 slices of 45 patients and of the phantom, and stand so over all
236 slices of 64 patients of nine public collections, all 224 of the phantom, and whole scans, 2.5
to 10 mm apart, of three patients (`benchmarks/leaks.py` prints such a table):

| | thumbnails differ by, HU | the body differs by, of a step between cells |
|---|---|---|
| copies ± 1 HU, padded otherwise | at most 1.4 | at most 0.13 |
| copies cropped by a pixel a side | at most 13 | 0 |
| copies at half the matrix | at most 3.2 | at most 0.07 |
| copies in JPEG 2000 at 10:1 | at most 0.4 | at most 0.16 |
| **limits** | **25** | **0.25** |
| next slices of one scan; third from it | from 10; from 24 | from 0.70; from 1.57 |
| nearest slices of two patients | from 60 | from 5.7 |
"""

from denoisebench.data.leaks.copies import Copy, near_copies
from denoisebench.data.leaks.means import SIDE, thumbnail

__all__ = ["SIDE", "Copy", "near_copies", "thumbnail"]
